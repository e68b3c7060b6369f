"""The loss with which SSD is trained. Nets that have it are read and shown; they are not run.

Mirrors what `multibox_loss_layer.cpp` of SSD says of shapes.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...arrays import Shape
from ..blob import Blob
from .base import LossLayer, register


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
