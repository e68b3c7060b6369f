"""What is at an offset of a text: the fields around it, which fields are valid there, and what is being typed."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from ..formats import schema
from ..formats.tree import Block, Field
from .buffers import Buffer

NAME, VALUE, BETWEEN = "name", "value", "between"
LAYERS = ("layer", "layers")
#: the beginning of a value, up to the cursor: the field's name, and what is typed of the value
_IN_VALUE = re.compile(
    r"""(?P<name>[A-Za-z_]\w*)[ \t]*:\s*(?:\[(?:[^\[\]{}\n]*,)?\s*)?"""
    r"""(?P<value>"(?:[^"\\\n]|\\.)*|'(?:[^'\\\n]|\\.)*|[-+\w.${}]*)$"""
)
_IN_NAME = re.compile(r"[A-Za-z_]\w*$")
_COMMENT = re.compile(r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^"'#])*#""")


@dataclasses.dataclass(frozen=True)
class Place:
    """What is at an offset.

    Attributes:
        offset: the offset.
        path: the fields around it, outermost first, each with the protobuf descriptor of the field, None if the
            schema does not know it; the last one is `field` if the offset is on its name or value.
        message: the descriptor of the message whose fields are valid here; None within an unknown field.
        on: "name", "value" or "between" fields; a comment is between.
        field: the field whose name or value is here; None between fields, and for one that cannot be read yet.
        name: the name of that field, also if it is being typed; "" between fields.
        descriptor: what the schema knows of the field of this name; None if it is unknown.
        prefix: what is typed of the name or value before the offset, without a quote.
        start: where the prefix begins.
        quoted: whether the value at the offset is a string.
        layer: the layer around it; of 2013, the outer element.
        block: the innermost block around it; the root if there is none.
        in_comment: whether it is in a comment.
    """

    offset: int
    path: list[tuple[Field, Any]] = dataclasses.field(default_factory=list)
    message: Any = None
    on: str = BETWEEN
    field: Field | None = None
    name: str = ""
    descriptor: Any = None
    prefix: str = ""
    start: int = 0
    quoted: bool = False
    layer: Field | None = None
    block: Block = dataclasses.field(default_factory=Block)
    in_comment: bool = False


def place_at(buffer: Buffer, offset: int) -> Place:
    """What is at an offset; works in broken text too."""
    offset = min(max(offset, 0), len(buffer.text))
    path, block, message = _blocks_around(buffer, offset)
    layer = next((item for item, _ in path if item.name in LAYERS), None)
    found: dict[str, Any] = {"message": message, "layer": layer, "block": block, "start": offset}
    line = buffer.text[buffer.text.rfind("\n", 0, offset) + 1 : offset]
    if _in_comment(line):
        return Place(offset, path, in_comment=True, **found)
    stated = _field_at(block, offset)
    if stated is not None:
        path = [*path, (stated, _known(message, stated.name))]
        if offset <= stated.name_end and (stated.listed is None or offset < stated.value.start):
            start = stated.listed.start if stated.listed else stated.start
            found |= {"start": start, "prefix": buffer.text[start:offset]}
            return Place(offset, path, on=NAME, field=stated, name=stated.name, descriptor=path[-1][1], **found)
    found |= {"field": stated}
    typed = _IN_VALUE.search(buffer.text, max(block.start, buffer.text.rfind("\n", 0, offset - len(line)), 0), offset)
    if typed is not None:
        quote = typed["value"][:1] if typed["value"][:1] in ("'", '"') else ""
        found |= {"prefix": typed["value"][len(quote) :], "start": typed.start("value") + len(quote)}
        found |= {"quoted": bool(quote), "name": typed["name"], "descriptor": _known(message, typed["name"])}
        return Place(offset, path, on=VALUE, **found)
    if stated is not None:
        found |= {"name": stated.name, "descriptor": path[-1][1]}
        if not isinstance(stated.value, Block):
            start = min(stated.value.start + stated.value.quoted, offset)
            found |= {"start": start, "prefix": buffer.text[start:offset], "quoted": stated.value.quoted}
        return Place(offset, path, on=VALUE, **found)
    typed = _IN_NAME.search(line)
    if typed is not None:
        found |= {"prefix": typed[0], "start": offset - len(typed[0]), "name": typed[0]}
        return Place(offset, path, on=NAME, descriptor=_known(message, typed[0]), **found)
    return Place(offset, path, **found)


def root_message(buffer: Buffer) -> Any:
    """The descriptor of a whole file's message."""
    return (schema.SolverParameter if buffer.kind == "solver" else schema.NetParameter).DESCRIPTOR


def _blocks_around(buffer: Buffer, offset: int) -> tuple[list[tuple[Field, Any]], Block, Any]:
    """The fields whose braces are around an offset, the innermost block, and its message."""
    path: list[tuple[Field, Any]] = []
    block, message = buffer.document.root, root_message(buffer)
    while True:
        blocks = (f for f in block.fields if isinstance(f.value, Block))
        inner = next((f for f in blocks if _is_in(buffer.text, f.value, offset)), None)
        if inner is None or not isinstance(inner.value, Block):
            return path, block, message
        descriptor = _known(message, inner.name)
        path.append((inner, descriptor))
        block, message = inner.value, descriptor.message_type if descriptor is not None else None


def _is_in(text: str, block: Any, offset: int) -> bool:
    """Whether an offset is between a block's braces; where the closing one is missing, the block's end is inside."""
    if not block.start < offset <= block.end:
        return False
    ends_with_inner = bool(block.fields) and block.fields[-1].end == block.end
    return offset < block.end or text[offset - 1] not in "}>" or ends_with_inner


def _known(message: Any, name: str) -> Any:
    return message.fields_by_name.get(name) if message is not None else None


def _field_at(block: Block, offset: int) -> Field | None:
    """The field of a block on whose name or value an offset is; its end counts, unless the next one begins there."""
    touching = [f for f in block.fields if (f.listed.start if f.listed else f.start) <= offset <= f.end]
    inside = [f for f in touching if f.start <= offset]
    found = (inside or touching)[-1:]
    if found and isinstance(found[0].value, Block) and offset > found[0].name_end:
        return found[0] if offset < found[0].value.start else None
    return found[0] if found else None


def _in_comment(line: str) -> bool:
    return "#" in line and _COMMENT.match(line) is not None
