"""The coarse-to-fine search for the CRF's parameters (DeepLab v2, section 4.1.1)."""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ...evaluation import Scores, gain_interval, mean_iou
from ...progress import Progress
from ..params import check_compact
from ..pool import WorkerPool, open_pool
from .evaluator import Budget, EvaluatorFactory, WorkItem
from .items import Item, choose_evenly
from .journal import Journal, Matrix
from .result import ScoredSetting, SearchResult
from .space import SearchSpace, Setting, within_bounds

_VERSION = 2  # of the numbers that a journal holds
#: a search is widened at most so many times
MOST_ROUNDS = 8


@dataclass(frozen=True)
class SearchOptions:
    """How a search is done.

    Args:
        max_images: if there are more items, evenly spaced ones are used.
        workers: the number of threads.
        processes: processes instead of threads; the calling script then needs `if __name__ == "__main__"`.
        scheduler: the address of a Dask scheduler, whose workers are used instead.
        screen: "none", "iterations" or "half": score the coarse round with 5 iterations, or on every other pixel in
            both directions, and then only the best tenth of its settings, at least 5, in full.
        widen: search on, around the best, until it does not lie at an end of what was searched: at most `MOST_ROUNDS`
            times, as far as `WIDEST`. Without it the search is the papers'.
        compact: see `dense_crf`.
        quiet: no progress.
    """

    max_images: int = 100
    workers: int = 1
    processes: bool = False
    scheduler: str | None = None
    screen: str = "none"
    widen: bool = False
    compact: float = 0.0
    quiet: bool = False

    def __post_init__(self) -> None:
        if self.workers < 1 or self.max_images < 1:
            given = f"workers is {self.workers} and max_images {self.max_images}"
            raise InputError(f"CRF search: {given}, wanted 1 or more")
        if self.screen not in SCREENS:
            raise InputError(f"CRF search: screen is '{self.screen}', wanted one of {', '.join(SCREENS)}")
        check_compact(self.compact)


SCREENS = ("none", "iterations", "half")
_SCREEN_ITERATIONS, _SCREEN_STRIDE = 5, 2
_KEPT_SHARE, _KEPT_LEAST = 0.1, 5


def kept_of(count: int) -> int:
    """How many of `count` screened settings are scored in full."""
    return max(_KEPT_LEAST, math.ceil(_KEPT_SHARE * count))


def coarse_to_fine(
    items: Sequence[Item],
    num_classes: int,
    space: SearchSpace | None = None,
    options: SearchOptions | None = None,
    *,
    ignore_label: int | None = 255,
    journal: str | os.PathLike[str] | None = None,
) -> SearchResult:
    """Score every setting of the coarse grid, then of a finer grid around its best, by mean IoU.

    With `options.widen` the search goes on where the best lies at an end of what was searched; its order, and so its
    result, depends on the scores alone.

    The mean IoU of a setting comes from one confusion matrix, summed over all images. It is over the classes that occur
    in the labels or in the setting's predictions, as everywhere. Of equal settings the first is the best.

    Args:
        items: images with scores and labels.
        num_classes: the number of classes.
        space: the ranges and the fixed parameters.
        options: how the search is done.
        ignore_label: the label of pixels that are not scored; None for none.
        journal: a file for results: a search that was killed continues from it and ends with the same result.

    Returns:
        All settings with their scores, the best, and the score without CRF.

    Raises:
        InputError: there are no items, one cannot be read (with its files' names), or the scheduler does not answer.
    """
    options, space = options or SearchOptions(), space or SearchSpace()
    chosen = tuple(choose_evenly(items, options.max_images))
    if not chosen:
        raise InputError("CRF search: no images to search on")
    factory = EvaluatorFactory(space, num_classes, ignore_label, options.compact)
    with (
        contextlib.closing(Journal(journal)) as kept,
        contextlib.closing(open_pool(factory, options.workers, options.processes, options.scheduler)) as pool,
    ):
        return _Search(chosen, factory, kept, pool, options).run()


