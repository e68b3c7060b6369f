"""What a search found: the table of all settings, the best, and whether the CRF helps at all."""

from __future__ import annotations

import csv
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from deeplab_caffe.errors import InputError
from deeplab_caffe.files import replacing, write_text

from ..params import CRFParameters


@dataclass(frozen=True)
class Row:
    """One setting and its mean IoU (0 to 1) over all images of the search; `round` is "coarse" or "fine"."""

    round: str
    w1: float
    sigma_alpha: float
    sigma_beta: float
    mean_iou: float


@dataclass(frozen=True)
class SearchResult:
    """All settings with their mean IoU, the best, and the mean IoU without CRF on the same images.

    `at_edge` names the parameters whose best coarse value was the first or last of its range.
    """

    rows: tuple[Row, ...]
    best: CRFParameters
    best_mean_iou: float
    baseline_mean_iou: float
    images: int
    at_edge: tuple[str, ...] = ()

    @property
    def helps(self) -> bool:
        """Whether the best setting beats the scores without CRF."""
        return self.best_mean_iou > self.baseline_mean_iou

    def summary(self) -> str:
        """A few lines for people."""
        best, before, after = self.best, 100 * self.baseline_mean_iou, 100 * self.best_mean_iou
        lines = [
            f"{self.images} images, {len(self.rows)} settings",
            f"mean IoU without CRF {before:.2f} %, best {after:.2f} % ({after - before:+.2f})",
            f"best: w1 {best.w1:g}, sigma_alpha {best.sigma_alpha:g}, sigma_beta {best.sigma_beta:g} "
            f"(w2 {best.w2:g}, sigma_gamma {best.sigma_gamma:g}, {best.iterations} iterations)",
        ]
        if self.at_edge:
            lines.append(f"on the edge of the coarse range: {', '.join(self.at_edge)}")
        if not self.helps:
            lines.append("no setting beats the scores without CRF: leave the CRF out")
        return "\n".join(lines)

    def to_json(self) -> str:
        """The whole result as JSON."""
        return json.dumps({**asdict(self), "helps": self.helps}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> SearchResult:
        """The inverse of `to_json`. Raises InputError for other text."""
        try:
            values: dict[str, Any] = json.loads(text)
            values.pop("helps", None)
            rows = tuple(Row(**row) for row in values.pop("rows"))
            best = CRFParameters(**values.pop("best"))
            return cls(rows, best, at_edge=tuple(values.pop("at_edge")), **values)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise InputError(f"not the result of a CRF search: {error}") from error

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write `to_json` to a file, whole or not at all."""
        write_text(path, self.to_json() + "\n")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> SearchResult:
        """Read a file that `save` wrote. Raises InputError with the file's name."""
        try:
            return cls.from_json(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror}") from error
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
