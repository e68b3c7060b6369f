"""Read binary net definitions (protobuf's wire format) of any dialect as messages of our schema.

The forks of Caffe use the same numbers for different fields. The layer types and fields of a file show which fork it
comes from. Numbers are translated before the bytes are parsed, so that no value is read into the wrong field (`hole` of
DeepLab's first release has the number of force_nd_im2col).
"""

from __future__ import annotations

import os
import struct
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from google.protobuf.unknown_fields import UnknownFieldSet

from ..errors import InputError
from ..reading import CANNOT_OPEN, reading
from . import schema
from .layer_facts import facts_of
from .weights import encode_bytes, encode_varint, fields

_NO_NET = "{path}: expected a prototxt or a binary net, but this is neither, or it is damaged: {reason}"
_LAYERS, _LAYER = 2, 100
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
#: numbers of LayerParameter from 143 on, by dialect
_DEEPLAB_V2 = {
    143: "interp_param", 144: "seg_accuracy_param", 145: "mat_write_param", 146: "dense_crf_param",
    147: "domain_transform_param", 148: "adaptive_bias_channel_param", 149: "bias_channel_param",
    150: "unique_label_param", 151: "mat_read_param",
}  # fmt: skip
_BVLC = {
    143: "input_param", 144: "crop_param", 145: "parameter_param", 146: "recurrent_param", 147: "swish_param",
    148: "clip_param",
}  # fmt: skip
_OF_TODAY: Mapping[str, Mapping[int, str]] = {
    "V2": _BVLC,
    "DeepLab v2": _DEEPLAB_V2,
    "PSPNet": {**_DEEPLAB_V2, 152: "bn_param"},
    "DeepLab v2 on rc3": {
        **{number: _BVLC[number] for number in (143, 144, 145, 146)},
        **{number: _DEEPLAB_V2[number] for number in (147, 148, 149, 150, 151)},
        152: "dense_crf_param", 153: "interp_param", 154: "seg_accuracy_param", 155: "mat_write_param",
    },
}  # fmt: skip
DIALECTS = (*_OF_TODAY, "DeepLab v1", "V1")

#: (number, wire type, value) of one field
_Part = tuple[int, int, Any]


def is_binary(data: bytes) -> bool:
    """Whether a file is binary rather than text: its bytes contain control characters."""
    return any(byte < 32 and byte not in b"\t\n\r\f\v" for byte in data[:65536])


def read_binary_net(path: str | os.PathLike[str], dialect: str | None = None) -> Any:
    """The NetParameter in a binary file, not yet upgraded: `layers` or `layer` with the fields of our schema.

    Warns of fields that no dialect has; they are skipped.

    Args:
        path: the file.
        dialect: one of DIALECTS, for a file whose content does not show it.

    Raises:
        InputError: the file is damaged, matches no dialect, or matches two with different meanings.
    """
    with reading(path, damaged=_NO_NET, cannot=CANNOT_OPEN):
        parts = list(fields(memoryview(Path(path).read_bytes())))
        net = schema.NetParameter.FromString(_translated(parts, dialect, str(path)))
        unknown = list(_unknown(net))
    if not net.layer and not net.layers:
        raise InputError(f"{path}: has no layers; expected a binary net")
    for name, number in unknown:
        warnings.warn(f"{path}: {name}: field {number} is unknown in every dialect and is skipped", stacklevel=2)
    return net


def _translated(parts: list[_Part], dialect: str | None, source: str) -> bytes:
    """The message with the field numbers of our schema."""
    old = [list(fields(value)) for number, wire, value in parts if (number, wire) == (_LAYERS, _BYTES)]
    new = [list(fields(value)) for number, wire, value in parts if (number, wire) == (_LAYER, _BYTES)]
    if old:
        chosen = dialect or _old_dialect(old, source)
        translate = _deeplab_v1_layer if chosen == "DeepLab v1" else _encoded
        replaced = {_LAYERS: (translate(layer) for layer in old)}
    else:
        chosen = dialect or _dialect_of_today(new, source)
        numbers = {n: _number(name) for n, name in _OF_TODAY.get(chosen, _BVLC).items()}
        replaced = {_LAYER: (_encoded(_renumbered(layer, numbers | _of_a_fork(layer, numbers))) for layer in new)}
    out = []
    for number, wire, value in parts:
        is_layer = number in replaced and wire == _BYTES
        out.append(encode_bytes(number, next(replaced[number])) if is_layer else _part(number, wire, value))
    return b"".join(out)


def _number(name: str) -> int:
    return int(schema.LayerParameter.DESCRIPTOR.fields_by_name[name].number)


def _encoded(parts: Iterable[_Part]) -> bytes:
    return b"".join(_part(*part) for part in parts)


def _part(number: int, wire: int, value: Any) -> bytes:
    if wire == _VARINT:
        return encode_varint(number << 3) + encode_varint(value)
    if wire == _BYTES:
        return encode_bytes(number, bytes(value))
    return encode_varint(number << 3 | wire) + bytes(value)


def _renumbered(parts: Iterable[_Part], numbers: Mapping[int, int]) -> Iterator[_Part]:
    return ((numbers.get(number, number), wire, value) for number, wire, value in parts)


# -- `layer`


