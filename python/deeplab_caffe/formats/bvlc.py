"""Nets in the dialect of BVLC's Caffe 1.0: what it lacks is written as Python layers of the package `deeplab_layers`.

Only what must change is changed; comments, order and template variables stay. A net that cannot be said so is an error
that names the layer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from . import schema
from .edits import Edits
from .messages import StandIns, to_message
from .prototxt import Document
from .tree import Block, Field, Scalar, nearest, walk
from .writer import format_float, format_message

MODULE = "deeplab_layers"

#: the layer types of BVLC's Caffe 1.0
BVLC_TYPES = frozenset(
    """AbsVal Accuracy ArgMax BNLL BatchNorm BatchReindex Bias Clip Concat ContrastiveLoss Convolution Crop Data
    Deconvolution Dropout DummyData ELU Eltwise Embed EuclideanLoss Exp Filter Flatten HDF5Data HDF5Output HingeLoss
    Im2col ImageData InfogainLoss InnerProduct Input LRN LSTM LSTMUnit Log MVN MemoryData MultinomialLogisticLoss PReLU
    Parameter Pooling Power Python RNN ReLU Reduction Reshape SPP Scale Sigmoid SigmoidCrossEntropyLoss Silence Slice
    Softmax SoftmaxWithLoss Split Swish TanH Threshold Tile WindowData""".split()
)

#: the types that become Python layers of the same name, and the messages that hold their parameters
PYTHON_TYPES: Mapping[str, tuple[str, ...]] = {
    "AdaptiveBiasChannel": ("adaptive_bias_channel_param",),
    "BN": ("bn_param",),
    "BiasChannel": ("bias_channel_param",),
    "CensorLabel": ("censor_label_param",),
    "ChannelAggregator": ("channel_aggregator_param",),
    "DenseCRF": ("dense_crf_param",),
    "DomainTransform": ("domain_transform_param",),
    "DomainTransformForwardOnly": ("domain_transform_param",),
    "DominantChannel": ("dominant_channel_param",),
    "Histogram": ("histogram_param",),
    "IgnoreOverlay": ("ignore_overlay_param",),
    "ImageSegData": ("image_data_param", "transform_param"),
    "Interp": ("interp_param",),
    "MatRead": ("mat_read_param",),
    "MatWrite": ("mat_write_param",),
    "OneHot": ("onehot_param",),
    "Padding": ("padding_param",),
    "RelativeError": (),
    "SegAccuracy": ("seg_accuracy_param",),
    "SpatialProduct": (),
    "UniqueLabel": ("unique_label_param",),
    "Upsample": ("upsample_param",),
}

#: fields of our schema that BVLC's caffe.proto lacks, message by message
LACKING: Mapping[str, frozenset[str]] = {
    "LayerParameter": frozenset({name for names in PYTHON_TYPES.values() for name in names} | {"strict_dim"})
    - {"image_data_param", "transform_param"},
    "BatchNormParameter": frozenset({"update_global_stats"}),
    "ConvolutionParameter": frozenset({"hole", "hole_h", "hole_w"}),
    "ImageDataParameter": frozenset({"has_label", "ignore_label", "label_type", "max_labels"}),
    "TransformationParameter": frozenset({"crop_height", "crop_width", "scale_factors"}),
}

_NOT_LEARNED = "param { lr_mult: 0 decay_mult: 0 }"


def to_bvlc(document: Document) -> str:
    """The text of a net in the dialect of BVLC's Caffe 1.0; a solver's stays as it is.

    `document` is parsed without values for its variables. Raises PrototxtError for what BVLC's Caffe lacks and no
    Python layer does, and for `layers` of 2014, which must be upgraded first.
    """
    if old := document.root.all("layers"):
        raise document.error(old[0].start, "'layers' of 2014 must be upgraded first: deeplab prototxt upgrade")
    edits = Edits(document)
    for layer in document.root.all("layer"):
        if isinstance(layer.value, Block):
            _Layer(document, edits, layer.value).convert()
    return edits.apply()


def fields_lacking(message: Any) -> Iterable[str]:
    """`Message.field` for every field of a message, and of those within, that BVLC's caffe.proto lacks."""
    name = message.DESCRIPTOR.name
    for descriptor, value in message.ListFields():
        if descriptor.name in LACKING.get(name, ()):
            yield f"{name}.{descriptor.name}"
        elif descriptor.message_type is not None:
            for inner in value if not hasattr(value, "ListFields") else [value]:
                yield from fields_lacking(inner)


