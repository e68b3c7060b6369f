"""Upgrade layers in the dialect of DeepLab's first release.

That release was based on the Caffe of 2014: nets are `layers` with enum types. It added types and messages of its own,
and fields in common messages (`hole`, `has_label`). A net with any of these is read by its rules, which differ from
those of BVLC's nets of 2014 for ArgMax and the losses.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from typing import Any

from ..errors import InputError
from . import schema
from .upgrade_layers import v1_to_v2

#: gives the place of a field, `file:line:column`, from the index of its layer and the path of field names
Where = Callable[..., str]

#: the release's own types → today's; "" if there is none
TYPES = {
    "IMAGE_SEG_DATA": "ImageSegData", "SEG_ACCURACY": "SegAccuracy", "INTERP": "Interp", "PADDING": "Padding",
    "MAT_WRITE": "MatWrite", "MAT_READ": "MatRead", "DENSE_CRF": "DenseCRF", "DOMINANT_CHANNEL": "DominantChannel",
    "BIAS_CHANNEL": "BiasChannel", "UNIQUE_LABEL": "UniqueLabel", "CENSOR_LABEL": "CensorLabel",
    "ADAPTIVE_BIAS_CHANNEL": "AdaptiveBiasChannel", "CHANNEL_AGGREGATOR": "ChannelAggregator",
    "IGNORE_OVERLAY": "IgnoreOverlay", "HISTOGRAM": "Histogram", "RELATIVE_ERROR": "RelativeError",
    "GAIN_CHANNEL": "", "ONEHOT": "OneHot",
}  # fmt: skip
#: the release's own fields of a layer
_FIELDS = {
    "strict_dim", "seg_accuracy_param", "interp_param", "softmaxloss_param", "padding_param", "mat_write_param",
    "mat_read_param", "dense_crf_param", "dominant_channel_param", "bias_channel_param", "unique_label_param",
    "censor_label_param", "adaptive_bias_channel_param", "channel_aggregator_param", "ignore_overlay_param",
    "histogram_param", "euclidean_loss_param", "gain_channel_param", "onehot_param",
}  # fmt: skip
#: its fields in messages that today's nets have too → what to use instead
_INNER = {
    "convolution_param": {
        "hole": "use 'dilation'",
        "hole_h": "use the first of two values of 'dilation'",
        "hole_w": "use the second of two values of 'dilation'",
    },
    "image_data_param": {
        "has_label": "remove it; for a list without labels use 'label_type: NONE'",
        "max_labels": "remove it; it never had an effect",
    },
}


def is_deeplab_v1(layers: Iterable[Any]) -> bool:
    """Whether any of `layers` has a type or a field that only the dialect of DeepLab's first release has."""
    return any(
        _type_name(layer) in TYPES
        or any(layer.HasField(name) for name in _FIELDS)
        or any(_inner_fields(layer))
        or _is_memory_with_sizes(layer)
        for layer in layers
    )


def _is_memory_with_sizes(layer: Any) -> bool:
    """Whether this is a MEMORY_DATA of later deploy nets: with a third top, the image sizes before padding."""
    return _type_name(layer) == "MEMORY_DATA" and len(layer.top) == 3


def refuse_in_today(layers: Iterable[Any], where: Where) -> None:
    """Raise InputError for a field of this release in a net of today's form."""
    for place, layer in enumerate(layers):
        for message, name in _inner_fields(layer):
            raise InputError(
                f"{where(place, message, name)}: layer '{layer.name}' ({layer.type}): '{name}' belongs to the 'layers' "
                f"of DeepLab's first release: {_INNER[message][name]}"
            )


def _inner_fields(layer: Any) -> Iterable[tuple[str, str]]:
    """(message, field) of this release's own fields in messages of the layer."""
    for message, names in _INNER.items():
        if layer.HasField(message):
            yield from ((message, name) for name in names if getattr(layer, message).HasField(name))


def _type_name(layer: Any) -> str:
    return str(schema.V1LayerParameter.LayerType.Name(layer.type)) if layer.HasField("type") else ""


def deeplab_v1_to_v2(layers: list[Any], places: list[int], where: Where) -> list[Any]:
    """Today's LayerParameters from the layers of such a net. Warns if `has_label: false` changes the labels.

    Args:
        layers: the old layers.
        places: their indices in the file.
        where: see `upgrade_net`.

    Raises:
        InputError: a part has no counterpart: GAIN_CHANNEL, EUCLIDEAN_LOSS, or a softmaxloss_param with class weights
            or several ignored labels.
    """
    upgraded = [_Layer(layer, place, where).upgraded() for layer, place in zip(layers, places, strict=True)]
    _stop_label_gradients(upgraded)
    return upgraded


def _stop_label_gradients(layers: Iterable[Any]) -> None:
    """Switch off the gradient of labels that the net computes from learned layers, as in weak supervision.

    This release's loss never computed a gradient of its labels; today's fails if it is requested.
    """
    learned: set[str] = set()
    for layer in layers:
        if layer.type == "SoftmaxWithLoss" and len(layer.bottom) > 1 and layer.bottom[1] in learned:
            layer.propagate_down.extend([True, False])
        if layer.type in ("Convolution", "InnerProduct") or learned.intersection(layer.bottom):
            learned.update(layer.top)


