"""The ledger, docs/ledger.md: each published number, the command that reproduces it, and ours where it was run."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from .ledger_results import Result
from .model_names import starts_from, target
from .published import MEAN_IOU, PublishedNumber, PublishedTable, published_numbers, published_tables
from .variants import VARIANTS

_PARAMETERS = "parameters, M"
_HEAD = """\
# Ledger

Every number that the publications report of a net that has a target here, each once where it is printed, with the
command that reproduces it and what it gave here. `deeplab ledger` writes this page from two tables: the published
numbers (`python/deeplab_caffe/nets/published.toml`, which `deeplab list` shows by model) and our results
(`docs/results.toml`). `deeplab ledger --add voc_largefov` appends the scores of that experiment, with hardware, date,
commit and versions.

How to read it:

- A row names all features of the published row: one with MSC and Aug is not the row with MSC.
- Mean IoU is in percent. One command gives the score before the CRF and the one after it.
- A model that starts from another model needs that one first: [below](#models-that-start-from-others). All others
  start from published weights, as [models](models.md) says.
- Scores on test lists come from the servers of VOC and Cityscapes: `--test-set test` makes the labels to submit, with
  the weights of stage 2 where there is one; `deeplab submit` packs them, with `--without-crf` for a row without it.
- "OS" is the output stride of the test net where it is not that of training, "MS" a test at several scales.
- A number that stands in two tables, or in two papers, is a row in each.
- "counted": the number of parameters is that of the net that is written here; tests hold it.
- Speeds and times are those of the authors' machines: the command measures them on yours.
- Without a row is what describes a protocol and is no result: sizes of lists, ranges of the CRF's parameters, scales,
  rates, the widths of DeepLab v2's Figure 10, whose curves are drawn and not printed as numbers.
- "none": nothing here reproduces the number, and why.
"""
_COLUMNS = ("row", "scored on", "CRF", "tested", "published", "ours", "command")


def ledger_page(results: Sequence[Result]) -> str:
    """The page docs/ledger.md.

    Args:
        results: our own results; the last one of each number is shown.
    """
    numbers = published_numbers()
    run = sum(1 for number in numbers if _result(number, results) or number.of == _PARAMETERS)
    lines = [_HEAD, f"{len(numbers)} published numbers; {run} run or counted here.", ""]
    publication = ""
    for table in published_tables():
        if table.publication != publication:
            publication = table.publication
            lines += [f"## {publication} ({table.source})", ""]
        lines += _table(table, results)
    return "\n".join([*lines, *_starts()]) + "\n"


def _table(table: PublishedTable, results: Sequence[Result]) -> Iterator[str]:
    yield f"### {table.heading}"
    yield ""
    yield f"{table.protocol[0].upper()}{table.protocol[1:]}."
    yield ""
    yield _row(_COLUMNS)
    yield "|---" * len(_COLUMNS) + "|"
    for number in table.numbers:
        yield _row(_cells(number, results))
    yield ""


def _cells(number: PublishedNumber, results: Sequence[Result]) -> tuple[str, ...]:
    what = "" if number.of == MEAN_IOU else f" {number.of}"
    row = f"{number.row} ({number.note})" if number.note else number.row
    scored = f"{number.dataset} {number.split}" if number.of == MEAN_IOU else "–"
    crf = ("yes" if number.crf else "no") if number.of == MEAN_IOU else "–"
    return row, scored, crf, number.test_words or "–", f"{number.value}{what}", _ours(number, results), _command(number)


def _ours(number: PublishedNumber, results: Sequence[Result]) -> str:
    if number.of == _PARAMETERS and number.model:
        return f"{VARIANTS[number.model].parameters / 1e6:.1f}, counted"
    result = _result(number, results)
    if result is None:
        return "not run" if number.name or number.command else "–"
    where = "; ".join(filter(None, (result.hardware, result.date, f"commit {result.commit}", result.versions)))
    differs = "; ".join(filter(None, (result.options and f"with `{result.options}`", result.note)))
    return f"{result.value} ({where})" + (f", {differs}" if differs else "")


def _result(number: PublishedNumber, results: Sequence[Result]) -> Result | None:
    """The last result of a published number: without options of its own, if there is one."""
    found = [result for result in results if not number.why and result.is_of(number)]
    return next((result for result in reversed(found) if not result.options), found[-1] if found else None)


def _command(number: PublishedNumber) -> str:
    if number.why:
        return f"none: {number.why}"
    if number.command or number.of == _PARAMETERS:
        return f"`{number.command or 'deeplab list'}`"
    assert number.model
    return f"`{shlex.join(['make', target(number.dataset, number.model)])}{_arguments(number)}`"


def _arguments(number: PublishedNumber) -> str:
    return f' ARGS="{shlex.join(number.test_flags)}"' if number.test_flags else ""


def _starts() -> Iterator[str]:
    """What has to be trained before a target of the ledger."""
    yield "## Models that start from others"
    yield ""
    yield "These commands come first, in this order; only stage 1 of each is needed."
    yield ""
    yield _row(("target", "first"))
    yield "|---|---|"
    names = dict.fromkeys(number.name for number in published_numbers() if number.name)
    for name in names:
        if before := list(_ancestors(name)):
            commands = "<br>".join(f"`{_training(other)}`" for other in reversed(before))
            yield _row((f"`{_target(name)}`", commands))


def _ancestors(name: str) -> Iterator[str]:
    """The models whose weights `<data set>/<model>` starts from, the nearest first."""
    while before := starts_from(name):
        yield before
        name = before


def _target(name: str) -> str:
    return target(*name.split("/"))


def _training(name: str) -> str:
    stages = ("data", "prototxt", "train")
    return " ".join(["make", *(f"{_target(name)}.{stage}" for stage in stages)])


def _row(cells: Sequence[str]) -> str:
    """A row of a table in Markdown; a cell is one line, and has no bar of its own."""
    words = (" ".join(cell.split()).replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(words)} |"
