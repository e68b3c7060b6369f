"""Python layers of the package `deeplab_layers` read as the layer that they implement: its type and parameters."""

from __future__ import annotations

import ast
import json
from typing import Any

from .bvlc_schema import MODULE, PYTHON_TYPES
from .edits import Edits
from .messages import is_repeated, to_message
from .prototxt import Document
from .schema import LayerParameter
from .tree import Block
from .writer import quote


def layer_type(layer: Any) -> str:
    """The type of a LayerParameter; for a Python layer of `deeplab_layers`, the type that it implements."""
    if layer.type == "Python" and layer.python_param.module == MODULE:
        return str(layer.python_param.layer)
    return str(layer.type)


def parameters(layer: Any) -> dict[str, Any]:
    """The parameters of such a layer in either dialect, by field: numbers, words, or lists of them.

    Empty for other types, and for a param_str that is neither JSON nor a Python dict.
    """
    if layer.type == "Python":
        return parsed(layer.python_param.param_str)
    stated: dict[str, Any] = {}
    for name in PYTHON_TYPES.get(layer.type, ()):
        for descriptor, value in getattr(layer, name).ListFields():
            enum = descriptor.enum_type
            stated[descriptor.name] = enum.values_by_number[value].name if enum else value
    return stated


def native(layer: Any) -> Any:
    """A LayerParameter whose Python layer of ours is written as the type that it stands for; others as they are.

    Keys of its param_str that the type's messages do not have, or with values that do not fit, are left out.
    """
    if layer_type(layer) == layer.type:
        return layer
    changed = LayerParameter()
    changed.CopyFrom(layer)
    changed.ClearField("python_param")
    changed.type = layer_type(layer)
    for key, value in parameters(layer).items():
        for message in (getattr(changed, name) for name in PYTHON_TYPES.get(changed.type, ())):
            if key in message.DESCRIPTOR.fields_by_name:
                _set(message, key, value)
    return changed


def _set(message: Any, name: str, value: Any) -> None:
    descriptor = message.DESCRIPTOR.fields_by_name[name]
    try:
        if is_repeated(descriptor):
            getattr(message, name).extend(value if isinstance(value, list | tuple) else [value])
        elif descriptor.enum_type is not None and isinstance(value, str):
            setattr(message, name, descriptor.enum_type.values_by_name[value].number)
        else:
            setattr(message, name, value)
    except (TypeError, ValueError, KeyError):
        return


def parsed(param_str: str) -> dict[str, Any]:
    """A param_str as a dict; empty if it is not one."""
    for read in (json.loads, ast.literal_eval):
        try:
            value = read(param_str)
        except (ValueError, SyntaxError):
            continue
        return value if isinstance(value, dict) else {}
    return {}


def with_source(document: Document, source: str) -> str:
    """The text of a net, changed so that its first ImageSegData layer (of either dialect) reads another list.

    Raises:
        PrototxtError: the net has no such layer with a source.
    """
    edits = Edits(document)
    for field in document.root.all("layer"):
        if not isinstance(field.value, Block):
            continue
        layer = to_message(document, LayerParameter(), block=field.value)
        if layer_type(layer) != "ImageSegData" or "source" not in parameters(layer):
            continue
        if layer.type == "Python":
            stated = {**parameters(layer), "source": source}
            edits.set_value(field.within("python_param", "param_str"), quote(repr(stated)))
        else:
            edits.set_value(field.within("image_data_param", "source"), quote(source))
        return edits.apply()
    raise document.error(0, "the net has no ImageSegData layer with a source (the list of images)")
