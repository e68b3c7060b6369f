"""What a net found in one image: labels, probabilities, an overlay; each is computed when it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32, Label, Palette
from ..crf import CRFParameters, ImageCRF, preset
from ..crf.inference import check_inputs
from ..crf.unary import unary_of_kind
from ..errors import InputError
from ..evaluation import colour_labels, overlay, with_legend
from ..inference import NetMaps, softmax

#: share of an image's longer side that is an outline's width: one pixel for 700
_OUTLINE = 700


@dataclass(frozen=True, eq=False)
class Segmentation:
    """The result for one image.

    Attributes:
        image: (H, W, 3) uint8 RGB, as the net saw it.
        classes: the name of each class.
        palette: (256, 3) RGB.
        maps: what the net computed, at its own resolution; or, of several passes, probabilities (C, H, W).
        found_crf: CRF parameters that the experiment found; None without any.

    Example:
        >>> maps = NetMaps(np.array([[[3.0]], [[1.0]]], np.float32), (2, 2), "scores")
        >>> image = np.full((1, 2, 3), 100, np.uint8)
        >>> found = Segmentation(image, ("sky", "road"), np.full((256, 3), 200, np.uint8), maps)
        >>> found.labels.tolist(), found.shares
        ([[0, 0]], {'sky': 1.0})
        >>> found.probabilities[:, 0, 0].round(3).tolist()
        [0.8809999823570251, 0.11900000274181366]
        >>> found.overlay(opacity=0.5)[0, 0].tolist()
        [150, 150, 150]
    """

    image: NDArray[np.uint8]
    classes: tuple[str, ...]
    palette: Palette
    maps: NetMaps | Float32
    found_crf: CRFParameters | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the image."""
        return self.image.shape[0], self.image.shape[1]

    @cached_property
    def labels(self) -> Label:
        """(H, W) uint8: the most probable class of each pixel."""
        values = self.maps.at(self.size) if isinstance(self.maps, NetMaps) else self.maps
        return np.asarray(values.argmax(0), np.uint8)

    @cached_property
    def probabilities(self) -> Float32:
        """(C, H, W) float32, of the net, before the CRF; they sum to 1 at each pixel."""
        if not isinstance(self.maps, NetMaps):
            return self.maps
        values = self.maps.at(self.size)
        if self.maps.kind == "probabilities":
            return values
        return softmax(values.copy() if np.shares_memory(values, self.maps.values) else values)

    def refined(self, parameters: CRFParameters | str | None = None) -> Segmentation:
        """The same with labels that the fully connected CRF refined; its probabilities stay those of the net.

        Args:
            parameters: or the name of a preset; None: those that the experiment found.

        Raises:
            InputError: none are known, or there is no such preset.
        """
        known = preset(parameters) if isinstance(parameters, str) else parameters or self.found_crf
        if known is None:
            raise InputError("CRF: no parameters are known; expected CRFParameters or the name of a preset")
        result = Segmentation(self.image, self.classes, self.palette, self.maps, self.found_crf)
        result.__dict__["labels"] = self.crf().beliefs(known).labels().astype(np.uint8)
        return result

    def crf(self) -> ImageCRF:
        """The CRF on this image, for any number of settings.

        Raises:
            InputError: the maps cannot be turned into energies, such as those of one class.
        """
        if isinstance(self.maps, NetMaps):
            unary = unary_of_kind(self.maps.at(self.size), self.maps.kind)
        else:
            unary = unary_of_kind(self.maps, "probabilities")
        return ImageCRF(*check_inputs(self.image, unary))

    @property
    def shares(self) -> dict[str, float]:
        """The part of the pixels that each class has, 0 to 1, the largest first; without those that do not occur."""
        counts = np.bincount(self.labels.ravel())
        order = sorted(np.flatnonzero(counts).tolist(), key=lambda label: -counts[label])
        return {self._name(label): float(counts[label] / self.labels.size) for label in order}

    @property
    def coloured(self) -> NDArray[np.uint8]:
        """(H, W, 3) RGB: the labels in the colours of the palette."""
        return colour_labels(self.labels, self.palette, None)

    def overlay(
        self, opacity: float = 0.55, outline: int | None = None, legend: bool | str = False
    ) -> NDArray[np.uint8]:
        """The labels' colours over the image: (H, W, 3) RGB, higher with a legend.

        A class whose colour is black is background: its pixels are shown as they are.

        Args:
            opacity: 0 to 1; of the colours.
            outline: width of the white outlines in pixels; 0: none; None: by the image's size.
            legend: name the classes that occur, or "all" of them, below the picture.

        Raises:
            InputError: a value is out of range.
        """
        if not 0 <= opacity <= 1:
            raise InputError(f"opacity: got {opacity:g}; expected 0 (the image alone) to 1 (the colours alone)")
        width = max(1, round(max(self.size) / _OUTLINE)) if outline is None else outline
        if width < 0:
            raise InputError(f"outline: got {width}; expected a width in pixels, or 0 for none")
        black = np.flatnonzero(~self.palette[: len(self.classes)].any(axis=1)).tolist()
        picture = overlay(self.image, self.labels, self.palette, None, opacity, width, black)
        return with_legend(picture, self._legend(legend == "all")) if legend else picture

    def _legend(self, every: bool) -> list[tuple[str, Any]]:
        shown = range(len(self.classes)) if every else np.unique(self.labels).tolist()
        return [(self._name(label), self.palette[label]) for label in shown]

    def _name(self, label: int) -> str:
        return self.classes[label] if label < len(self.classes) else f"class {label}"