class _Search:
    def __init__(
        self,
        items: tuple[Item, ...],
        factory: EvaluatorFactory,
        journal: Journal,
        pool: WorkerPool,
        options: SearchOptions,
    ) -> None:
        self.items, self.space, self.journal, self.pool, self.options = items, factory.space, journal, pool, options
        self.full = Budget(self.space.iterations)
        fixed = (_VERSION, factory.num_classes, factory.ignore_label, self.space.w2, self.space.sigma_gamma)
        salt = repr((*fixed, self.space.normalization, *([options.compact] if options.compact else [])))
        self.digests = [_hash(item.digest() + salt) for item in items]
        self.rows: dict[tuple[str, Setting], float] = {}
        self.rounds = 0  # of widening

    def run(self) -> SearchResult:
        self._evaluate([None], self.full, "CRF search, without CRF")
        best = self._widened(self._coarse(self.space.coarse()))
        best = self._score("fine", self.space.fine(best), "CRF search, fine")
        return self._result(self._widened_fine(best))

    def _widened(self, best: Setting) -> Setting:
        """Score the neighbours of the best of the coarse round, until it has none that is new; returns the best."""
        tried = dict.fromkeys(self.space.coarse())
        while new := self._allowed(setting for setting in self.space.around(best, tried) if setting not in tried):
            tried.update(dict.fromkeys(new))
            best = self._score("wider", new, "CRF search, wider")
        return best

    def _widened_fine(self, best: Setting) -> Setting:
        """Score the finer grid around the best again, until the best does not lie at an end; returns the best."""
        while self._edges(best) and (new := self._allowed(filter(within_bounds, self._new(self.space.fine(best))))):
            best = self._score("fine", new, "CRF search, fine, wider")
        return best

    def _allowed(self, settings: Iterable[Setting]) -> list[Setting]:
        """The settings of one more round of widening, which is counted; none if there are enough."""
        new = list(settings) if self.options.widen and self.rounds < MOST_ROUNDS else []
        self.rounds += bool(new)
        return new

    def _coarse(self, settings: Sequence[Setting]) -> Setting:
        """Score settings, or screen them and score the best; returns the best of all that were scored in full."""
        screen = {
            "iterations": Budget(min(_SCREEN_ITERATIONS, self.space.iterations)),
            "half": Budget(self.space.iterations, _SCREEN_STRIDE),
        }.get(self.options.screen)
        if screen:
            self._evaluate(settings, screen, "CRF search, screening")
            self.rows.update((("screen", s), self._mean_iou(s, screen)) for s in settings)
            ranked = sorted(settings, key=lambda s: -_or_zero(self.rows["screen", s]))
            settings = ranked[: kept_of(len(ranked))]
        return self._score("coarse", settings, "CRF search, coarse")

    def _score(self, name: str, settings: Sequence[Setting], title: str) -> Setting:
        """Score settings in full; returns the best of all that were, the first of equals."""
        new = self._new(settings)
        self._evaluate(new, self.full, title)
        self.rows.update(((name, setting), self._mean_iou(setting, self.full)) for setting in new)
        scored = self._full_rows()
        return max(scored, key=lambda setting: _or_zero(scored[setting]))

    def _new(self, settings: Sequence[Setting]) -> list[Setting]:
        """Those that were not scored in full yet."""
        scored = self._full_rows()
        return [setting for setting in settings if setting not in scored]

    def _full_rows(self) -> dict[Setting, float]:
        return {setting: mean_iou for (name, setting), mean_iou in self.rows.items() if name != "screen"}

    def _result(self, best: Setting) -> SearchResult:
        before, after = self._matrices(None, self.full), self._matrices(best, self.full)
        classes = [tuple(None if math.isnan(v) else v for v in _class_ious(m).tolist()) for m in (before, after)]
        return SearchResult(
            tuple(ScoredSetting(name, *setting, mean_iou) for (name, setting), mean_iou in self.rows.items()),
            self.space.parameters(best),
            self._mean_iou(best, self.full),
            self._mean_iou(None, self.full),
            len(self.items),
            self._edges(best),
            gain_interval(before, after),
            classes[0],
            classes[1],
            self.rounds if self.options.widen else None,
        )

    def _edges(self, best: Setting) -> tuple[str, ...]:
        """The parameters whose best value is the smallest or largest of several that were scored."""
        tried = {name: {getattr(setting, name) for setting in self._full_rows()} for name in Setting._fields}
        return tuple(
            name
            for name, value in zip(Setting._fields, best, strict=True)
            if len(tried[name]) > 1 and value in (min(tried[name]), max(tried[name]))
        )

    def _matrices(self, setting: Setting | None, budget: Budget) -> list[Matrix]:
        return [self.journal[_key(digest, budget), setting] for digest in self.digests]

    def _mean_iou(self, setting: Setting | None, budget: Budget) -> float:
        return float(mean_iou(_class_ious(self._matrices(setting, budget))))

    def _evaluate(self, settings: Sequence[Setting | None], budget: Budget, title: str) -> None:
        """Evaluate what is missing in the journal for these settings."""
        work = [item for number in range(len(self.items)) for item in self._missing(number, settings, budget)]
        total = len(self.items) * len(settings)
        left = sum(len(group) for item in work for group in item.groups)
        if not left:
            return
        done = total - left
        with Progress(title, total, done, unit="step", shown=not self.options.quiet) as progress:
            for item, results in self.pool.run(work):
                for group, matrices in zip(item.groups, results, strict=True):
                    self.journal.add(_key(self.digests[item.number], budget), group, matrices)
                    done += len(group)
                progress.reach(done)

    def _missing(self, number: int, settings: Iterable[Setting | None], budget: Budget) -> Iterator[WorkItem]:
        """What is left to do on an image: a work item for each lattice, or for a cluster one for everything."""
        groups: dict[tuple[float, float] | None, list[Setting | None]] = {}
        for setting in settings:
            if (_key(self.digests[number], budget), setting) not in self.journal:
                groups.setdefault(setting and (setting.sigma_alpha, setting.sigma_beta), []).append(setting)
        each = [tuple(group) for group in groups.values()]
        if self.options.scheduler and each:
            yield WorkItem(number, self.items[number], budget, tuple(each))
        else:
            yield from (WorkItem(number, self.items[number], budget, (group,)) for group in each)


def _key(digest: str, budget: Budget) -> str:
    return f"{digest}/{budget.iterations}" + (f"/{budget.stride}" if budget.stride > 1 else "")


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _class_ious(matrices: Sequence[Matrix]) -> NDArray[np.float64]:
    """(C,): IoU of each class over all images, NaN for those that occur neither in labels nor in predictions."""
    return Scores.from_matrix(np.sum(matrices, axis=0)).per_class_iou


def _or_zero(mean_iou: float) -> float:
    """NaN, the mean IoU if there are no labels, as 0."""
    return 0.0 if math.isnan(mean_iou) else mean_iou
