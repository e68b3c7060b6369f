"""Upgrade layers of 2013 (V0: one flat message, types in lower case) and 2014 (V1: enum types).

Mirrors `upgrade_proto.cpp`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

from ..errors import InputError
from . import schema
from .wiring import Wiring

#: V0's type → V1's
V0_TYPES = {
    "accuracy": "ACCURACY", "bnll": "BNLL", "concat": "CONCAT", "conv": "CONVOLUTION", "data": "DATA",
    "dropout": "DROPOUT", "euclidean_loss": "EUCLIDEAN_LOSS", "flatten": "FLATTEN", "hdf5_data": "HDF5_DATA",
    "hdf5_output": "HDF5_OUTPUT", "im2col": "IM2COL", "images": "IMAGE_DATA", "infogain_loss": "INFOGAIN_LOSS",
    "innerproduct": "INNER_PRODUCT", "lrn": "LRN", "multinomial_logistic_loss": "MULTINOMIAL_LOGISTIC_LOSS",
    "pool": "POOLING", "relu": "RELU", "sigmoid": "SIGMOID", "softmax": "SOFTMAX", "softmax_loss": "SOFTMAX_LOSS",
    "split": "SPLIT", "tanh": "TANH", "window_data": "WINDOW_DATA",
}  # fmt: skip
#: V1's type → today's
V1_TYPES = {
    "NONE": "", "ABSVAL": "AbsVal", "ACCURACY": "Accuracy", "ARGMAX": "ArgMax", "BNLL": "BNLL", "CONCAT": "Concat",
    "CONTRASTIVE_LOSS": "ContrastiveLoss", "CONVOLUTION": "Convolution", "DECONVOLUTION": "Deconvolution",
    "DATA": "Data", "DROPOUT": "Dropout", "DUMMY_DATA": "DummyData", "EUCLIDEAN_LOSS": "EuclideanLoss",
    "ELTWISE": "Eltwise", "EXP": "Exp", "FLATTEN": "Flatten", "HDF5_DATA": "HDF5Data", "HDF5_OUTPUT": "HDF5Output",
    "HINGE_LOSS": "HingeLoss", "IM2COL": "Im2col", "IMAGE_DATA": "ImageData", "INFOGAIN_LOSS": "InfogainLoss",
    "INNER_PRODUCT": "InnerProduct", "LRN": "LRN", "MEMORY_DATA": "MemoryData",
    "MULTINOMIAL_LOGISTIC_LOSS": "MultinomialLogisticLoss", "MVN": "MVN", "POOLING": "Pooling", "POWER": "Power",
    "RELU": "ReLU", "SIGMOID": "Sigmoid", "SIGMOID_CROSS_ENTROPY_LOSS": "SigmoidCrossEntropyLoss",
    "SILENCE": "Silence", "SLICE": "Slice", "SOFTMAX": "Softmax", "SOFTMAX_LOSS": "SoftmaxWithLoss",
    "SPLIT": "Split", "TANH": "TanH", "THRESHOLD": "Threshold", "WINDOW_DATA": "WindowData",
    # of other Caffes of that time: FCN's, SegNet's and DeconvNet's
    "BN": "BN", "CROP": "Crop", "UNPOOLING": "Unpooling", "UPSAMPLE": "Upsample",
}  # fmt: skip

_WEIGHTED = {"conv": "convolution_param", "innerproduct": "inner_product_param"}
_SLIDING = {"conv": "convolution_param", "pool": "pooling_param"}
_SOURCES = {
    "data": "data_param", "hdf5_data": "hdf5_data_param", "images": "image_data_param",
    "window_data": "window_data_param", "infogain_loss": "infogain_loss_param",
}  # fmt: skip
_BATCHED = {kind: message for kind, message in _SOURCES.items() if kind != "infogain_loss"}
_LRN = {"lrn": "lrn_param"}
_IMAGES = {"images": "image_data_param"}
_WINDOW = {"window_data": "window_data_param"}
#: V0's field → its name today, and by type the message that has it ("" for any type)
V0_FIELDS: dict[str, tuple[str, dict[str, str]]] = {
    "num_output": ("num_output", _WEIGHTED),
    "biasterm": ("bias_term", _WEIGHTED),
    "weight_filler": ("weight_filler", _WEIGHTED),
    "bias_filler": ("bias_filler", _WEIGHTED),
    "pad": ("pad", _SLIDING),
    "kernelsize": ("kernel_size", _SLIDING),
    "stride": ("stride", _SLIDING),
    "group": ("group", {"conv": "convolution_param"}),
    "pool": ("pool", {"pool": "pooling_param"}),
    "dropout_ratio": ("dropout_ratio", {"dropout": "dropout_param"}),
    "local_size": ("local_size", _LRN),
    "alpha": ("alpha", _LRN),
    "beta": ("beta", _LRN),
    "k": ("k", _LRN),
    "source": ("source", _SOURCES),
    "batchsize": ("batch_size", _BATCHED),
    "rand_skip": ("rand_skip", {"data": "data_param", **_IMAGES}),
    "shuffle_images": ("shuffle", _IMAGES),
    "new_height": ("new_height", _IMAGES),
    "new_width": ("new_width", _IMAGES),
    "concat_dim": ("concat_dim", {"concat": "concat_param"}),
    "det_fg_threshold": ("fg_threshold", _WINDOW),
    "det_bg_threshold": ("bg_threshold", _WINDOW),
    "det_fg_fraction": ("fg_fraction", _WINDOW),
    "det_context_pad": ("context_pad", _WINDOW),
    "det_crop_mode": ("crop_mode", _WINDOW),
    "scale": ("scale", {"": "transform_param"}),
    "meanfile": ("mean_file", {"": "transform_param"}),
    "cropsize": ("crop_size", {"": "transform_param"}),
    "mirror": ("mirror", {"": "transform_param"}),
}
V0_LAYER_LEVEL = ("name", "type", "blobs", "blobs_lr", "weight_decay", "hdf5_output_param")
#: fields of V1's data layers that moved to transform_param
MOVED = ("scale", "mean_file", "crop_size", "mirror")
V1_DATA = {"DATA": "data_param", "IMAGE_DATA": "image_data_param", "WINDOW_DATA": "window_data_param"}
_V1_OWN_FIELDS = ("layer", "type", "blobs_lr", "weight_decay", "param", "blob_share_mode")


def is_v0(layers: Iterable[Any]) -> bool:
    """Whether any element of `layers` is a V0 connection around a `layer`."""
    return any(layer.HasField("layer") for layer in layers)


def without_padding(layers: list[Any], source: str) -> tuple[list[Any], list[int]]:
    """V0's layers without type "padding", whose pad moves to the conv or pool behind, and their old indices."""
    wiring = Wiring(layers, one_state=True)
    kept, places = [], []
    for place, connection in enumerate(layers):
        copy = schema.V1LayerParameter()
        copy.CopyFrom(connection)
        for i, makers in enumerate(wiring.makers[place]):
            padding = layers[makers[0][0]] if makers else None
            if padding is None or padding.layer.type != "padding":
                continue
            if copy.layer.type not in _SLIDING or len(copy.bottom) != 1 or len(padding.bottom) != 1:
                raise InputError(
                    f"{source}: layer '{copy.layer.name}' ({copy.layer.type}): a layer of type padding "
                    f"('{padding.layer.name}') must have one bottom and feed a conv or pool layer with one bottom"
                )
            copy.layer.pad = padding.layer.pad
            copy.bottom[i] = padding.bottom[0]
        if copy.layer.type != "padding":
            kept.append(copy)
            places.append(place)
    return kept, places


