"""Comments that silence findings: `# lint: ignore=<rule>` behind a line or above a field, `ignore-file` anywhere."""

from __future__ import annotations

import re
from collections import defaultdict

from ...formats.prototxt import Block, Document

_COMMENT = re.compile(r"#\s*lint:\s*ignore(-file)?\s*=\s*([\w-]+(?:\s*,\s*[\w-]+)*)")


class Silences:
    """The findings that a document's comments silence.

    A comment at the end of a line covers that line and the whole block that begins there; a comment on its own line
    covers the whole field below it; `ignore-file` covers the file.
    """

    def __init__(self, document: Document) -> None:
        self.document = document
        self._file: set[str] = set()
        self._spans: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for offset, text in document.comments:
            match = _COMMENT.match(text)
            if match:
                names = {name.strip() for name in match[2].split(",")}
                if match[1]:
                    self._file |= names
                else:
                    span = self._span(offset)
                    for name in names:
                        self._spans[name].append(span)

    def _span(self, offset: int) -> tuple[int, int]:
        text = self.document.text
        line_start = text.rfind("\n", 0, offset) + 1
        own_line = not text[line_start:offset].strip()
        first = (offset, len(text)) if own_line else (line_start, offset)
        field = self._first_field(self.document.root, *first)
        if field is None:
            return line_start, offset
        return (field[0], field[1]) if own_line else (line_start, max(field[1], offset))

    def _first_field(self, block: Block, start: int, end: int) -> tuple[int, int] | None:
        """The outermost field that begins first between two offsets."""
        for field in block.fields:
            begin = field.listed.start if field.listed else field.start
            if start <= begin < end:
                return begin, field.end
            if field.start < start < field.end and isinstance(field.value, Block):
                return self._first_field(field.value, start, end)
        return None

    def covers(self, rule: str, offset: int) -> bool:
        """Whether a rule's finding at an offset is silenced."""
        return rule in self._file or any(start <= offset <= end for start, end in self._spans.get(rule, ()))
