"""Verifies a model that maps images to labels: on one image, against the arg-max of the net's scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...arrays import Size
from ...errors import InputError
from .pictures import Pictures
from .verification import Runner, compute_blobs

if TYPE_CHECKING:
    from ...caffe.net.net import Net

#: share of pixels that may differ, because their two best scores are so close that rounding decides
_TOLERANCE = 1e-3


@dataclass(frozen=True)
class LabelCheck:
    """How many pixels' labels differ, for an image of `size` (height, width), padded to `padded` for the net."""

    size: Size
    padded: Size
    differing: int

    @property
    def share(self) -> float:
        return self.differing / (self.size[0] * self.size[1])

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "share": self.share, "tolerance": _TOLERANCE}

    def __str__(self) -> str:
        return f"labels of an image of {self.size[0]}x{self.size[1]}: {self.share:.3%} of the pixels differ"

    def demand(self, what: str) -> None:
        """Raise InputError if more pixels differ than rounding explains."""
        if self.share > _TOLERANCE:
            raise InputError(
                f"{what}: {self.share:.3%} of the labels differ from the net's; at most {_TOLERANCE:.1%} may"
            )


def compare_labels(
    net: Net, data: str, scores: str, runner: Runner, pictures: Pictures, fit: Callable[[Size], Size]
) -> LabelCheck:
    """Run a model (image to labels) and the net on the same image, of a size that the net itself may not support.

    Args:
        net: the net; its input size is restored afterwards.
        data, scores: blobs of the net.
        runner: runs the model.
        pictures: makes the image.
        fit: the input size, which the net supports, for an image of another size.
    """
    own = tuple(net.blobs[data].shape)
    size = (own[2] // 2, own[3] // 2 + 3)
    theirs = runner({"image": pictures.rgb(*size)[None]})["labels"][0]
    padded = fit(size)
    image = pictures(data, (1, 3, *size))
    margins = [(0, padded[axis] - size[axis]) for axis in (0, 1)]
    net.blobs[data].reshape(1, 3, *padded)
    net.blobs[data].data[...] = np.pad(image, ((0, 0), (0, 0), *margins))
    compute_blobs(net)
    mine = _last_of_the_best(net.blobs[scores].data[0])[: size[0], : size[1]]
    net.blobs[data].reshape(*own)
    net.reshape()
    return LabelCheck(size, padded, int(np.count_nonzero(mine != theirs)))


def _last_of_the_best(scores: np.ndarray) -> np.ndarray:
    """Scores (C, H, W) to labels (H, W), as by Caffe's ArgMax: of equal scores the last."""
    return len(scores) - 1 - scores[::-1].argmax(0)
