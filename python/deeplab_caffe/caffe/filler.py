"""Initial values of parameters. Mirrors `filler.hpp`."""

from __future__ import annotations

import math
from typing import Any

import torch

from ..errors import InputError
from . import mode

_TYPES = ("constant", "uniform", "gaussian", "positive_unitball", "xavier", "msra", "bilinear")


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
    kind = filler.type
    # Drawn on the CPU, so that a seed means the same weights on every device.
    random = mode.generator(torch.device("cpu"))
    values = torch.empty(shape)
    if kind == "constant":
        values.fill_(filler.value)
    elif kind == "uniform":
        values.uniform_(filler.min, filler.max, generator=random)
    elif kind == "gaussian":
        values.normal_(filler.mean, filler.std, generator=random)
        if filler.sparse >= 0:
            keep = torch.empty(shape).bernoulli_(min(filler.sparse / (*shape, 1)[0], 1.0), generator=random)
            values *= keep
    elif kind == "positive_unitball":
        values.uniform_(0, 1, generator=random)
        rows = values.view((*shape, 1)[0], -1)
        rows /= rows.sum(1, keepdim=True)
    elif kind == "xavier":
        bound = math.sqrt(3 / _fan(shape, filler))
        values.uniform_(-bound, bound, generator=random)
    elif kind == "msra":
        values.normal_(0, math.sqrt(2 / _fan(shape, filler)), generator=random)
    else:
        values.copy_(_bilinear(shape))
    return values.to(mode.device())


def check_filler(shape: tuple[int, ...], filler: Any) -> None:
    """Raise InputError for an unknown type, `sparse` outside gaussian, or a shape that the type does not fit."""
    kind = filler.type
    if kind not in _TYPES:
        raise InputError(f"unknown filler type '{kind}'; the types are {', '.join(_TYPES)}")
    if filler.sparse != -1 and kind != "gaussian":
        raise InputError(f"'sparse' goes with the gaussian filler only, not with '{kind}'")
    if kind != "constant" and 0 in shape:
        raise InputError(f"the {kind} filler needs a blob that is not empty, got {shape}")
    if kind == "uniform" and filler.min > filler.max:
        raise InputError(f"the uniform filler needs min <= max, got {filler.min:g} and {filler.max:g}")
    if kind == "gaussian" and filler.std < 0:
        raise InputError(f"the gaussian filler needs a std of 0 or more, got {filler.std:g}")
    if kind == "bilinear" and (len(shape) != 4 or shape[2] != shape[3]):
        raise InputError(f"the bilinear filler needs a 4-D blob with a square kernel, got {shape}")


def _fan(shape: tuple[int, ...], filler: Any) -> float:
    count = math.prod(shape)
    fan_in = count / (*shape, 1)[0]
    fan_out = count / shape[1] if len(shape) > 1 else count
    return {0: fan_in, 1: fan_out, 2: (fan_in + fan_out) / 2}[filler.variance_norm]


def _bilinear(shape: tuple[int, ...]) -> torch.Tensor:
    """The interpolation kernel of bilinear upsampling, the same for every pair of channels."""
    width = shape[3]
    f = math.ceil(width / 2)
    centre = (width - 1) / (2 * f)
    profile = 1 - (torch.arange(width, dtype=torch.float32) / f - centre).abs()
    return torch.outer(profile, profile).expand(shape)
