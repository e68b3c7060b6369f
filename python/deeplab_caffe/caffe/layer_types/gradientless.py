"""What layers derive from that Caffe lets run backward without a gradient."""

from __future__ import annotations

from collections.abc import Sequence

from ..blob import Blob
from .base import TensorLayer


class SilentLayer(TensorLayer):
    """A layer whose backward does nothing: the diffs of its bottoms keep what they held."""

    @property
    def is_silent(self) -> bool:
        """Whether this one does nothing; a layer may be asked for a gradient."""
        return True

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        pass
