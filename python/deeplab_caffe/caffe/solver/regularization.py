"""What solvers do to gradients before their own rule. Mirrors `sgd_solver.cpp`, ClipGradients and Regularize."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from .. import log
from ..net.params import LearnableParam


def clip(params: Sequence[LearnableParam], limit: float) -> None:
    """Scale all gradients so that their common L2 norm is at most the limit; a negative limit means none."""
    if limit < 0:
        return
    squares = [p.blob.diff_tensor().square().sum() for p in params]
    norm = float(torch.stack(squares).sum().sqrt())
    if norm > limit:
        scale = limit / norm
        log.info(
            f"Gradient clipping: scaling down gradients (L2 norm {log.number(norm)} > {log.number(limit)}) "
            f"by scale factor {log.number(scale)}",
            "sgd_solver.cpp:92",
        )
        for p in params:
            p.blob.diff_tensor().mul_(scale)


def regularize(value: torch.Tensor, gradient: torch.Tensor, decay: float, kind: str) -> None:
    """Add the gradient of decay · ‖value‖ (kind L1) or decay / 2 · ‖value‖² (L2)."""
    if decay:
        gradient.add_(value.sign() if kind == "L1" else value, alpha=decay)
