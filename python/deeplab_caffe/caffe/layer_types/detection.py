"""SSD's prior boxes and detections. Mirrors `prior_box_layer.cpp` and `detection_output_layer.cpp` of SSD."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import torch

from ...arrays import Shape
from ...formats import schema
from ..blob import Blob
from .base import TensorLayer, register
from .box_functions import detections, prior_boxes, without_easy
from .gradientless import SilentLayer

_CODES = {number: name for name, number in schema.PriorBoxParameter.CodeType.items()}


@register("PriorBox")
class PriorBox(SilentLayer):
    """A map (N, C, H, W) and an image (N, C', h, w) to prior boxes and their variances, (1, 2, H · W · P · 4).

    For every position, and every min_size s (in pixels, its fraction cut off): a square of s, one of √(s · max_size) if
    there are max_sizes, and for each aspect ratio r other than 1 one of width s √r and height s / √r. With `flip` each
    ratio is followed by 1 / r. Coordinates are parts of the image. Only the shapes of the bottoms count.
    """

    bottoms = (2, 2)
    shape_only = (0, 1)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.param.prior_box_param
        self._check(p)
        self.sizes = [size for i in range(len(p.min_size)) for size in self._sizes(p, i)]
        self.variances = list(p.variance) or [0.1]
        self.image = self._pair("img_size", "img_h", "img_w")
        self.steps = self._pair("step", "step_h", "step_w")
        self._latest: tuple[Any, torch.Tensor] | None = None

    def _check(self, p: Any) -> None:
        if not p.min_size or min(p.min_size) < 1:
            self.fail(f"min_size is {list(p.min_size) or 'not stated'}, wanted one size or more, of a pixel at least")
        if len(p.max_size) not in (0, len(p.min_size)):
            self.fail(f"states {len(p.max_size)} max_size for {len(p.min_size)} min_size, wanted none or one for each")
        if any(most <= least for least, most in zip(p.min_size, p.max_size, strict=False)):
            self.fail(f"max_size {list(p.max_size)} must be greater than min_size {list(p.min_size)}")
        if len(p.variance) not in (0, 1, 4) or not all(v > 0 for v in p.variance):
            self.fail(f"variance is {list(p.variance)}, wanted one positive number or four")
        if not all(r > 0 for r in p.aspect_ratio):
            self.fail(f"aspect_ratio is {list(p.aspect_ratio)}, wanted positive numbers")

    @staticmethod
    def _sizes(p: Any, index: int) -> list[tuple[float, float]]:
        """Width and height of the priors of one min_size."""
        ratios: list[float] = []
        for ratio in p.aspect_ratio:
            if not any(abs(ratio - known) < 1e-6 for known in (1.0, *ratios)):
                ratios += [ratio, 1 / ratio] if p.flip else [ratio]
        side = float(int(p.min_size[index]))
        sizes = [(side, side)]
        if p.max_size:
            sizes.append((math.sqrt(side * int(p.max_size[index])),) * 2)
        return sizes + [(side * math.sqrt(ratio), side / math.sqrt(ratio)) for ratio in ratios]

    def _pair(self, both: str, vertical: str, horizontal: str) -> tuple[Any, Any] | None:
        """What is stated for both axes, (y, x), or None."""
        p = self.param.prior_box_param
        sides = [p.HasField(vertical), p.HasField(horizontal)]
        if any(sides) and (p.HasField(both) or not all(sides)):
            self.fail(f"wanted either {both}, or {vertical} and {horizontal}")
        pair = (getattr(p, vertical), getattr(p, horizontal)) if any(sides) else (getattr(p, both),) * 2
        if any(sides) or p.HasField(both):
            if min(pair) <= 0:
                self.fail(f"{both} is {pair[0]:g} x {pair[1]:g} (height x width), wanted positive numbers")
            return pair
        return None

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        if any(len(shape) != 4 for shape in bottoms):
            self.fail(f"bottoms {bottoms[0]} and {bottoms[1]}, wanted a map and an image (N, C, H, W)")
        return [(1, 2, bottoms[0][2] * bottoms[0][3] * len(self.sizes) * 4)]

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        p, (height, width) = self.param.prior_box_param, bottoms[1].shape[2:]
        image = self.image or (height, width)
        found = (bottoms[0].shape, image, bottoms[0].device)
        if self._latest is None or self._latest[0] != found:
            boxes = prior_boxes(self.sizes, self.variances, self.steps, p.offset, p.clip, bottoms[0], image)
            self._latest = found, boxes
        return [self._latest[1].clone()]


@register("DetectionOutput")
class DetectionOutput(TensorLayer):
    """SSD's detections: rows (1, 1, M, 7) of item, class, score, x1, y1, x2, y2 in parts of the image.

    Bottoms: offsets (N, P · 4), or (N, P · classes · 4) unless `share_location`; scores (N, P · num_classes); prior
    boxes (1, 2, P · 4). Rows are in the order of items, classes and falling scores. Without any, there is one for each
    item: its number, then −1. Before the first pass M is 1. Files that save_output_param asks for are not written.

    RefineDet adds two bottoms: probabilities of no object and of one (N, P · 2), and offsets of the priors (N, P · 4).
    """

    bottoms = (3, 5)
    no_gradient = (0, 1, 2, 3, 4)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.param.detection_output_param
        if p.num_classes < 1:
            self.fail("num_classes is 0 or not stated, wanted a positive number")
        if not p.nms_param.nms_threshold >= 0 or not 0 < p.nms_param.eta <= 1:
            self.fail(
                f"nms_threshold is {p.nms_param.nms_threshold:g} and eta {p.nms_param.eta:g}; "
                "wanted 0 or more, and above 0 to 1"
            )
        self._writes_nothing = bool(p.save_output_param.output_directory or p.visualize)
        self.classes = p.num_classes
        self.code = _CODES[p.code_type]
        self.least = p.confidence_threshold if p.HasField("confidence_threshold") else torch.finfo(torch.float32).min
        self.top_k = p.nms_param.top_k if p.nms_param.HasField("top_k") else -1
        self.rows = 1

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        location, confidence, priors, *refinement = (shape + (1,) * (4 - len(shape)) for shape in bottoms)
        shared = self.param.detection_output_param.share_location
        count, sets = priors[2] // 4, 1 if shared else self.classes
        if priors[1:2] != (2,) or priors[2] % 4:
            self.fail(f"priors {bottoms[2]}, wanted (1, 2, 4 · count), as PriorBox makes them")
        kinds = ("offsets", "scores", "probabilities of an object", "offsets of the priors")
        wanted = [(location[0], count * n) for n in (sets * 4, self.classes, 2, 4)]
        for what, shape, size in zip(kinds, (location, confidence, *refinement), wanted, strict=False):
            if (shape[0], math.prod(shape[1:])) != size:
                self.fail(f"{what} {shape} do not fit {count} priors and {self.classes} classes: wanted {size}")
        return [(1, 1, self.rows, 7)]

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        p = self.param.detection_output_param
        if self._writes_nothing:
            self._writes_nothing = False  # said once
            message = "save_output_param and visualize have no effect here: no files are written, nothing is shown"
            warnings.warn(f"{self.describe()}{message}", stacklevel=2)
        location, confidence, priors, *refinement = (b.detach() for b in bottoms)
        if refinement:
            confidence = without_easy(confidence, refinement[0], self.classes, p.objectness_score)
        found = detections(
            location, confidence, priors, self.classes, p.background_label_id, self.code, p.variance_encoded_in_target,
            self.least, self.top_k, p.nms_param.nms_threshold, p.nms_param.eta, p.keep_top_k, *refinement[1:],
        )  # fmt: skip
        self.rows = found.shape[2]
        return [found]
