"""Small nets, texts with a mark at the cursor, and what stands in ranges that a server answers with."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lsprotocol import types

from deeplab_caffe.language_server.buffers import Buffer
from deeplab_caffe.language_server.workspace import Workspace

MARK = "|"
DATA = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: [1, 3, 33, 33] } } }\n'
CONV = (
    'layer {\n  name: "fc6"\n  type: "Convolution"\n  bottom: "data"\n  top: "fc6"\n'
    "  convolution_param { num_output: 8 kernel_size: 3 pad: 12 dilation: 12 }\n}\n"
)
NET = DATA + CONV


def marked(text: str) -> tuple[str, int]:
    """A text without its mark, and the offset of the mark."""
    before, mark, after = text.partition(MARK)
    assert mark, "the text has no mark"
    return before + after, len(before)


def opened(text: str, path: str = "/nets/train.prototxt", workspace: Workspace | None = None) -> Buffer:
    """A text as an editor opens it."""
    return (workspace or Workspace()).open(Path(path).as_uri(), text, 1)


def at_mark(text: str) -> tuple[Buffer, types.Position]:
    """The buffer of a text, and the position of its mark."""
    plain, offset = marked(text)
    buffer = opened(plain)
    return buffer, buffer.position(offset)


def part(buffer: Buffer, place: types.Range) -> str:
    """The text in a range."""
    return buffer.text[buffer.offset(place.start) : buffer.offset(place.end)]


def applied(buffer: Buffer, edits: Iterable[types.TextEdit]) -> str:
    """A text after an editor has applied edits, which may not overlap."""
    text = buffer.text
    places = [(buffer.offset(edit.range.start), buffer.offset(edit.range.end), edit.new_text) for edit in edits]
    last = len(text)
    for start, end, new in sorted(places, reverse=True):
        assert start <= end <= last
        text, last = text[:start] + new + text[end:], start
    return text
