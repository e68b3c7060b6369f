"""Python layers of the package `deeplab_layers` read as the layer that they implement: its type and parameters."""

from __future__ import annotations

import ast
import json
from typing import Any

from .bvlc_schema import MODULE, PYTHON_TYPES
from .edits import Edits
from .messages import to_message
from .prototxt import Document
from .scalar_values import is_repeated
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
    """A LayerParameter of `deeplab_layers` as one of the type that it implements, in a copy; others as they are."""
    if layer_type(layer) == layer.type:
        return layer
    changed = LayerParameter()
    changed.CopyFrom(layer)
    to_native(changed)
    return changed


#: parameters of the Python layers alone: a Caffe has settings of its own for them
_PYTHONS_OWN = frozenset({"seed", "phase"})


def to_native(layer: Any) -> bool:
    """Turn a LayerParameter of `deeplab_layers` into one of the type that it implements, in place.

    Returns:
        Whether it is one now; False for any other layer, and for a param_str that does not fit the type.

    Example:
        >>> layer = LayerParameter(type="Python")
        >>> layer.python_param.module, layer.python_param.layer = "deeplab_layers", "Interp"
        >>> layer.python_param.param_str = '{"zoom_factor": 8}'
        >>> to_native(layer), layer.type, layer.interp_param.zoom_factor
        (True, 'Interp', 8)
    """
    name = layer_type(layer)
    if layer.type != "Python" or name not in PYTHON_TYPES:
        return False
    native = LayerParameter()
    native.CopyFrom(layer)
    native.ClearField("python_param")
    native.type = name
    messages = [getattr(native, field) for field in reversed(PYTHON_TYPES[name])]  # transform_param comes first
    stated = {key: value for key, value in parameters(layer).items() if key not in _PYTHONS_OWN}
    try:
        for key, value in stated.items():
            _set(next(m for m in messages if key in m.DESCRIPTOR.fields_by_name), key, value)
    except (StopIteration, TypeError, ValueError, AttributeError):  # the Python layer itself says what is wrong
        return False
    layer.CopyFrom(native)
    return True


def _set(message: Any, name: str, value: Any) -> None:
    """Set a field of a message to a value of a param_str: a number, a word, a dict, or a list of them."""
    descriptor = message.DESCRIPTOR.fields_by_name[name]
    if descriptor.message_type is not None:
        for key, inner in value.items():
            _set(getattr(message, name), key, inner)
        return
    if descriptor.enum_type is not None:
        value = (
            descriptor.enum_type.values_by_name[value].number if value in descriptor.enum_type.values_by_name else None
        )
    if is_repeated(descriptor):
        getattr(message, name).extend(value if isinstance(value, (list, tuple)) else [value])
    elif value is None:
        raise ValueError(name)
    else:
        setattr(message, name, value)


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
