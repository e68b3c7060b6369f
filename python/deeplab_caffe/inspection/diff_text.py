"""A PrototxtDifference as text for a terminal, as short lines for a report, and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

from .diff import LayerChange, PrototxtDifference
from .diff_fields import FieldChange

#: mark → its ANSI colour
_COLOURS = {"-": 31, "+": 32, "~": 33, ">": 36}


def as_text(difference: PrototxtDifference, colours: bool = False) -> str:
    """The difference, with the place of every value. Marks: - removed, + added, ~ changed, > moved or renamed."""
    if difference.equal:
        return ""
    paint = _painter(colours)
    lines = [paint("-", f"--- {difference.before}"), paint("+", f"+++ {difference.after}")]
    lines += [_field_line(change, paint("~", "~ "), paint) for change in difference.top]
    lines += [f"{paint('-', f'- {layer.name}')} ({layer.type})  {layer.where}" for layer in difference.removed]
    lines += [f"{paint('+', f'+ {layer.name}')} ({layer.type})  {layer.where}" for layer in difference.added]
    lines += [line for run in _runs(difference.changed) for line in _run_lines(run, paint)]
    lines += [f"{paint('>', '>')} blob {old} → {new}" for old, new in difference.blobs]
    return "\n".join([*lines, "", _counts(difference)]) + "\n"


def summary(difference: PrototxtDifference) -> list[str]:
    """Short lines without places: `fc6: dilation 12 → 6, pad 12 → 6`, `drop6, drop7: removed`."""
    said: dict[str, list[str]] = {}
    for layer in difference.removed:
        said.setdefault("removed", []).append(layer.name)
    for layer in difference.added:
        said.setdefault("added", []).append(layer.name)
    for change in difference.changed:
        said.setdefault(_in_short(change), []).append(change.before.name)
    lines = [change.short for change in difference.top]
    lines += [f"{_names(names)}: {what}" for what, names in said.items()]
    return lines + [f"blob {old}: renamed to {new}" for old, new in difference.blobs]


def as_json(difference: PrototxtDifference) -> dict[str, Any]:
    """The difference as lists and dictionaries, named as in PrototxtDifference."""
    return {"equal": difference.equal, **asdict(difference)}


def _in_short(change: LayerChange) -> str:
    parts = [f"renamed to {change.after.name}"] if change.renamed else []
    parts += [field.short for field in (*change.fields, *change.connections)]
    return ", ".join([*parts, *(["moved"] if change.moved else [])])


def _names(names: list[str]) -> str:
    return ", ".join(names) if len(names) < 5 else f"{', '.join(names[:3])} and {len(names) - 3} more"


_Paint = Callable[[str, str], str]


def _painter(colours: bool) -> _Paint:
    return lambda mark, text: f"\033[{_COLOURS[mark]}m{text}\033[0m" if colours else text


def _runs(changed: list[LayerChange]) -> list[list[LayerChange]]:
    """Consecutive layers that only moved as one group, every other layer by itself."""
    runs: list[list[LayerChange]] = []
    for change in changed:
        if runs and _only_moved(change) and _only_moved(runs[-1][-1]):
            runs[-1].append(change)
        else:
            runs.append([change])
    return runs


def _only_moved(change: LayerChange) -> bool:
    return change.moved and not (change.fields or change.connections or change.renamed)


def _run_lines(run: list[LayerChange], paint: _Paint) -> Iterator[str]:
    first, last = run[0], run[-1]
    if len(run) > 1:
        names = f"> {first.after.name} … {last.after.name}"
        yield f"{paint('>', names)} ({len(run)} layers) moved  {first.before.where} → {first.after.where}"
        return
    name = f"{first.before.name} → {first.after.name}" if first.renamed else first.after.name
    changes = (*first.fields, *first.connections)
    mark = "~" if changes else ">"
    moved = " moved" if first.moved else ""
    yield f"{paint(mark, f'{mark} {name}')} ({first.after.type}){moved}  {first.before.where} → {first.after.where}"
    for change in changes:
        yield _field_line(change, "    ", paint)


def _field_line(change: FieldChange, begin: str, paint: _Paint) -> str:
    lines = list(dict.fromkeys(filter(None, map(_line_number, (change.where_before, change.where_after)))))
    place = f"  ({'line' if len(lines) == 1 else 'lines'} {' → '.join(lines)})" if lines else ""
    return f"{begin}{change.path}: {paint('-', change.before)} → {paint('+', change.after)}{place}"


def _line_number(place: str) -> str:
    return place.split(":")[-2] if place.count(":") >= 2 else ""


def _counts(difference: PrototxtDifference) -> str:
    """`layers: 1 removed, 2 changed`."""
    kinds = {
        "removed": len(difference.removed),
        "added": len(difference.added),
        "changed": sum(bool(c.fields or c.connections) for c in difference.changed),
        "renamed": sum(c.renamed for c in difference.changed),
        "moved": sum(c.moved for c in difference.changed),
    }
    parts = [f"{count} {what}" for what, count in kinds.items() if count]
    listed = [f"layers: {', '.join(parts)}"] if parts else []
    if difference.top:
        listed.append(f"fields outside layers: {len(difference.top)}")
    if difference.blobs:
        listed.append(f"blobs renamed: {len(difference.blobs)}")
    return "; ".join(listed)