def v0_to_v1(connection: Any, source: str) -> Any:
    """A V1 layer from a V0 connection; a field that its type does not have is dropped with a warning."""
    old = connection.layer
    new = schema.V1LayerParameter(bottom=connection.bottom, top=connection.top)
    where = f"{source}: layer '{old.name}' ({old.type}): "
    if old.HasField("type"):
        if old.type not in V0_TYPES:
            raise InputError(f"{where}unknown type; the types of 2013 are {', '.join(sorted(V0_TYPES))}, padding")
        new.type = schema.V1LayerParameter.LayerType.Value(V0_TYPES[old.type])
    if old.HasField("name"):
        new.name = old.name
    for field in ("blobs", "blobs_lr", "weight_decay"):
        getattr(new, field).extend(getattr(old, field))
    for descriptor, value in old.ListFields():
        name = descriptor.name
        if name == "hdf5_output_param" and old.type == "hdf5_output":
            new.hdf5_output_param.CopyFrom(value)
        elif name not in V0_LAYER_LEVEL or name == "hdf5_output_param":
            _place(new, old.type, name, value, where)
    return new


def _place(new: Any, kind: str, name: str, value: Any, where: str) -> None:
    field, messages = V0_FIELDS.get(name, ("", {}))
    message = messages.get(kind) or messages.get("")
    if message is None:
        warnings.warn(f"{where}this type has no field '{name}'; it is dropped", stacklevel=2)
        return
    target = getattr(new, message)
    current = getattr(target, field)
    if hasattr(current, "CopyFrom"):
        current.CopyFrom(value)
    elif hasattr(current, "append"):
        current.append(value)
    else:
        setattr(target, field, value)


def move_transformation(layer: Any) -> None:
    """Move scale, mean file, crop size and mirror of a V1 data layer to its transform_param (in place)."""
    message = V1_DATA.get(schema.V1LayerParameter.LayerType.Name(layer.type))
    if message is None or not layer.HasField(message):
        return
    own = getattr(layer, message)
    for field in MOVED:
        if own.HasField(field):
            setattr(layer.transform_param, field, getattr(own, field))
            own.ClearField(field)


def v1_to_v2(old: Any, source: str) -> Any:
    """Today's LayerParameter from a V1 layer."""
    new = schema.LayerParameter()
    if old.HasField("layer"):
        raise InputError(f"{source}: layer '{old.name}': has a layer of 2013 within one of 2014")
    if old.HasField("type"):
        new.type = V1_TYPES[schema.V1LayerParameter.LayerType.Name(old.type)]
    for descriptor, value in old.ListFields():
        if descriptor.name in _V1_OWN_FIELDS:
            continue
        target = getattr(new, descriptor.name)
        if hasattr(target, "extend"):
            target.extend(value)
        elif hasattr(target, "CopyFrom"):
            target.CopyFrom(value)
        else:
            setattr(new, descriptor.name, value)
    _param_specs(old, new)
    return new


def _param_specs(old: Any, new: Any) -> None:
    """The four parallel lists of V1 as one ParamSpec for each parameter."""
    lists = {
        "name": old.param, "share_mode": old.blob_share_mode, "lr_mult": old.blobs_lr, "decay_mult": old.weight_decay,
    }  # fmt: skip
    for i in range(max(len(values) for values in lists.values())):
        spec = new.param.add()
        for field, values in lists.items():
            if i < len(values):
                setattr(spec, field, values[i])
