"""Initial values of parameters. Mirrors `filler.hpp`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from ..errors import InputError
from ..formats.filler_types import FILLER_TYPES
from . import mode


def fill(shape: tuple[int, ...], filler: Any) -> torch.Tensor:
    """New values of a shape on the engine's device; fan_in = count / shape[0], fan_out = count / shape[1].

    Args:
        shape: of the parameter, such as (num_output, channels, height, width).
        filler: a FillerParameter.

    Raises:
        InputError: as `check_filler` does.

    Example:
        >>> from deeplab_caffe.formats import schema
        >>> fill((1, 2), schema.FillerParameter(type="constant", value=0.5))
        tensor([[0.5000, 0.5000]])
    """
    check_filler(shape, filler)
    # Drawn on the CPU, so that a seed means the same weights on every device.
    values = torch.empty(shape)
    _FILLERS[filler.type](values, filler, mode.generator(torch.device("cpu")))
    return values.to(mode.device())


def _constant(values: torch.Tensor, filler: Any, random: torch.Generator) -> None:
    values.fill_(filler.value)


def _uniform(values: torch.Tensor, filler: Any, random: torch.Generator) -> None:
    values.uniform_(filler.min, filler.max, generator=random)


def _gaussian(values: torch.Tensor, filler: Any, random: torch.Generator) -> None:
    values.normal_(filler.mean, filler.std, generator=random)
    if filler.sparse >= 0:
        share = min(filler.sparse / (*values.shape, 1)[0], 1.0)
        values *= torch.empty(values.shape).bernoulli_(share, generator=random)


def _positive_unitball(values: torch.Tensor, filler: Any, random: torch.Generator) -> None:
    values.uniform_(0, 1, generator=random)
    rows = values.view((*values.shape, 1)[0], -1)
    rows /= rows.sum(1, keepdim=True)


def _xavier(values: torch.Tensor, filler: Any, random: torch.Generator) -> None:
    bound = math.sqrt(3 / _fan(tuple(values.shape), filler))
    values.uniform_(-bound, bound, generator=random)


def _msra(values: torch.Tensor, filler: Any, random: torch.Generator) -> None:
    values.normal_(0, math.sqrt(2 / _fan(tuple(values.shape), filler)), generator=random)


def check_filler(shape: tuple[int, ...], filler: Any) -> None:
    """Raise InputError for an unknown type, `sparse` outside gaussian, or a shape that the type does not fit."""
    kind = filler.type
    if kind not in FILLER_TYPES:
        raise InputError(f"unknown filler type '{kind}'; the types are {', '.join(FILLER_TYPES)}")
    row = FILLER_TYPES[kind]
    if filler.sparse != -1 and "sparse" not in row.fields:
        raise InputError(f"'sparse' goes with the gaussian filler only, not with '{kind}'")
    if not row.one_value and 0 in shape:
        raise InputError(f"the {kind} filler needs a blob that is not empty, got {shape}")
    if kind == "uniform" and not -math.inf < filler.min <= filler.max < math.inf:
        raise InputError(f"the uniform filler needs finite min <= max, got {filler.min:g} and {filler.max:g}")
    if kind == "gaussian" and not filler.std >= 0:  # nor NaN
        raise InputError(f"the gaussian filler needs a std of 0 or more, got {filler.std:g}")
    if row.square_kernels and (len(shape) != 4 or shape[2] != shape[3]):
        raise InputError(f"the {kind} filler needs a 4-D blob with a square kernel, got {shape}")


def _fan(shape: tuple[int, ...], filler: Any) -> float:
    count = math.prod(shape)
    fan_in = count / (*shape, 1)[0]
    fan_out = count / shape[1] if len(shape) > 1 else count
    return {0: fan_in, 1: fan_out, 2: (fan_in + fan_out) / 2}[filler.variance_norm]


def _bilinear(values: torch.Tensor, filler: Any, random: torch.Generator) -> None:
    """The interpolation kernel of bilinear upsampling, the same for every pair of channels."""
    width = values.shape[3]
    f = math.ceil(width / 2)
    centre = (width - 1) / (2 * f)
    profile = 1 - (torch.arange(width, dtype=torch.float32) / f - centre).abs()
    values.copy_(torch.outer(profile, profile).expand(values.shape))


_FILLERS: dict[str, Callable[[torch.Tensor, Any, torch.Generator], None]] = {
    "constant": _constant,
    "uniform": _uniform,
    "gaussian": _gaussian,
    "positive_unitball": _positive_unitball,
    "xavier": _xavier,
    "msra": _msra,
    "bilinear": _bilinear,
}
if set(_FILLERS) != set(FILLER_TYPES):
    raise ValueError("each filler type needs a row in formats/filler_types.py and a function here")
