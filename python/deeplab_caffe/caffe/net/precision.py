"""Which layers compute in bfloat16 when a net does."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import torch

from ...errors import InputError
from ...spelling import did_you_mean
from .. import log, mode
from ..layer_types.base import TensorLayer
from .step import NetStep

#: by the name of a precision, what layers with weights compute in; None for that of the weights, float32
PRECISIONS: dict[str, torch.dtype | None] = {"float32": None, "bf16": torch.bfloat16}


def dtype_of(precision: str) -> torch.dtype | None:
    """The dtype of a precision; InputError for an unknown name."""
    if precision not in PRECISIONS:
        known = ", ".join(PRECISIONS)
        raise InputError(f"unknown precision '{precision}'{did_you_mean(precision, PRECISIONS)} (wanted: {known})")
    return PRECISIONS[precision]


def onednn_computes_in(dtype: torch.dtype) -> bool:
    """Whether oneDNN computes in this type on this processor."""
    if not (torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled):
        return False
    return dtype == torch.float32 or torch.ops.mkldnn._is_mkldnn_bf16_supported()


def layer_precisions(steps: Sequence[NetStep], precision: str) -> dict[int, torch.dtype | None]:
    """What each layer with weights computes in, by index.

    The last ones on every path through the net stay in float32: what they compute are the scores, whose differences
    decide, and they cost little. Says once if the processor is slow in that precision.
    """
    dtype = dtype_of(precision)
    if dtype and mode.device().type == "cpu" and onednn_computes_in(torch.float32) and not onednn_computes_in(dtype):
        _say_what_is_faster(precision)
    chosen: dict[int, torch.dtype | None] = {}
    read_by_weights: set[int] = set()
    for i in reversed(range(len(steps))):
        followed = any(id(b.data_memory) in read_by_weights for b in steps[i].tops)
        if getattr(steps[i].layer, "takes_precision", False):
            chosen[i] = dtype if followed else None
        if followed or i in chosen:
            read_by_weights.update(id(b.data_memory) for b in steps[i].bottoms)
    return chosen


def set_precision(steps: Sequence[NetStep], precision: str) -> None:
    """Make a net's passes compute in a precision; parameters, their gradients and losses stay float32."""
    for i, dtype in layer_precisions(steps, precision).items():
        layer = steps[i].layer
        assert isinstance(layer, TensorLayer)
        layer.precision = dtype


@cache
def _say_what_is_faster(precision: str) -> None:
    reason = "PyTorch has no fast code for it on this processor"
    log.warning(f"precision {precision}: {reason}: float32 is many times faster, and closer")
