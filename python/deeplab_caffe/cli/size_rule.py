"""Which sizes of images a net takes so that its scores are as large: told by the user, or found by its shapes."""

from __future__ import annotations

import re

from .. import caffe
from ..errors import InputError
from ..formats.definition import Definition
from ..inspection.shapes import infer_shapes
from ..nets.input_sizes import SizeRule

#: output strides of nets that are known, and more for those of several scales
_STRIDES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
#: how many strides beyond the net's own size are tried
_PROBES = (1, 2, 3, 5)


def parsed(text: str) -> SizeRule:
    """`8k+1` or `32k`; InputError for anything else."""
    match = re.fullmatch(r"(\d+)k(?:\+(\d+))?", text)
    if not match or int(match[1]) < 1:
        raise InputError(f"--size-rule: got '{text}'; wanted such as 8k+1")
    return SizeRule(int(match[1]), int(match[2] or 0))


def found(definition: Definition, scores: str) -> SizeRule:
    """The rule of the smallest stride by which blob `scores` is as large as the input, from the net's own size on.

    Strides are tried by inferring shapes; nothing is computed. Raises InputError where none does.
    """
    net = infer_shapes(definition, phase=caffe.TEST)
    height, width = net.net.blobs[net.net.inputs[0]].shape[2:4]
    for stride in _STRIDES:
        offset = height % stride
        sizes = (height + stride * step for step in _PROBES)
        if width % stride == offset and all(_fits(definition, scores, size, width) for size in sizes):
            return SizeRule(stride, offset)
    raise InputError(f"{definition.source}: no rule of sizes was found for '{scores}'; give one: --size-rule 8k+1")


def _fits(definition: Definition, scores: str, height: int, width: int) -> bool:
    try:
        shape = infer_shapes(definition, phase=caffe.TEST, size=(height, width)).blobs[scores]
    except InputError:
        return False
    return shape is not None and tuple(shape[2:]) == (height, width)