class _Layer:
    """One layer during its upgrade: `old` is a copy from which, step by step, this release's own fields are removed."""

    def __init__(self, layer: Any, place: int, where: Where) -> None:
        self.old = schema.V1LayerParameter()
        self.old.CopyFrom(layer)
        self.kind = _type_name(layer)
        self.place = place
        self.where = where

    def message(self, text: str, *path: str) -> str:
        return f"{self.where(self.place, *path)}: layer '{self.old.name}' ({self.kind}): {text}"

    def error(self, text: str, *path: str) -> InputError:
        return InputError(self.message(text, *path))

    def warn(self, text: str, *path: str) -> None:
        warnings.warn(self.message(text, *path), stacklevel=2)

    def upgraded(self) -> Any:
        self.check()
        self.holes()
        self.ignored_label()
        self.labels()
        if self.kind == "ARGMAX" and not self.old.argmax_param.HasField("axis"):
            self.old.argmax_param.axis = 1  # in this release always per pixel
        if self.old.strict_dim:
            self.old.ClearField("strict_dim")
        if self.kind in TYPES:
            self.old.ClearField("type")
        new = v1_to_v2(self.old, self.where(self.place))
        new.type = TYPES.get(self.kind, new.type)
        if _is_memory_with_sizes(self.old):
            self.as_input(new)
        return new

    def as_input(self, new: Any) -> None:
        """Turn data, label and data_dim, which the program fills, into an Input with their shapes."""
        p = self.old.memory_data_param
        new.type = "Input"
        new.ClearField("memory_data_param")
        n = p.batch_size
        for dims in ((n, p.channels, p.height, p.width), (n, 1, 1, 1), (n, 1, 1, 2)):
            new.input_param.shape.add(dim=dims)
        names = ", ".join(f"'{top}'" for top in new.top)
        self.warn(f"becomes an Input, whose blobs ({names}) the program must fill: MemoryData has no third top", "type")
        if self.old.HasField("transform_param"):
            self.warn("an Input transforms nothing: the program must subtract the mean and scale", "transform_param")

    def check(self) -> None:
        """Raise InputError for what no layer of today supports."""
        if self.kind == "GAIN_CHANNEL" or self.old.HasField("gain_channel_param"):
            path = "type" if self.kind == "GAIN_CHANNEL" else "gain_channel_param"
            raise self.error("GAIN_CHANNEL has no counterpart today; remove it, or use a Scale layer", path)
        if self.kind == "EUCLIDEAN_LOSS" or self.old.HasField("euclidean_loss_param"):
            path = "type" if self.kind == "EUCLIDEAN_LOSS" else "euclidean_loss_param"
            raise self.error(
                "DeepLab's first release divides this loss by the number of values, today's EuclideanLoss by the "
                "number of items: write the net with 'layer', and divide loss_weight by C*H*W",
                path,
            )

    def holes(self) -> None:
        """hole, or hole_h and hole_w, become dilation."""
        if not self.old.HasField("convolution_param"):
            return
        p = self.old.convolution_param
        given = [name for name in _INNER["convolution_param"] if p.HasField(name)]
        if not given:
            return
        if p.dilation or ("hole" in given and len(given) > 1):
            named = ", ".join([*given, *(["dilation"] if p.dilation else [])])
            raise self.error(f"has {named}; expected either hole, or hole_h and hole_w", "convolution_param", given[-1])
        values = [p.hole] if "hole" in given else [p.hole_h, p.hole_w]
        p.dilation.extend(values if len(set(values)) > 1 else values[:1])
        for name in given:
            p.ClearField(name)

    def ignored_label(self) -> None:
        """softmaxloss_param becomes loss_param; its default, VALID, is the normalization of this release."""
        if not self.old.HasField("softmaxloss_param"):
            return
        p = self.old.softmaxloss_param
        if p.weight_source:
            raise self.error(
                f"weight_source '{p.weight_source}': SoftmaxWithLoss does not support class weights; use InfogainLoss "
                "with a diagonal matrix",
                "softmaxloss_param",
                "weight_source",
            )
        if len(p.ignore_label) > 1:
            labels = ", ".join(map(str, p.ignore_label))
            raise self.error(
                f"ignores several labels ({labels}); SoftmaxWithLoss supports one: use one number for all of them in "
                "the label files",
                "softmaxloss_param",
                "ignore_label",
            )
        if self.old.HasField("loss_param"):
            raise self.error("has both softmaxloss_param and loss_param", "softmaxloss_param")
        if p.ignore_label:
            self.old.loss_param.ignore_label = p.ignore_label[0]
        self.old.ClearField("softmaxloss_param")

    def labels(self) -> None:
        """has_label: false becomes label_type NONE, unless there is a label_type; max_labels is removed.

        This release ignored both fields: without a label_type its lists had to have labels, which became 0.
        """
        if not self.old.HasField("image_data_param"):
            return
        p = self.old.image_data_param
        if not p.has_label and not p.HasField("label_type"):
            p.label_type = p.NONE
            self.warn(
                f"has_label is false: labels are not read (label_type: NONE), all pixels get {p.ignore_label}; "
                "DeepLab's first release ignored has_label, and they got 0",
                "image_data_param",
                "has_label",
            )
        p.ClearField("has_label")
        p.ClearField("max_labels")
