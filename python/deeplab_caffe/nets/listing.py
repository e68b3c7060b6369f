"""The table of variants to be read: as text, and as a page of the documentation."""

from __future__ import annotations

from collections.abc import Sequence

from .published import MEAN_IOU, published_numbers
from .variant import Variant
from .variants import FAMILIES, VARIANTS

_HEAD = ("model", "parameters", "field of view", "data sets", "mean IoU as published, %")
_LEGEND = """\
Parameters are learnt weights with 21 classes. The field of view is that of the head in pixels, as DeepLab v1 counts it.
Scores are on VOC 2012 val unless said otherwise, + after the CRF. OS: output stride of testing; MS: several scales.
`deeplab ledger` shows them by table, with the command that reproduces each."""
_PAGE = """\
# Models

Every model is a make target, on every data set: `make voc_largefov` goes from data to report, `make voc_largefov.train`
does one stage, `make cityscapes_resnet101_aspp` is another. Its nets and solvers lie in `prototxt/<data set>/<model>/`.
A few are committed, to be read: [prototxt](../prototxt/README.md) says which. The others are written there by the stage
`prototxt`, or by a command, `deeplab prototxt voc12/resnet101_msc`. For a data set of your own: `deeplab prototxt
mydata/aspp_l --data my.toml`. This page is written by `deeplab list --markdown`.
"""


def as_text() -> str:
    """One line for each model, grouped by family."""
    tables = {title: [_cells(name, name, row) for name, row in family.items()] for title, family in FAMILIES.items()}
    columns = zip(_HEAD, *(cells for table in tables.values() for cells in table), strict=True)
    widths = [max(map(len, column)) for column in columns]
    lines = [_LEGEND, "", _line(_HEAD, widths)]
    for title, table in tables.items():
        lines += ["", title, *(_line(cells, widths) for cells in table)]
    lines += ["", "From data to report: deeplab all voc12/largefov; one stage: deeplab train cityscapes/aspp_l."]
    return "\n".join(lines) + "\n"


def as_markdown() -> str:
    """The page docs/models.md: a table for each family, with what each model is and where it comes from."""
    lines = [_PAGE, " ".join(_LEGEND.splitlines())]
    head = (*_HEAD, "what it is", "starts from", "CRF preset", "source")
    for title, family in FAMILIES.items():
        lines += ["", f"## {title}", "", _row(head), "|---" * len(head) + "|"]
        for name, row in family.items():
            lines.append(_row((*_cells(name, f"`{name}`", row), row.title, row.initial, row.crf or "–", row.source)))
    return "\n".join(lines) + "\n"


def _cells(model: str, name: str, row: Variant) -> tuple[str, ...]:
    view = str(row.field_of_view) if row.field_of_view else "–"
    return name, f"{row.parameters / 1e6:.1f} M", view, ", ".join(row.datasets), _scores(model)


def _scores(model: str) -> str:
    """`62.25 +67.64; test +70.3; pascal_context 37.6 +39.6`: each value once."""
    groups: dict[str, dict[str, None]] = {}
    order = VARIANTS[model].datasets
    numbers = [number for number in published_numbers(model) if number.of == MEAN_IOU]
    for score in sorted(numbers, key=lambda number: (order.index(number.dataset), number.split != "val")):
        where = [score.dataset] * (score.dataset != "voc12") + [score.split] * (score.split != "val")
        value = f"{'+' if score.crf else ''}{score.value}"
        shown = f"{value} ({score.test_words})" if score.test_words else value
        groups.setdefault(" ".join(where), {})[shown] = None
    return "; ".join(" ".join([where, *values]).strip() for where, values in groups.items()) or "–"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  " + "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
