"""Image sizes for which a net's scores are as large as its input: stated by the user, or found by shape inference."""

from __future__ import annotations

import re

from ..errors import InputError
from ..formats import schema
from ..formats.definition import Definition
from ..inspection.shapes import infer_shapes
from ..nets.input_sizes import SizeRule

#: strides to try: those of the known nets, and larger ones for nets with several scales
_STRIDES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
#: multiples of the stride to add to the net's own size when testing a rule
_PROBES = (1, 2, 3, 5)


def parsed(text: str) -> SizeRule:
    """Parse a rule such as `8k+1` or `32k`; InputError for anything else.

    Example:
        >>> parsed("8k+1").fit((320, 400))
        (321, 401)
    """
    match = re.fullmatch(r"(\d+)k(?:\+(\d+))?", text)
    if not match or int(match[1]) < 1:
        raise InputError(f"--size-rule: expected a rule such as 8k+1 but got '{text}'")
    return SizeRule(int(match[1]), int(match[2] or 0))


def found(definition: Definition, scores: str) -> SizeRule:
    """Find the smallest stride for which the scores are as large as the input, by shape inference.

    Args:
        definition: the net; its own input size is the smallest size tried.
        scores: name of the blob with the scores.

    Raises:
        InputError: no stride fits.
    """
    net = infer_shapes(definition, phase=schema.TEST)
    height, width = net.net.blobs[net.net.inputs[0]].shape[2:4]
    for stride in _STRIDES:
        offset = height % stride
        sizes = (height + stride * step for step in _PROBES)
        if width % stride == offset and all(_fits(definition, scores, size, width) for size in sizes):
            return SizeRule(stride, offset)
    raise InputError(f"{definition.source}: found no size rule for '{scores}'; state one, such as --size-rule 8k+1")


def _fits(definition: Definition, scores: str, height: int, width: int) -> bool:
    try:
        shape = infer_shapes(definition, phase=schema.TEST, size=(height, width)).blobs[scores]
    except InputError:
        return False
    return shape is not None and tuple(shape[2:]) == (height, width)