class _Layer:
    """One layer that is written anew, as far as that is needed."""

    def __init__(self, document: Document, edits: Edits, block: Block) -> None:
        self.document, self.edits, self.block = document, edits, block
        self.type = block.text_of("type") or ""
        #: fields that the Python layer's param_str replaces
        self.replaced: list[Field] = []

    def convert(self) -> None:
        if self.type in PYTHON_TYPES:
            self._write_python_layer()
        elif self.type not in BVLC_TYPES and "${" not in self.type:
            known = sorted(BVLC_TYPES | set(PYTHON_TYPES))
            raise self.document.error(
                self._field("type").start,
                f"BVLC's Caffe has no layer type '{self.type}', nor has {MODULE}{nearest(self.type, known)}",
            )
        if self.type == "SoftmaxWithLoss" and len(self.block.all("top")) > 1:
            raise self.document.error(self.block.start, "BVLC's Caffe cannot set up a SoftmaxWithLoss with two tops")
        self._check(self.block, schema.LayerParameter.DESCRIPTOR)

    def _field(self, name: str) -> Field:
        """The last field of that name, or the layer's first."""
        return self.block.last(name) or self.block.fields[0]

    # -- Python layers

    def _write_python_layer(self) -> None:
        names = PYTHON_TYPES[self.type]
        self.replaced = [f for f in self.block.fields if f.name in names]
        layer = schema.LayerParameter()
        layer.python_param.module, layer.python_param.layer = MODULE, self.type
        if parameters := self._parameters():
            layer.python_param.param_str = parameters
        text = format_message(layer).rstrip("\n")
        self.edits.set_value(self._field("type"), '"Python"')
        if self.replaced:
            self.edits.put(self.replaced[0], text)
            self.edits.remove_all(self.replaced[1:])
        else:
            self.edits.append(self.block, text)
        if self.type == "BN" and "bn_mode" not in parameters and "scale_filler" not in parameters:
            self._fix_statistics()

    def _parameters(self) -> str:
        """The parameters stated, as the text of a Python dict; empty if there are none."""
        stand_ins, merged = StandIns(), {}
        layer = to_message(
            self.document, schema.LayerParameter(), block=Block(self.replaced), stand_ins=stand_ins
        )
        for name in PYTHON_TYPES[self.type]:
            merged.update(_stated(getattr(layer, name), stand_ins))
        text = "{" + ", ".join(f"{key!r}: {value}" for key, value in merged.items()) + "}" if merged else ""
        for item in walk(self.replaced):
            written = item.value.text if isinstance(item.value, Scalar) else item.name
            if "${" in written and written not in text:
                raise self.document.error(item.start, f"{written} must have a value before this layer can be converted")
        return text

    def _fix_statistics(self) -> None:
        """PSPNet's BN: the stored mean and variance, parameters 2 and 3, are not learned."""
        stated = self.block.all("param")
        if len(stated) > 3:
            return
        lines = ["param {}"] * max(0, 2 - len(stated)) + [_NOT_LEARNED] * min(2, 4 - len(stated))
        self.edits.insert_after(stated[-1] if stated else self._field("type"), "\n".join(lines))

    # -- what BVLC's Caffe does not know

    def _check(self, block: Block, descriptor: Any) -> None:
        for item in block.fields:
            if any(item is other for other in self.replaced):
                continue
            if item.name in LACKING.get(descriptor.name, ()):
                self._leave_out(item, descriptor.name)
            elif isinstance(item.value, Block) and item.name in descriptor.fields_by_name:
                inner = descriptor.fields_by_name[item.name].message_type
                if inner is not None:
                    self._check(item.value, inner)

    def _leave_out(self, item: Field, message: str) -> None:
        """Take out a field that says nothing; refuse one that does."""
        says_nothing = {"update_global_stats": "false"}
        if isinstance(item.value, Scalar) and says_nothing.get(item.name) == item.value.text:
            self.edits.remove(item)
            return
        raise self.document.error(
            item.start, f"BVLC's {message} has no field '{item.name}', and a layer of type {self.type} needs it there"
        )


def _stated(message: Any, stand_ins: StandIns) -> dict[str, str]:
    """The stated fields of a message, each as the text of a Python value."""
    return {
        descriptor.name: _listed(descriptor, value, stand_ins) for descriptor, value in message.ListFields()
    }


def _listed(descriptor: Any, value: Any, stand_ins: StandIns) -> str:
    if descriptor.message_type is not None:
        inner = _stated(value, stand_ins)
        return "{" + ", ".join(f"{key!r}: {text}" for key, text in inner.items()) + "}"
    if isinstance(value, (str, bytes)) or not hasattr(value, "__len__"):
        return _scalar(descriptor, value, stand_ins)
    return "[" + ", ".join(_scalar(descriptor, item, stand_ins) for item in value) + "]"


def _scalar(descriptor: Any, value: Any, stand_ins: StandIns) -> str:
    if isinstance(value, (int, float)) and value in stand_ins.texts:
        return stand_ins.texts[int(value)]
    if descriptor.enum_type is not None:
        return repr(descriptor.enum_type.values_by_number[value].name)
    if isinstance(value, float):
        return format_float(float(np.float32(value)))
    return repr(value)
