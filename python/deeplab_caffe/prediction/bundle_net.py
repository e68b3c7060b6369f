"""What of a net belongs into a bundle: a deploy net that needs no other file, and how images become its input."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..formats import schema
from ..formats.definition import Definition, read_definition
from ..formats.layer_facts import DATA, SINK, facts_of
from ..formats.python_layers import layer_type, native
from ..formats.writer import format_message

#: fields of layers that name a file or the beginning of several
_FILES = frozenset({"source", "mean_file", "root_folder", "prefix", "file_name", "label_map_file", "weight_source"})
_INPUTS = ("Input", "DummyData")
_COMMENT = "how images become the net's input: the data layer of test.prototxt, without its list"


def check_self_contained(net: Definition) -> None:
    """Refuse a net that reads or writes files, or runs code that is not in a bundle.

    Raises:
        InputError: names the layer and what it needs.
    """
    for entry in net.entries:
        layer = native(entry.param)
        if layer.type == "Python":  # also one of deeplab_layers whose parameters do not fit
            raise entry.error("runs Python code, which a bundle does not hold and never runs; use the files themselves")
        facts = facts_of(layer.type)
        if facts.kind in (DATA, SINK) and layer.type not in (*_INPUTS, "Silence"):
            raise entry.error(f"reads or writes files; a bundle's net has its images from {' or '.join(_INPUTS)}")
        if named := next(_files_of(layer), None):
            raise entry.error(f"names the file {named!r}, which a bundle does not hold")


def _files_of(message: Any) -> Iterator[str]:
    for descriptor, value in message.ListFields():
        if descriptor.name in _FILES and value:
            yield str(value)
        elif descriptor.message_type is not None:
            for inner in value if hasattr(value, "add") else [value]:
                yield from _files_of(inner)


def data_layer_of(test_net: Path) -> str:
    """The layer ImageSegData of a test net as a prototxt of its own, without list and folder; "" if it has none.

    Args:
        test_net: in either dialect.

    Raises:
        InputError: the file is no net.
    """
    definition = read_definition(test_net)
    layer = next((native(e.param) for e in definition.entries if layer_type(e.param) == "ImageSegData"), None)
    if layer is None or layer.type != "ImageSegData":
        return ""
    kept = schema.NetParameter()
    kept.layer.add().CopyFrom(layer)
    for name in ("source", "root_folder", "mean_file"):
        kept.layer[0].image_data_param.ClearField(name)
    return format_message(kept, {layer.name: _COMMENT})
