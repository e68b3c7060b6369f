"""The messages of `caffe.proto`, built at import without generated code.

Generated protobuf modules are tied to the protobuf release that generated them. This module instead reads the .proto
text with a small parser (proto2: messages, enums, fields) and passes the descriptors to whatever protobuf is
installed. They have their own pool, so that a real Caffe's `caffe.proto` may be loaded in the same process.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import resources
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.internal import enum_type_wrapper

_TOKEN = re.compile(r"\s+|//[^\n]*|(\"[^\"]*\"|[A-Za-z_][\w.]*|[-+]?\d[\d.]*(?:[eE][-+]?\d+)?|[{}\[\]=;,])")
_LABELS = {"optional": 1, "required": 2, "repeated": 3}
_SCALARS = {
    "double": 1, "float": 2, "int64": 3, "uint64": 4, "int32": 5, "bool": 8, "string": 9, "bytes": 12, "uint32": 13,
}  # fmt: skip


class _ProtoParser:
    """Recursive descent over the tokens of a .proto text."""

    def __init__(self, text: str) -> None:
        self.tokens: Iterator[str] = (m[1] for m in _TOKEN.finditer(text) if m[1])

    def expect(self, *wanted: str) -> None:
        for token in wanted:
            got = next(self.tokens)
            if got != token:
                raise ValueError(f"caffe.proto: expected {token!r}, got {got!r}")

    def file(self, name: str) -> descriptor_pb2.FileDescriptorProto:
        result = descriptor_pb2.FileDescriptorProto(name=name)
        for token in self.tokens:
            if token == "syntax":
                self.expect("=", '"proto2"', ";")
            elif token == "package":
                result.package = next(self.tokens)
                self.expect(";")
            elif token == "enum":
                self.enum(result.enum_type.add())
            elif token == "message":
                self.message(result.message_type.add())
            else:
                raise ValueError(f"caffe.proto: expected a message or an enum, got {token!r}")
        return result

    def message(self, into: descriptor_pb2.DescriptorProto) -> None:
        into.name = next(self.tokens)
        self.expect("{")
        while (token := next(self.tokens)) != "}":
            if token == "enum":
                self.enum(into.enum_type.add())
            else:
                self.field(into.field.add(), token)

    def enum(self, into: descriptor_pb2.EnumDescriptorProto) -> None:
        into.name = next(self.tokens)
        self.expect("{")
        while (token := next(self.tokens)) != "}":
            self.expect("=")
            into.value.add(name=token, number=int(next(self.tokens)))
            self.expect(";")

    def field(self, into: descriptor_pb2.FieldDescriptorProto, label: str) -> None:
        into.label = _LABELS[label]
        kind = next(self.tokens)
        if kind in _SCALARS:
            into.type = _SCALARS[kind]
        else:
            into.type_name = kind
        into.name = next(self.tokens)
        self.expect("=")
        into.number = int(next(self.tokens))
        token = next(self.tokens)
        while token != ";":
            option = next(self.tokens)
            self.expect("=")
            value = next(self.tokens)
            if option == "packed":
                into.options.packed = value == "true"
            else:
                into.default_value = value.strip('"')
            token = next(self.tokens)
            if token == "]":
                token = next(self.tokens)


def _resolve(file: descriptor_pb2.FileDescriptorProto) -> None:
    """Complete the type names: an enum of the same message, of another (Message.Enum) or of none, or a message."""
    enums = {e.name for e in file.enum_type} | {f"{m.name}.{e.name}" for m in file.message_type for e in m.enum_type}
    for message in file.message_type:
        own_enums = {e.name for e in message.enum_type}
        for field in message.field:
            if not field.type_name:
                continue
            if field.type_name in own_enums:
                field.type, field.type_name = 14, f".{file.package}.{message.name}.{field.type_name}"
            else:
                field.type = 14 if field.type_name in enums else 11
                field.type_name = f".{file.package}.{field.type_name}"


def _load() -> dict[str, Any]:
    text = resources.files(__package__).joinpath("caffe.proto").read_text(encoding="utf-8")
    file = _ProtoParser(text).file("deeplab_caffe/caffe.proto")
    _resolve(file)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    names: dict[str, Any] = {"DESCRIPTOR": pool.FindFileByName(file.name)}
    for message in file.message_type:
        names[message.name] = message_factory.GetMessageClass(
            pool.FindMessageTypeByName(f"{file.package}.{message.name}")
        )
    for message in file.message_type:
        names[f"_{message.name.upper()}"] = names[message.name].DESCRIPTOR
    for enum in file.enum_type:
        descriptor = pool.FindEnumTypeByName(f"{file.package}.{enum.name}")
        names[enum.name] = enum_type_wrapper.EnumTypeWrapper(descriptor)
        for value in enum.value:
            names[value.name] = value.number
    return names


#: Message classes by name, the values of top-level enums (TRAIN, TEST), and DESCRIPTOR.
NAMES: dict[str, Any] = _load()


def __getattr__(name: str) -> Any:
    try:
        return NAMES[name]
    except KeyError:
        raise AttributeError(f"caffe.proto has no message {name!r}") from None
