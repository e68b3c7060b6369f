"""A predictor from files: the deploy net, its weights, and the net that says how images are treated."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

from .. import engine
from ..errors import InputError
from ..formats import schema
from ..formats.definition import Definition, definition_of, read_definition
from ..formats.python_layers import to_native
from ..inspection import infer_receptive_fields, infer_shapes
from ..nets.input_sizes import ANY_SIZE, SizeRule
from . import size_rule
from .outputs import score_blob
from .predictor import Predictor
from .preprocessing import Preprocessing
from .regions import Grid


def load(
    deploy: str | os.PathLike[str],
    weights: str | os.PathLike[str],
    like: str | os.PathLike[str] | None = None,
    preprocessing: Preprocessing | None = None,
) -> Predictor:
    """A predictor on the Caffe that is chosen (see `deeplab_caffe.engine`), with planned execution where there is one.

    Args:
        deploy: prototxt of the deploy net.
        weights: a weight file.
        like: prototxt of a net whose layer ImageSegData says how images are treated; by default test.prototxt beside
            the deploy net.
        preprocessing: how images are treated, where no net says it.

    Raises:
        InputError: a file is missing or invalid, the weights do not fit, or the net has no single output of scores.
    """
    deploy = Path(deploy)
    if preprocessing is None:
        preprocessing = Preprocessing.of_net(deploy.with_name("test.prototxt") if like is None else like)
    chosen = engine.current()
    net = chosen.test_net(deploy, Path(weights))
    found = score_blob(net, deploy)
    output = _full_resolution(net, found.name)
    grid = grid_of(read_definition(deploy), output)
    return Predictor(net, preprocessing, found.name, found.kind, grid, chosen.runner(net, found.name))


def _full_resolution(net: Any, blob: str) -> str:
    """The output behind the scores, whose size tells which input sizes fit."""
    outputs = [name for name in net.outputs if len(net.blobs[name].shape) == 4]
    return blob if blob in outputs or not outputs else str(outputs[0])


def grid_of(definition: Definition, output: str) -> Grid:
    """The input sizes that a net takes and its largest stride, by shape inference.

    Args:
        definition: a deploy net.
        output: the blob that is as large as the input for sizes that fit; a net without such sizes takes any size.
    """
    native = _native(definition)
    try:
        sizes = size_rule.found(native, output)
    except InputError:
        sizes = ANY_SIZE
    return Grid(sizes, _step(native, sizes))


def _native(definition: Definition) -> Definition:
    """The net with the layers of `deeplab_layers` as what they implement: an installed Caffe's own cannot be asked."""
    param = schema.NetParameter()
    param.CopyFrom(definition.param)
    for layer in param.layer:
        to_native(layer)
    return definition_of(param, definition.source)


def _step(definition: Definition, sizes: SizeRule) -> int:
    """The least common multiple of all strides; that of the sizes if a layer's shape is not known."""
    try:
        fields = infer_receptive_fields(infer_shapes(definition))
    except InputError:
        return sizes.stride
    strides = {side.numerator for field in fields.values() for side in field.stride if side}
    return math.lcm(sizes.stride, *strides)
