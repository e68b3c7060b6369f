"""The prototxt parser for text as it is typed: it goes on after an error, and lists all of them.

Text without errors gives the same tree as `prototxt.Document`. In broken text a field that cannot be read is left out;
all around it is kept. Where a brace is missing, the layout tells where: a block ends before a line that is indented no
deeper than the line that began it. In text whose braces match, layout means nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from .prototxt import NAME, Document
from .tree import VARIABLE, Block, PrototxtError, Scalar

#: what shows, behind a word, that it is the name of a field
_VALUE_FOLLOWS = re.compile(r"[ \t]*[:{<]")
_REST_OF_LINE = re.compile(r"[^\r\n]*")
_BRACES = re.compile(r""""(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|\#[^\n]*|\$\{\w+\}|([{}<>])""")
_OPENING = {"}": "{", ">": "<"}
_CLOSING = {"{": "}", "<": ">"}
#: errors that are listed; what follows is seldom worth reading
_MOST = 100


def recover(text: str, filename: str = "<prototxt>", variables: Mapping[str, str] | None = None) -> Document:
    """Parse prototxt that may be broken.

    Args:
        text: the content of the file.
        filename: for messages.
        variables: the values of template variables; without them, variables stay as they are.

    Returns:
        The document, with as much of the tree as could be read. Its `errors` are in the order of the text.

    Example:
        >>> document = recover("layer { name: 'fc6' num_output: }  layer { name fc7 }  layer { type: 'ReLU' }")
        >>> [error.reason for error in document.errors]
        ["expected a value of 'num_output', got '}'", "expected ':' or '{' after 'name', got 'fc7'"]
        >>> [layer.value.text_of("name") for layer in document.root.all("layer")]
        ['fc6', None, None]
    """
    return Recovering(text, filename, variables)


def braces_match(text: str) -> bool:
    """Whether every brace outside of strings and comments has its counterpart."""
    stack = []
    for match in _BRACES.finditer(text):
        brace = match[1]
        if brace is None:
            continue
        if brace in "{<":
            stack.append(brace)
        elif not stack or stack.pop() != _OPENING[brace]:
            return False
    return not stack


class Recovering(Document):
    """A Document that notes errors instead of raising them; made by `recover`."""

    def __init__(self, text: str, filename: str, variables: Mapping[str, str] | None) -> None:
        #: whether the layout tells where blocks end, because the braces do not
        self._by_layout = not braces_match(text)
        #: the last block that the layout has ended
        self._cut: Block | None = None
        #: (offset, reason) of every error
        self.faults: list[tuple[int, str]] = []
        super().__init__(text, filename, variables)
        self.faults.sort()
        self.errors = [self.error(offset, reason) for offset, reason in self.faults[:_MOST]]  # by the whole tree

    def _note(self, error: PrototxtError) -> None:
        self.faults.append((error.offset or 0, error.reason))

    # -- scanner

    def _unexpected(self, position: int) -> tuple[str, str, int, int]:
        try:
            return super()._unexpected(position)
        except PrototxtError as error:
            self._note(error)
        quote = self.text[position]
        if quote not in "\"'":
            return "space", quote, position, position + 1
        rest = _REST_OF_LINE.match(self.text, position)
        assert rest is not None
        closed = rest[0].rstrip().rstrip("\\") + quote  # an escape at its end would be half of one
        return "string", closed, position, rest.end()

    def _substitute(self, text: str, start: int) -> str:
        try:
            return super()._substitute(text, start)
        except PrototxtError as error:
            self._note(error)
            return text

    # -- parser

    def _fields(self, block: Block, closing: str, depth: int) -> None:
        while True:
            if self._by_layout and closing and self._ends_by_layout(block):
                self._note(self.error(block.start, f"this block is not closed: '{closing}' is missing"))
                self._cut = block
                return
            try:
                if not self._another(block, closing, depth):
                    return
            except PrototxtError as error:
                self._note(error)
                if self._next[0] == "end":
                    return
                self._skip(closing)

    def _close(self, block: Block) -> int:
        kind, text, start, _ = self._next
        if self._cut is not block and kind == "mark" and text == _CLOSING[self.text[block.start]]:
            return super()._close(block)
        return start if kind == "end" else max(self._line_start(start) - 1, block.start + 1)

    def _ends_by_layout(self, block: Block) -> bool:
        """Whether the next token stands on a line that cannot belong to a block, judged by its indentation."""
        kind, text, start, _ = self._next
        line = self._line_start(start)
        if kind == "end" or self.text[line:start].strip():
            return False
        opened = self._line_start(block.start)
        if line <= opened:
            return False
        indent = len(self.text[opened : block.start]) - len(self.text[opened : block.start].lstrip())
        is_closing = kind == "mark" and text in _OPENING
        return start - line < indent if is_closing else start - line <= indent

    def _line_start(self, offset: int) -> int:
        return self.text.rfind("\n", 0, offset) + 1

    def _scalar(self, name: str) -> Scalar:
        kind, text, start, end = self._next
        follows = kind == "word" and NAME.fullmatch(text) and _VALUE_FOLLOWS.match(self.text, end)
        if follows or kind not in ("word", "string"):  # it stays the next token
            raise self.error(self._place_of_value(start), f"expected a value of '{name}', got {text!r}")
        return super()._scalar(name)

    def _place_of_value(self, start: int) -> int:
        """Where a missing value belongs: on the line of its name, not at the next token on a later line."""
        line = self._line_start(start)
        return start if self.text[line:start].strip() else len(self.text[:start].rstrip())

    def _skip(self, closing: str) -> None:
        """Go on to the next field, or to the end of the block."""
        depth = 0
        while True:
            kind, text, start, end = self._next
            if kind == "end":
                return
            if depth == 0 and (text == closing or self._begins_field(kind, text, end)):
                return
            if kind == "mark":
                depth += (text in "{<") - (text in "}>" and depth > 0)
            self._advance()

    def _begins_field(self, kind: str, text: str, end: int) -> bool:
        if kind != "word" or not NAME.fullmatch(text):
            return False
        return VARIABLE.fullmatch(text) is not None or _VALUE_FOLLOWS.match(self.text, end) is not None
