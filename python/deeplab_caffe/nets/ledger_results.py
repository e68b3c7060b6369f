"""Our own results beside the published numbers: docs/results.toml, to which `deeplab ledger --add` appends."""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..files import write_text
from ..locks import locked_folder
from ..reading import read_toml, reading
from ..spelling import did_you_mean
from .published import MEAN_IOU, PublishedNumber

#: where results are kept, relative to the repository
RESULTS = Path("docs/results.toml")
_HEAD = """\
# What was run here of the published numbers. `deeplab ledger --add NAME` appends to it; docs/ledger.md shows it.
# name, split, crf, of, output_stride, scales and flip are those of the row of the ledger that it stands beside.
"""


@dataclass(frozen=True)
class Result:
    """One number that was measured here.

    Attributes:
        name: `<data set>/<model>`; "" for a number that belongs to none.
        split: the list that was scored.
        value: as it is shown, in the unit of `of`.
        hardware, date, commit, versions: what it was run on, when (ISO 8601), and with what.
        crf, of, output_stride, scales, flip: as in `PublishedNumber`.
        options: flags of the training that the published protocol has not.
        note: what else differs.
    """

    name: str
    split: str
    value: str
    hardware: str
    date: str
    commit: str
    versions: str
    crf: bool = False
    of: str = MEAN_IOU
    output_stride: int | None = None
    scales: tuple[float, ...] = ()
    flip: bool = False
    options: str = ""
    note: str = ""

    def is_of(self, number: PublishedNumber) -> bool:
        """Whether it was measured as the published number was."""
        return _protocol(self) == _protocol(number)


def _protocol(row: Result | PublishedNumber) -> tuple[Any, ...]:
    return row.name or "", row.split, row.crf, row.of, row.output_stride, row.scales, row.flip


def _is_numbers(value: Any) -> bool:
    return isinstance(value, list) and all(type(item) in (int, float) for item in value)


#: what each key of a result is, in TOML; those that are not here are texts
_KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "crf": (lambda value: isinstance(value, bool), "true or false"),
    "flip": (lambda value: isinstance(value, bool), "true or false"),
    "output_stride": (lambda value: type(value) is int, "a whole number"),
    "scales": (_is_numbers, "numbers, as in [0.5, 1]"),
}
_TEXT = (lambda value: isinstance(value, str), "text in quotes")
_KEYS = [field.name for field in fields(Result)]
_NEEDED = _KEYS[:7]


def read_results(path: str | os.PathLike[str] = RESULTS) -> list[Result]:
    """The results in a file, in its order; [] if it does not exist.

    Raises:
        InputError: it is not TOML, or a result has an unknown, missing or wrong key.
    """
    if not Path(path).exists():
        return []
    table = read_toml(path, "the results")
    with reading(path, "the results", "not a file of results"):
        return [_result(path, number, row) for number, row in enumerate(table.get("results", []), 1)]


def _result(path: str | os.PathLike[str], number: int, row: dict[str, Any]) -> Result:
    where = f"{os.fspath(path)}: result {number}"
    for key, value in row.items():
        if key not in _KEYS:
            known = f"; known are: {', '.join(_KEYS)}"
            raise InputError(f"{where}: unknown key '{key}'{did_you_mean(key, _KEYS, known)}")
        is_valid, wanted = _KINDS.get(key, _TEXT)
        if not is_valid(value):
            raise InputError(f"{where}: {key} = {textwrap.shorten(repr(value), 200)}; expected {wanted}")
    if missing := [key for key in _NEEDED if key not in row]:
        raise InputError(f"{where}: {', '.join(missing)} missing")
    return Result(**{**row, "scales": tuple(float(scale) for scale in row.get("scales", ()))})


def append_results(results: Iterable[Result], path: str | os.PathLike[str] = RESULTS) -> None:
    """Append results to a file, which is made if there is none; what stands in it stays as it is.

    Raises:
        InputError: the file is damaged, or another process appends to it.
    """
    with locked_folder(Path(path).parent, f"results are being added to {os.fspath(path)}"):
        read_results(path)
        before = Path(path).read_text(encoding="utf-8") if Path(path).exists() else _HEAD
        write_text(path, before.rstrip("\n") + "\n" + "".join(map(_as_toml, results)))


def _as_toml(result: Result) -> str:
    stated = [(f.name, getattr(result, f.name)) for f in fields(Result)]
    lines = [
        f"{name} = {_value(value)}" for name, value in stated if name in _NEEDED or value not in (None, "", (), False)
    ]
    return "\n[[results]]\n" + "\n".join(lines) + "\n"


def _value(value: str | bool | int | Sequence[float]) -> str:
    """A value as JSON, which TOML reads as well except for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
