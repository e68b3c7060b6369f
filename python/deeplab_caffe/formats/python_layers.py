"""Python layers that are known, read as the layer that they implement: its type and parameters.

Known are those of the package `deeplab_layers`, and Faster R-CNN's proposal layer.
"""

from __future__ import annotations

import ast
import json
import re
from typing import Any

from .bvlc_schema import MODULE, PYTHON_TYPES
from .edits import Edits
from .layer_facts import LAYER_FACTS
from .messages import to_message
from .prototxt import Document
from .scalar_values import is_repeated
from .schema import LayerParameter
from .tree import Block
from .writer import quote

#: module and class of a Python layer of another program → the type that computes the same, and its keys → our fields
_OF_OTHERS = {
    ("rpn.proposal_layer", "ProposalLayer"): (
        "Proposal", {"feat_stride": "feat_stride", "scales": "scale", "ratios": "ratio"}
    ),
}  # fmt: skip
#: an entry of a flat YAML mapping: a key, and a number, a word or a list
_YAML_ENTRY = re.compile(r"""['"]?(\w+)['"]?\s*:\s*(\[[^\]]*\]|\([^)]*\)|[-+.\w]+)\s*,?""")


def layer_type(layer: Any) -> str:
    """The type of a LayerParameter; for a Python layer that is known, the type that it implements."""
    if layer.type == "Python" and layer.python_param.module == MODULE:
        return str(layer.python_param.layer)
    if layer.type == "Python" and _key(layer) in _OF_OTHERS:
        return _OF_OTHERS[_key(layer)][0]
    return str(layer.type)


def _key(layer: Any) -> tuple[str, str]:
    return layer.python_param.module, layer.python_param.layer


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
    """A known Python layer as one of the type that it implements, in a copy; others as they are."""
    if layer_type(layer) == layer.type:
        return layer
    changed = LayerParameter()
    changed.CopyFrom(layer)
    to_native(changed)
    return changed


#: parameters of the Python layers alone: a Caffe has settings of its own for them
_PYTHONS_OWN = frozenset({"seed", "phase"})


def to_native(layer: Any) -> bool:
    """Turn a LayerParameter of a known Python layer into one of the type that it implements, in place.

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
    is_ours = layer.type == "Python" and name in PYTHON_TYPES
    if not is_ours and name == layer.type:
        return False
    stated = {k: v for k, v in parameters(layer).items() if k not in _PYTHONS_OWN} if is_ours else _renamed(layer)
    if stated is None or (not is_ours and name not in LAYER_FACTS):
        return False
    native = LayerParameter()
    native.CopyFrom(layer)
    native.ClearField("python_param")
    native.type = name
    # transform_param comes first
    messages = [getattr(native, field) for field in reversed(LAYER_FACTS[name].params)]
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


def _renamed(layer: Any) -> dict[str, Any] | None:
    """The parameters of another program's Python layer under our names; None where one is not known, or not read."""
    if _key(layer) not in _OF_OTHERS:
        return None
    fields = _OF_OTHERS[_key(layer)][1]
    text = layer.python_param.param_str.replace("!!python/tuple", "").strip().strip("{}")
    if _YAML_ENTRY.sub("", text).strip():
        return None
    try:
        return {fields[key]: ast.literal_eval(value) for key, value in _YAML_ENTRY.findall(text)}
    except (KeyError, ValueError, SyntaxError):
        return None


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
