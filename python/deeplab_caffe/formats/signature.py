"""The header of a generated file: what it is, the command that made it, and a sum that shows whether it was edited."""

from __future__ import annotations

import hashlib
import re

_SUM = re.compile(r"^# sha256: ([0-9a-f]{64})\n", re.MULTILINE)
_COMMAND = re.compile(r"^# Made by: deeplab prototxt (.+)$", re.MULTILINE)
#: how the remark begins in a file that was generated with another one's manual edits
EDITS_OF = "With the manual edits of "
_INVITATION = "Edit it as you like: the command then keeps this file, unless FORCE=1."


def sign(title: str, command: str, body: str) -> str:
    """`body` below a header that names its title, the command that made it, and its sum.

    Example:
        >>> text = sign("A net.", "deeplab prototxt voc12/largefov", "name: 'largefov'")
        >>> print(text.partition("# sha256")[0], end="")
        # A net.
        # Made by: deeplab prototxt voc12/largefov
        # Edit it as you like: the command then keeps this file, unless FORCE=1.
        >>> is_untouched(text), is_untouched(text.replace("largefov'", "mine'"))
        (True, False)
    """
    head = f"# {title}\n# Made by: {command}\n# {_INVITATION}\n"
    rest = f"\n{body}"
    return head + f"# sha256: {digest(head + rest)}\n{rest}"


def signed_anew(text: str, remark: str) -> str:
    """A signed text that was changed, with a remark on the change in its header and a new sum."""
    text = _SUM.sub(lambda match: f"# {remark}\n{match[0]}", text, count=1)
    return _SUM.sub(f"# sha256: {digest(_SUM.sub('', text, count=1))}\n", text, count=1)


def made_by(text: str) -> str | None:
    """The arguments of `deeplab prototxt` in the header of a generated file; None for any other file."""
    match = _COMMAND.search(text)
    return match[1] if match else None


def is_untouched(text: str) -> bool:
    """Whether a file is still as it was generated: its header has a sum, and the rest of the file has that sum."""
    match = _SUM.search(text)
    return match is not None and match[1] == digest(_SUM.sub("", text, count=1))


def takes_edits_over(text: str) -> bool:
    """Whether a file was signed anew with the manual edits of another one, which its sum does not tell."""
    return EDITS_OF in text


def stated_sum(text: str) -> str | None:
    """The sum in the header of a generated file, whether it is right or not; None for any other file."""
    match = _SUM.search(text)
    return match[1] if match else None


def header_end(text: str) -> int:
    """Where the header of a generated file ends, behind its sum; 0 if there is no sum."""
    match = _SUM.search(text)
    return match.end() - 1 if match else 0


def restated(header: str, other: str) -> str:
    """A header with the command and the sum that another one states."""
    for pattern in (_COMMAND, _SUM):
        new = pattern.search(f"{other}\n")
        if new:
            line = new[0].rstrip("\n")
            header = pattern.sub(lambda old, line=line: line, f"{header}\n", count=1).rstrip("\n")  # type: ignore[misc]
    return header


def digest(text: str) -> str:
    """The SHA-256 of a text in UTF-8, in hexadecimal."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
