"""The layers with which SSD is trained. Nets that have them are read and shown; they are not run.

Mirrors what `annotated_data_layer.cpp` and `multibox_loss_layer.cpp` of SSD say of shapes.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...arrays import Shape
from ..blob import Blob
from .base import DataLayer, LossLayer, register


@register("AnnotatedData")
class AnnotatedData(DataLayer):
    """Images with boxes from a database of SSD: (N, 3, H, W), and (1, 1, boxes, 8). Not run: see `setup`."""

    tops = (1, 2)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Fails: databases of annotated images are not read."""
        self.fail(
            "reads a database of images with boxes (AnnotatedDatum), which is not supported; to run the net, take its "
            f"deploy net, or replace this layer by an Input with the top '{self.param.top[0]}'"
        )

    def shapes_without_data(
        self, bottoms: Sequence[Shape], tops: int, image: tuple[int, int] | None
    ) -> list[Shape] | None:
        p = self.param.transform_param
        stated = (p.resize_param.height, p.resize_param.width)
        height, width = image or (stated if min(stated) else (p.crop_size, p.crop_size))
        if min(height, width) < 1:
            self.fail(f"its images' size is not known; state it: --input {self.param.top[0]}=1,3,300,300")
        shapes: list[Shape] = [(self.param.data_param.batch_size, 3, height, width), (1, 1, 1, 8)]
        return shapes[:tops]


@register("MultiBoxLoss")
class MultiBoxLoss(LossLayer):
    """SSD's loss of offsets, scores, prior boxes and true boxes. Not run: see `setup`."""

    bottoms = (4, 4)
    no_gradient = (2, 3)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Fails: SSD is not trained here."""
        self.fail(
            "SSD's training (the matching of boxes, and hard negative mining) is not supported; its nets for use are: "
            "take the deploy net, or the TEST phase"
        )

    def shapes_without_data(
        self, bottoms: Sequence[Shape], tops: int, image: tuple[int, int] | None
    ) -> list[Shape] | None:
        return [()] * tops
