"""Score maps on disk, <id>.npy, and done.json beside them, which says what they are so that nothing is guessed.

- A plain test stores what the net computes, at its resolution: float32, to be enlarged to the net's input and cropped.
- A test of several passes stores the logarithm of the mean probabilities at every 4th pixel of the image, float16. The
  labels are made from all pixels before. VOC's images take 0.5 MB each; all pixels in float32 would take 16 MB.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32, Size
from ..crf import resize_scores
from ..data.score_kinds import KINDS, Kind
from ..files import write_text
from ..reading import reading
from .results import DONE, read_json

#: pixels between two stored values; a net of stride 8 at scale 1.75 has one for every 4.6 pixels
STEP = 4
#: what `size` is in done.json if a map covers its image alone
_IMAGE = "image"


@dataclass(frozen=True)
class StoredScores:
    """What done.json says of the maps of a list.

    Attributes:
        size: (height, width) that maps are enlarged to before they are cropped to the image; None for the image's own.
        kind: what they contain; see `data.score_kinds`.
        weights: the weight file that was tested.
        stage: "1" or "2" of the training that left it; "" for a file that was given.
        protocol: how the images were tested, in words; "" in results of earlier versions.
    """

    size: Size | None
    kind: Kind
    weights: str
    stage: str = ""
    protocol: str = ""

    def write(self, folder: Path) -> None:
        """Write done.json, after all maps."""
        size = _IMAGE if self.size is None else list(self.size)
        stated = {"kind": self.kind, "weights": self.weights, "stage": self.stage, "protocol": self.protocol}
        write_text(folder / DONE, json.dumps({"size": size, **stated}) + "\n")

    @classmethod
    def read(cls, folder: Path) -> StoredScores:
        """Read done.json; raises InputError if it is missing or damaged."""
        record = read_json(folder / DONE)
        with reading(folder / DONE, damaged="damaged; run the stage test again, with --force"):
            return cls._of(record)

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> StoredScores:
        size = None if record["size"] == _IMAGE else (int(record["size"][0]), int(record["size"][1]))
        kind = record.get("kind", "net")
        if kind not in (*KINDS, "net", "log-probabilities"):
            raise ValueError(f"kind is {kind!r}")
        words = (str(record.get(name, "")) for name in ("weights", "stage", "protocol"))
        return cls(size, kind, *words)


def thinned(probabilities: Float32) -> NDArray[np.float16]:
    """The logarithm of probabilities at every 4th pixel, corners included.

    Args:
        probabilities: (C, H, W).

    Returns:
        (C, ⌈(H − 1) / 4⌉ + 1, ⌈(W − 1) / 4⌉ + 1), to be enlarged to (H, W) by `crf.resize_scores`.

    Example:
        >>> thinned(np.full((2, 5, 6), 0.5, np.float32)).shape
        (2, 2, 3)
    """
    height, width = (-(-(side - 1) // STEP) + 1 for side in probabilities.shape[1:])
    maps = resize_scores(probabilities, (height, width))
    return np.log(np.maximum(maps, np.finfo(np.float32).tiny)).astype(np.float16)
