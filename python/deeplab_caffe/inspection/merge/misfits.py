"""What no longer fits after a merge: mistakes that neither the edited nets nor the generated ones had."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from ...errors import InputError
from ..lint.findings import NOTE, Finding, chosen
from ..lint.linter import Linter
from ..lint.net_pair import Generator

_LINE = re.compile(r"(?<=\.prototxt):\d+(:\d+)?")
#: what a finding is about, wherever in its file
_Key = tuple[str, str, str, str]


def findings(paths: Iterable[Path], generator: Generator | None = None) -> Mapping[_Key, Finding]:
    """The findings of lint, without notes, in nets and solvers with their shapes.

    Args:
        paths: the files; those that do not exist are passed over.
        generator: knows which differences between the nets of a model were generated.
    """
    linter = Linter(chosen(ignore=["conflict-mark"]), generator=generator)
    found: dict[_Key, Finding] = {}
    for path in paths:
        if path.is_file():
            for item in _lint(linter, path):
                found.setdefault((item.file, item.rule, item.layer, _LINE.sub("", item.message)), item)
    return found


def _lint(linter: Linter, path: Path) -> list[Finding]:
    try:
        return [item for item in linter.lint(path) if item.severity != NOTE]
    except InputError:  # not text; whoever reads it says so
        return []


def misfits(before: Mapping[_Key, Finding], after: Mapping[_Key, Finding]) -> list[str]:
    """What lint found after a merge and not before it, a line each with its place."""
    return [
        f"{item.file}:{item.line}:{item.column}: {f'{item.layer}: ' if item.layer else ''}{item.message}; {item.advice}"
        for key, item in after.items()
        if key not in before
    ]
