"""Convert nets to the dialect of BVLC's Caffe 1.0; layers that it lacks become Python layers of `deeplab_layers`.

Only what must change is changed; comments, order and template variables stay. A net that cannot be converted is an
error that names the layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import schema
from .bvlc_schema import BVLC_TYPES, LACKING, MODULE, PYTHON_TYPES, REFUSED_TYPES
from .edits import Edits
from .foreign_fields import about as field_about
from .foreign_types import about
from .messages import to_message
from .placeholders import Placeholders
from .prototxt import Document
from .scalar_values import is_repeated
from .tree import Block, Field, Scalar, walk
from .upgrade_text import upgrade_document
from .writer import format_float, format_message

#: the loss of DeepLab's first release with class weights or several ignored labels
_WEIGHTED_LOSS = "WeightedSoftmaxWithLoss"
_NOT_LEARNED = "param { lr_mult: 0 decay_mult: 0 }"
_WITHOUT_EFFECT = {"update_global_stats": "false", "apply_exif": "false"}


def to_bvlc(document: Document) -> str:
    """The text of a net of any dialect, converted to that of BVLC's Caffe 1.0; a solver stays as it is.

    Args:
        document: a document that was parsed without values for its template variables.

    Raises:
        InputError: the net has a layer or field that neither BVLC's Caffe nor a Python layer supports.
    """
    losses: dict[str, str] = {}
    if document.root.all("layers"):  # of 2014; BVLC's Caffe reads them, except DeepLab's own
        document, losses = _without_weighted_losses(document)
        document = Document(upgrade_document(document).text, document.filename)
    edits = Edits(document)
    for layer in document.root.all("layer"):
        if isinstance(layer.value, Block):
            _Layer(document, edits, layer.value, losses).convert()
    return edits.apply()


def _without_weighted_losses(document: Document) -> tuple[Document, dict[str, str]]:
    """The document without each softmaxloss_param that SoftmaxWithLoss lacks; these as param_str, by layer name."""
    losses: dict[str, str] = {}
    edits = Edits(document)
    for layer in document.root.all("layers"):
        stated = layer.value.last("softmaxloss_param") if isinstance(layer.value, Block) else None
        if stated is None or not isinstance(stated.value, Block) or not isinstance(layer.value, Block):
            continue
        if stated.value.all("weight_source") or len(stated.value.all("ignore_label")) > 1:
            placeholders = Placeholders()
            message = to_message(document, schema.SoftmaxLossParameter(), block=stated.value, placeholders=placeholders)
            losses[layer.value.text_of("name") or ""] = _as_dict(_stated(message, placeholders))
            edits.remove(stated)
    return (Document(edits.apply(), document.filename) if losses else document), losses


class _Layer:
    """One layer, rewritten as far as needed."""

    def __init__(self, document: Document, edits: Edits, block: Block, losses: Mapping[str, str]) -> None:
        self.document, self.edits, self.block = document, edits, block
        self.type = block.text_of("type") or ""
        self.loss = losses.get(block.text_of("name") or "")
        #: fields that the Python layer's param_str replaces
        self.replaced: list[Field] = []

    def convert(self) -> None:
        if self.type in PYTHON_TYPES:
            self._write_python_layer(self.type, self._parameters())
        elif self.type == "SoftmaxWithLoss" and self.loss:
            self._write_weighted_loss(self.loss)
        elif self.type not in BVLC_TYPES and "${" not in self.type:
            hint = "" if self.type in REFUSED_TYPES else about(self.type)
            raise self.document.error(
                self._field("type").start,
                f"neither BVLC's Caffe nor {MODULE} has a layer type '{self.type}'{hint}",
            )
        if self.type == "SoftmaxWithLoss" and len(self.block.all("top")) > 1:
            raise self.document.error(self.block.start, "BVLC's Caffe does not support a SoftmaxWithLoss with two tops")
        self._check(self.block, schema.LayerParameter.DESCRIPTOR)

    def _field(self, name: str) -> Field:
        """The last field of that name, or the layer's first."""
        return self.block.last(name) or self.block.fields[0]

    # -- Python layers

    def _write_python_layer(self, name: str, parameters: str) -> None:
        layer = schema.LayerParameter()
        layer.python_param.module, layer.python_param.layer = MODULE, name
        if parameters:
            layer.python_param.param_str = parameters
        text = format_message(layer).rstrip("\n")
        self.edits.set_value(self._field("type"), '"Python"')
        if self.replaced:
            self.edits.put(self.replaced[0], text)
            self.edits.remove_all(self.replaced[1:])
        else:
            self.edits.append(self.block, text)
        if name == "BN" and "bn_mode" not in parameters and "scale_filler" not in parameters:
            self._fix_statistics()

    def _parameters(self) -> str:
        """The given parameters as the text of a Python dict; empty if there are none."""
        names = PYTHON_TYPES[self.type]
        self.replaced = [f for f in self.block.fields if f.name in names]
        placeholders, stated = Placeholders(), {}
        block = Block(self.replaced)
        layer = to_message(self.document, schema.LayerParameter(), block=block, placeholders=placeholders)
        for name in names:
            stated.update(_stated(getattr(layer, name), placeholders))
        text = _as_dict(stated) if stated else ""
        for item in walk(self.replaced):
            written = item.value.text if isinstance(item.value, Scalar) else item.name
            if "${" in written and written not in text:
                raise self.document.error(item.start, f"set {written} to a value before converting this layer")
        return text

    def _write_weighted_loss(self, parameters: str) -> None:
        """A Python layer is not a loss by default: it needs a top, and loss_weight 1."""
        if not self.block.all("top"):
            self.edits.insert_after(self._field("bottom"), f'top: "{self.block.text_of("name")}"')
        if not self.block.all("loss_weight"):
            self.edits.insert_after(self._field("type"), "loss_weight: 1")
        self._write_python_layer(_WEIGHTED_LOSS, parameters)

    def _fix_statistics(self) -> None:
        """PSPNet's BN: the stored mean and variance, parameters 2 and 3, are not learnable."""
        stated = self.block.all("param")
        if len(stated) > 3:
            return
        lines = ["param {}"] * max(0, 2 - len(stated)) + [_NOT_LEARNED] * min(2, 4 - len(stated))
        self.edits.insert_after(stated[-1] if stated else self._field("type"), "\n".join(lines))

    # -- fields that BVLC's Caffe lacks

    def _check(self, block: Block, descriptor: Any) -> None:
        for item in block.fields:
            if any(item is other for other in self.replaced):
                continue
            if item.name in LACKING.get(descriptor.name, ()):
                self._remove_or_refuse(item, descriptor.name)
            elif item.name not in descriptor.fields_by_name and not item.is_template and "${" not in item.name:
                known = field_about(descriptor.name, item.name)
                raise self.document.error(item.start, known or f"{descriptor.name} has no field '{item.name}'")
            elif isinstance(item.value, Block) and item.name in descriptor.fields_by_name:
                inner = descriptor.fields_by_name[item.name].message_type
                if inner is not None:
                    self._check(item.value, inner)

    def _remove_or_refuse(self, item: Field, message: str) -> None:
        """Remove a field that has no effect; refuse any other."""
        if isinstance(item.value, Scalar) and _WITHOUT_EFFECT.get(item.name) == item.value.text:
            self.edits.remove(item)
            return
        raise self.document.error(
            item.start, f"BVLC's {message} has no field '{item.name}'; a {self.type} layer with it cannot be converted"
        )


def _as_dict(stated: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{name!r}: {text}" for name, text in stated.items()) + "}"


def _stated(message: Any, placeholders: Placeholders) -> dict[str, str]:
    """The fields that a message has, each as the text of a Python value."""
    return {descriptor.name: _value(descriptor, value, placeholders) for descriptor, value in message.ListFields()}


def _value(descriptor: Any, value: Any, placeholders: Placeholders) -> str:
    if descriptor.message_type is not None:
        return _as_dict(_stated(value, placeholders))
    if is_repeated(descriptor):
        return "[" + ", ".join(_scalar(descriptor, item, placeholders) for item in value) + "]"
    return _scalar(descriptor, value, placeholders)


def _scalar(descriptor: Any, value: Any, placeholders: Placeholders) -> str:
    if isinstance(value, (int, float)) and value in placeholders.texts:
        return placeholders.texts[int(value)]
    if descriptor.enum_type is not None:
        return repr(descriptor.enum_type.values_by_number[value].name)
    if isinstance(value, float):
        return format_float(value)
    return repr(value)
