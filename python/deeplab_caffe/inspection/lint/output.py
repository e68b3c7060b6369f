"""Findings as lines of text, as JSON, and as GitHub's commands for annotations."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence

from .findings import RULES, SEVERITIES, Finding


def as_text(findings: Sequence[Finding]) -> str:
    """`file:line:column: severity: layer: message; advice [rule]` for each, and their number."""
    lines = []
    for f in findings:
        layer = f"{f.layer}: " if f.layer else ""
        fixable = ", --fix" if f.fixable else ""
        place = f"{f.file}:{f.line}:{f.column}"
        lines.append(f"{place}: {f.severity}: {layer}{f.message}; {f.advice} [{f.rule}{fixable}]")
    return "\n".join([*lines, summary(findings)])


def summary(findings: Iterable[Finding]) -> str:
    """`2 errors, 1 warning`."""
    counts = Counter(f.severity for f in findings)
    parts = [f"{counts[s]} {s}{'s' * (counts[s] != 1)}" for s in SEVERITIES if counts[s]]
    return ", ".join(parts) or "nothing found"


def as_json(findings: Sequence[Finding]) -> str:
    """A list of objects."""
    keys = ("rule", "severity", "file", "line", "column", "layer", "message", "advice", "fixable")
    return json.dumps([{key: getattr(f, key) for key in keys} for f in findings], indent=1, ensure_ascii=False)


def as_github(findings: Sequence[Finding]) -> str:
    """Workflow commands, which show at the lines of a pull request."""
    kinds = {"error": "error", "warning": "warning", "note": "notice"}
    lines = []
    for f in findings:
        layer = f"{f.layer}: " if f.layer else ""
        properties = f"file={_property(f.file)},line={f.line},col={f.column},title={_property(f.rule)}"
        lines.append(f"::{kinds[f.severity]} {properties}::{_escaped(f'{layer}{f.message}; {f.advice}')}")
    return "\n".join(lines)


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")


def rule_table() -> str:
    """The table of rules."""
    width = max(map(len, RULES))
    rows = sorted(RULES.values(), key=lambda r: (SEVERITIES.index(r.severity), r.name))
    return "\n".join(f"{r.name:{width}s}  {r.severity:7s}  {r.summary}" for r in rows)


FORMATS = {"text": as_text, "json": as_json, "github": as_github}
