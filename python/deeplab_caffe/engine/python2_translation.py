"""Scripts of Python 2 translated in memory by fissix (lib2to3, kept up): print, xrange, iteritems, has_key, …"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..errors import InputError
from ..words import some_of

#: what is not translated: layout, other people's packages, and what would change a script of Python 3
_LEFT = {"asserts", "buffer", "idioms", "import", "isinstance", "set_literal", "ws_comma", "metaclass", "future"}


@dataclass
class Translation:
    """A translated script.

    Attributes:
        text: its text in Python 3.
        changes: what was changed → on which lines.
        divisions: lines with a `/` that may divide whole numbers: Python 2 rounded down, which is not guessed here.
    """

    text: str
    changes: dict[str, list[int]] = field(default_factory=dict)
    divisions: list[int] = field(default_factory=list)

    def __str__(self) -> str:
        """What changed, and what to check, in one line."""
        done = [f"{name} (line {some_of(lines, 3)})" for name, lines in sorted(self.changes.items())]
        said = f"translated from Python 2: {', '.join(done)}" if done else "nothing to translate from Python 2"
        check = f"; check '/' on line {some_of(self.divisions)}: whole numbers are not rounded down in Python 3"
        return said + (check if self.divisions else "")


def translate(text: str, path: str) -> Translation:
    """Translate a script of Python 2.

    Args:
        text: the script.
        path: its file, for messages.

    Raises:
        InputError: fissix is not installed, or the text is no Python.
    """
    try:
        refactor = importlib.import_module("fissix.refactor")
    except ImportError:
        raise InputError("--python2 needs fissix, not installed here: pip install 'deeplab-caffe[python2]'") from None
    names = [n for n in refactor.get_fixers_from_package("fissix.fixes") if n.rpartition("fix_")[2] not in _LEFT]
    result = Translation(text)
    for options in ({}, {"print_function": True}):  # a script that imports print_function, or is of Python 3 already
        tool = refactor.RefactoringTool(names, options)
        result.changes.clear()
        for fixer in (*tool.pre_order, *tool.post_order):
            fixer.transform = _noting(fixer, result.changes)
        try:
            tree = tool.refactor_string(text if text.endswith("\n") else text + "\n", path)
        except Exception as error:  # of its parser, which has no class in common with others
            reason = error
            continue
        result.text = str(tree)
        result.divisions = sorted({leaf.get_lineno() for leaf in tree.leaves() if _divides(leaf)})
        return result
    line = getattr(reason, "context", ("", (0, 0)))[1][0] or getattr(reason, "lineno", 0)
    place = f"{path}:{line}:" if line else f"{path}:"
    raise InputError(f"{place} cannot be read as Python 2: check that it is a Python script")


def _noting(fixer: Any, changes: dict[str, list[int]]) -> Callable[[Any, Any], Any]:
    """A fixer's transform that notes the lines that it changes."""
    transform, name = fixer.transform, type(fixer).__module__.rpartition("fix_")[2]

    def noting(node: Any, results: Any) -> Any:
        line, before = node.get_lineno(), str(node)
        new = transform(node, results)
        if line not in changes.get(name, []) and str(new if new is not None else node) != before:
            changes.setdefault(name, []).append(line)
        return new

    return noting


def _divides(leaf: Any) -> bool:
    """Whether a leaf is a `/` between what may be whole numbers: neither side is a float as written."""
    if leaf.value not in ("/", "/="):
        return False
    sides = [str(side).strip() for side in (leaf.prev_sibling, leaf.next_sibling) if side is not None]
    return not any(side.startswith("float(") or _is_float(side) for side in sides)


def _is_float(text: str) -> bool:
    try:
        return not text.isdigit() and float(text) is not None
    except ValueError:
        return False
