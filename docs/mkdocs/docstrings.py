"""What the package's docstrings have and mkdocstrings does not know: "Example:", and one line for several arguments."""

from __future__ import annotations

import re
from typing import Any

import griffe

_SHARED = re.compile(r"( +)(\*{0,2}\w+(?:, \*{0,2}\w+)+)(: .*)")


class HouseStyle(griffe.Extension):
    """Rewrites each docstring into the form that the reader of Google's style expects."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring:
            obj.docstring.value = google_style(obj.docstring.value)


def google_style(text: str) -> str:
    """A docstring with "Examples:" as its heading, and with `height, width: in pixels` written once for each name."""
    lines: list[str] = []
    waiting = re.sub(r"^Example:$", "Examples:", text, flags=re.MULTILINE).split("\n")
    while waiting:
        line = waiting.pop(0)
        shared = _SHARED.fullmatch(line)
        if not shared:
            lines.append(line)
            continue
        more = []
        while waiting and waiting[0].startswith(shared[1] + " "):
            more.append(waiting.pop(0))
        for name in shared[2].split(", "):
            lines += [f"{shared[1]}{name}{shared[3]}", *more]
    return "\n".join(lines)
