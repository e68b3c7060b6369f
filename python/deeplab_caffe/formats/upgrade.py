"""Upgrade net and solver messages of older dialects to today's form. Mirrors `upgrade_proto.cpp`."""

from __future__ import annotations

import warnings
from typing import Any

from ..errors import InputError
from . import schema
from .layer_facts import DEEPLAB_V2, params_beyond_bvlc
from .solver_types import SOLVER_TYPES
from .upgrade_crop import align_crops, misaligned_crops
from .upgrade_deeplab import Where, deeplab_v1_to_v2, is_deeplab_v1, refuse_in_today
from .upgrade_layers import is_v0, move_transformation, v0_to_v1, v1_to_v2, without_padding

#: fields of a layer that DeepLab's second release added
_DEEPLAB = params_beyond_bvlc(lambda row: DEEPLAB_V2 in row.known_to)


def upgrade_net(net: Any, source: str, where: Where | None = None) -> list[int | None]:
    """Upgrade a NetParameter of any year in place.

    `layers` of 2013 and 2014, including those of DeepLab's first release, become `layer`; `input` fields become an
    Input layer; the three parameters of a BatchNorm get lr_mult 0.

    Args:
        net: the message.
        source: the file, for messages.
        where: the place of a field for messages, given the index of the layer and the path of field names; `source` if
            not given.

    Returns:
        For every layer of the result the index of the old layer that it comes from; None for an added Input layer.

    Raises:
        InputError: the net is invalid in Caffe too, or uses a part of DeepLab's first release that has no counterpart.
    """
    places: list[int | None] = [*_upgrade_layers(net, source, where or (lambda *_: source))]
    if _upgrade_input(net, source):
        places.insert(0, None)
    for layer in net.layer:
        if layer.type == "BatchNorm" and len(layer.param) == 3:
            for param in layer.param:
                param.lr_mult = param.decay_mult = 0
    return places


def dialect_of(net: Any) -> str:
    """The dialect of a NetParameter before its upgrade: V0, V1, DeepLab v1, V2, DeepLab v2 or PSPNet."""
    if net.layers:
        return "V0" if is_v0(net.layers) else "DeepLab v1" if is_deeplab_v1(net.layers) else "V1"
    stated = {descriptor.name for layer in net.layer for descriptor, _ in layer.ListFields()}
    if "bn_param" in stated:
        return "PSPNet"
    scales = any(layer.transform_param.scale_factors for layer in net.layer if layer.HasField("transform_param"))
    return "DeepLab v2" if scales or stated & _DEEPLAB else "V2"


def _upgrade_layers(net: Any, source: str, where: Where) -> list[int]:
    if not net.layers:
        refuse_in_today(net.layer, where)
        _align_autocrops(net.layer, where)
        _note_corners(net.layer, where)
        return list(range(len(net.layer)))
    if net.layer:
        raise InputError(f"{source}: has both 'layer' and 'layers' (the dialect of 2014 and before)")
    layers, places = list(net.layers), list(range(len(net.layers)))
    if is_v0(layers):
        layers, places = without_padding(layers, source)
        layers = [v0_to_v1(layer, source) for layer in layers]
    for layer in layers:
        move_transformation(layer)
    if is_deeplab_v1(layers):
        upgraded = deeplab_v1_to_v2(layers, places, where)
    else:
        upgraded = [v1_to_v2(layer, source) for layer in layers]
        crops = [i for i, layer in enumerate(layers) if layer.type == layer.CROP]
        align_crops(upgraded, crops, lambda i, text: _of_layer(where(places[i]), upgraded[i], text))
    net.ClearField("layers")
    net.layer.extend(upgraded)
    return places


def _align_autocrops(layers: Any, where: Where) -> None:
    """Make Crop layers with their offsets of the AutoCrop layers of RCF's Caffe, which align as CROP of 2014 did."""
    crops = [i for i, layer in enumerate(layers) if layer.type == "AutoCrop"]
    for i in crops:
        layers[i].type = "Crop"
    align_crops(layers, crops, lambda i, text: _of_layer(where(i), layers[i], text))


def _note_corners(layers: Any, where: Where) -> None:
    if not any(layer.type == "Crop" and not layer.HasField("crop_param") for layer in layers):
        return
    for i, offset in misaligned_crops(layers):
        text = (
            "takes the upper left corner, as in BVLC's Caffe; if the file is of 2015, whose Caffes aligned (HED, FCN), "
            f"state crop_param {{ axis: 2 offset: {offset} }}"
        )
        warnings.warn(str(_of_layer(where(i), layers[i], text)), stacklevel=2)


def _of_layer(where: str, layer: Any, text: str) -> InputError:
    return InputError(f"{where}: layer '{layer.name}' ({layer.type}): {text}")


def _upgrade_input(net: Any, source: str) -> bool:
    names, shapes, dims = list(net.input), list(net.input_shape), list(net.input_dim)
    if not names:
        return False
    if shapes and dims:
        raise InputError(f"{source}: has both input_shape and input_dim")
    if shapes and len(shapes) != len(names):
        raise InputError(f"{source}: has {len(shapes)} input_shape for {len(names)} inputs")
    if dims and len(dims) != 4 * len(names):
        raise InputError(f"{source}: expected 4 input_dim for each of {len(names)} inputs, got {len(dims)}")
    net.ClearField("input")
    net.ClearField("input_shape")
    net.ClearField("input_dim")
    if not shapes and not dims:
        return False
    layer = schema.LayerParameter(name="input", type="Input", top=names)
    for i in range(len(names)):
        layer.input_param.shape.add(dim=shapes[i].dim if shapes else dims[4 * i : 4 * i + 4])
    rest = list(net.layer)
    net.ClearField("layer")
    net.layer.extend([layer, *rest])
    return True


def upgrade_solver(solver: Any, source: str) -> None:
    """Upgrade a SolverParameter in place: the enum `solver_type` becomes `type`."""
    if solver.HasField("solver_type"):
        if solver.HasField("type"):
            raise InputError(f"{source}: has both type and solver_type")
        solver.type = list(SOLVER_TYPES)[solver.solver_type]
        solver.ClearField("solver_type")