def _of_a_fork(layer: list[_Part], known: Mapping[int, int]) -> dict[int, int]:
    """Of a type of SSD, R-CNN …: the one message that is not BVLC's is its own, whatever number its fork gave it."""
    row = facts_of(_kind(layer))
    if row.is_bvlc or not row.params or _number(row.params[0]) in known.values():
        return {}
    found = {number for number, wire, _ in layer if number >= min(_BVLC) and wire == _BYTES}
    return {found.pop(): _number(row.params[0])} if len(found) == 1 else {}


def _kind(layer: list[_Part]) -> str:
    return next((bytes(value).decode("utf-8", "replace") for number, _, value in layer if number == 2), "")


def _dialect_of_today(layers: list[list[_Part]], source: str) -> str:
    """The first dialect in which the parameters of every layer belong to its type."""
    for dialect, names in _OF_TODAY.items():
        if all(_fits(layer, names) for layer in layers):
            return dialect
    raise InputError(
        f"{source}: the parameters of its layers match no dialect; choose one with --dialect ({', '.join(_OF_TODAY)})"
    )


def _fits(layer: list[_Part], names: Mapping[int, str]) -> bool:
    kind = _kind(layer)
    own = {*_BVLC.values(), *_DEEPLAB_V2.values(), "bn_param"}.intersection(facts_of(kind).params)
    return not own or all(names.get(n) in own for n, _, _ in layer if 143 <= n < 1000)


# -- `layers`


def _old_dialect(layers: list[list[_Part]], source: str) -> str:
    """DeepLab v1 if any layer shows it, else V1; InputError if the two differ in meaning and nothing shows which."""
    if any(_is_deeplab_v1(layer) for layer in layers):
        return "DeepLab v1"
    for layer in layers:
        for number, _, value in _within(layer, 10):
            if number == 18 and value != 1 and sum(n == 18 for n, _, _ in _within(layer, 10)) == 1:
                name = next((bytes(v).decode("utf-8", "replace") for n, _, v in layer if n == 4), "?")
                raise InputError(
                    f"{source}: layer '{name}': field 18 of its convolution_param is 'dilation' in V1 and 'hole_h' in "
                    "DeepLab v1, and nothing else shows which this is; choose with --dialect"
                )
    return "V1"


def _is_deeplab_v1(layer: list[_Part]) -> bool:
    """Whether a layer has a type or a field that only DeepLab's first release has."""
    kind = next((value for number, wire, value in layer if (number, wire) == (5, _VARINT)), 0)
    numbers = {number for number, _, _ in layer}
    if kind >= 40 or numbers & {*range(43, 60), 1003}:
        return True
    if kind == 39 and 10 not in numbers:  # DECONVOLUTION has a convolution_param
        return True
    convolution = {number: value for number, _, value in _within(layer, 10)}
    return 19 in convolution or convolution.get(17, 0) > 1 or any(n in (13, 14) for n, _, _ in _within(layer, 15))


def _within(layer: Iterable[_Part], message: int) -> Iterator[_Part]:
    for number, wire, value in layer:
        if (number, wire) == (message, _BYTES):
            yield from fields(value)


def _deeplab_v1_layer(layer: Iterable[_Part]) -> bytes:
    """A layer of DeepLab's first release, whose own types and messages have numbers from 1039 in our schema."""
    out = []
    for number, wire, value in layer:
        if (number, wire) == (5, _VARINT) and value >= 39:
            value += 1000
        elif wire == _BYTES and number in _INNER:
            value = _encoded(_INNER[number](fields(value)))
        out.append(_part(number + 1000 if 42 <= number < 60 else number, wire, value))
    return b"".join(out)


def _unique_label(parts: Iterable[_Part]) -> Iterator[_Part]:
    """In this message ignore_label was a float."""
    for number, wire, value in parts:
        if (number, wire) == (2, _FIXED32):
            yield number, _VARINT, int(struct.unpack("<f", value)[0]) & 0xFFFFFFFFFFFFFFFF
        else:
            yield number, wire, value


#: the number of a layer's message → the translation of its fields
_INNER: Mapping[int, Callable[[Iterable[_Part]], Iterator[_Part]]] = {
    10: lambda parts: _renumbered(parts, {17: 1000, 18: 1001, 19: 1002}),  # hole, hole_h, hole_w
    15: lambda parts: _renumbered(parts, {13: 1000, 14: 1001}),  # has_label, max_labels
    51: _unique_label,
}


def _unknown(message: Any, path: str = "") -> Iterator[tuple[str, int]]:
    """(message, number) of every field that the schema does not know.

    Raises ValueError for a string that is not text; protobuf returns such a string as bytes.
    """
    for unknown in UnknownFieldSet(message):
        yield path or message.DESCRIPTOR.name, unknown.field_number
    for descriptor, value in message.ListFields():
        if descriptor.type == descriptor.TYPE_STRING:
            texts = [value] if isinstance(value, str | bytes) else value
            if any(isinstance(text, bytes) for text in texts):
                raise ValueError(f"the {descriptor.name} of {path or 'the net'} is not text")
        elif descriptor.message_type is not None and descriptor.name != "blobs":
            for i, inner in enumerate([value] if hasattr(value, "DESCRIPTOR") else value):
                name = getattr(inner, "name", "") if descriptor.name in ("layer", "layers") else ""
                label = f"layer '{name}'" if name else f"{descriptor.name}[{i}]"
                yield from _unknown(inner, f"{path}.{label}".lstrip("."))
