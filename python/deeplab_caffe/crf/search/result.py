"""The result of a search: the table of all settings, the best, and whether the CRF helps."""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ...errors import InputError
from ...evaluation import MEAN_IOU_RULE, differing_classes
from ...files import replacing, write_text
from ...reading import read_text, reason_of
from ...tables import table
from ..params import CRFParameters


@dataclass(frozen=True)
class ScoredSetting:
    """One setting and its mean IoU (0 to 1) over all images of the search.

    `round` is "coarse", "wider" (beyond the ranges of the coarse round) or "fine"; "screen" for the cheaper inference
    of the screening.
    """

    round: str
    w1: float
    sigma_alpha: float
    sigma_beta: float
    mean_iou: float


@dataclass(frozen=True)
class SearchResult:
    """All settings with their mean IoU, the best, and the mean IoU without CRF on the same images.

    Mean IoUs are fractions, over the classes that occur in the labels or the predictions. `at_edge` names the
    parameters whose best value is the first or last of those tried. `gain_interval` contains the gain in 95 % of
    bootstrap resamples of the images; None for a single image. `classes_before`, `classes_after`: IoU of each class,
    None if it occurs neither in the labels nor in the predictions. `widened`: how many times the search was widened;
    None if it was not to be.
    """

    rows: tuple[ScoredSetting, ...]
    best: CRFParameters
    best_mean_iou: float
    baseline_mean_iou: float
    images: int
    at_edge: tuple[str, ...] = ()
    gain_interval: tuple[float, float] | None = None
    classes_before: tuple[float | None, ...] = ()
    classes_after: tuple[float | None, ...] = ()
    widened: int | None = None

    @property
    def helps(self) -> bool:
        """Whether the best setting beats the scores without CRF."""
        return self.best_mean_iou > self.baseline_mean_iou

    def summary(self) -> str:
        """A few lines of text."""
        best = self.best
        lines = [
            f"{_counted(self.images, 'image')}, {self._tried()}",
            self.verdict(),
            f"best: w1 {best.w1:g}, sigma_alpha {best.sigma_alpha:g}, sigma_beta {best.sigma_beta:g} "
            f"(w2 {best.w2:g}, sigma_gamma {best.sigma_gamma:g}, {best.iterations} iterations)",
        ]
        lines += filter(None, (self.widening(), self.edge()))
        return "\n".join(lines)

    def widening(self) -> str:
        """One sentence on how far the search was widened and what it cost; empty if it was not."""
        if not self.widened:
            return ""
        settings = sum(row.round == "wider" for row in self.rows)
        times = "once" if self.widened == 1 else f"{self.widened} times"
        reached = "; ".join(filter(None, map(self._reached, ("w1", "sigma_alpha", "sigma_beta"))))
        cost = f" ({reached}): {_counted(settings, 'further setting')}" if settings else " in the fine round"
        return f"The search was widened {times}, because the best was at an end of what was searched{cost}."

    def _reached(self, name: str) -> str:
        """`w1 from 3 to 8` if a parameter was tried beyond the first ranges; or empty."""
        first = [getattr(row, name) for row in self.rows if row.round in ("coarse", "screen")]
        every = [getattr(row, name) for row in self.rows if row.round != "fine"]
        wider = min(every) < min(first) or max(every) > max(first)
        return f"{name} from {min(every):g} to {max(every):g}" if wider else ""

    def edge(self) -> str:
        """One sentence if the best lies at an end of what was searched; otherwise empty."""
        if not self.at_edge:
            return ""
        names = ", ".join(self.at_edge)
        if self.widened is None:
            return (
                f"Note: the best lies on the edge of the range searched ({names}), and the search was not to be "
                "widened; a better one may lie outside: `deeplab crf-search --widen` goes on until it does not."
            )
        return (
            f"Note: the best still lies on the edge of what was searched ({names}), and the search is not widened "
            "further by itself; `deeplab crf-search` takes other ranges."
        )

    def _tried(self) -> str:
        """The number of settings scored."""
        screened = sum(row.round == "screen" for row in self.rows)
        scored = _counted(len(self.rows) - screened, "setting")
        return f"{scored} in full, the coarse ones chosen among {screened} by screening" if screened else scored

    def verdict(self) -> str:
        """One sentence: whether the CRF helps on these images, and by how much."""
        before, after = 100 * self.baseline_mean_iou, 100 * self.best_mean_iou
        numbers = f"mean IoU {before:.2f} % without it, {after:.2f} % with the best setting ({after - before:+.2f})"
        low, high = (100 * value for value in self.gain_interval or (-math.inf, math.inf))
        if self.gain_interval is not None:
            numbers += f"; 95 % interval over images {low:+.2f} to {high:+.2f}"
        if not self.helps:
            elsewhere = "search beyond the edges or leave the CRF out" if self.at_edge else "leave the CRF out"
            return f"The CRF does not help: {numbers}; {elsewhere}."
        if self.images == 1:
            return f"The CRF helps on this image: {numbers}."
        if low > 0:
            return f"The CRF helps: {numbers}."
        return f"The CRF may help: {numbers}, so it could be chance: search on more images."

    def class_table(self, names: Sequence[str] = ()) -> str:
        """A table of each class's IoU in percent, without the CRF and with the best setting."""
        names = names or [str(number) for number in range(len(self.classes_before))]
        rows = [_class_row(*row) for row in zip(names, self.classes_before, self.classes_after, strict=True)]
        mean = _class_row("mean IoU", self.baseline_mean_iou, self.best_mean_iou)
        headings = ("without CRF", "with CRF")
        notes = differing_classes(names, self.classes_before, self.classes_after, headings)
        lines = table(("class", *(f">{heading}" for heading in headings), ">change"), [*rows, mean])
        return "\n".join([f"IoU in %; {MEAN_IOU_RULE}", *notes, *lines])

    def to_json(self) -> str:
        """The whole result as JSON."""
        return json.dumps({**asdict(self), "helps": self.helps}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> SearchResult:
        """The inverse of `to_json`. Raises InputError for other text."""
        try:
            values: Any = json.loads(text)
            if not isinstance(values, dict):
                raise InputError(f"not the result of a CRF search: expected a JSON object, got {type(values).__name__}")
            values.pop("helps", None)
            rows = tuple(ScoredSetting(**row) for row in values.pop("rows"))
            best = CRFParameters(**values.pop("best"))
            lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
            result = cls(rows, best, **{**values, **lists})
            result.summary(), result.class_table()  # values of other types fail here
            return result
        except InputError:
            raise
        except Exception as error:
            raise InputError(f"not the result of a CRF search: {reason_of(error)}") from error

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write `to_json` to a file, whole or not at all."""
        write_text(path, self.to_json() + "\n")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> SearchResult:
        """Read a file that `save` wrote. Raises InputError with the file's name."""
        text = read_text(path, "the result of the search")
        try:
            return cls.from_json(text)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error

    def save_csv(self, path: str | os.PathLike[str]) -> None:
        """Write the table, one line per setting in the order of scoring, mean IoU as a fraction."""
        with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(("round", "w1", "sigma_alpha", "sigma_beta", "mean_iou"))
            writer.writerow(("without CRF", "", "", "", repr(self.baseline_mean_iou)))
            for row in self.rows:
                setting = (f"{value:g}" for value in (row.w1, row.sigma_alpha, row.sigma_beta))
                writer.writerow((row.round, *setting, repr(row.mean_iou)))


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" + ("s" if number != 1 else "")


def _class_row(name: str, before: float | None, after: float | None) -> tuple[str, ...]:
    if before is None or after is None:
        return name, *("-" if value is None else f"{100 * value:.2f}" for value in (before, after)), "-"
    return name, f"{100 * before:.2f}", f"{100 * after:.2f}", f"{100 * (after - before):+.2f}"
