"""The coarse-to-fine search for the CRF's parameters (DeepLab v2, section 4.1.1)."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import math
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deeplab_caffe.errors import InputError
from deeplab_caffe.evaluation import Scores, confusion_matrix
from deeplab_caffe.progress import tracked

from ..lattice import bilateral_lattice, position_lattice
from ..mean_field import MeanField, Pairwise
from .items import Item, Sample, choose_evenly
from .result import Row, SearchResult
from .space import SearchSpace, Setting
from .state import Matrix, State

_STATE_VERSION = 1


class _Job(NamedTuple):
    """What every worker knows."""

    items: tuple[Item, ...]
    space: SearchSpace
    num_classes: int
    ignore_label: int | None


class _Unit(NamedTuple):
    """The work of one task: an image and settings that share one lattice; no settings: score it without CRF."""

    item: int
    settings: tuple[Setting, ...]


def coarse_to_fine(
    items: Sequence[Item],
    num_classes: int,
    space: SearchSpace | None = None,
    *,
    ignore_label: int | None = 255,
    max_images: int = 100,
    workers: int = 1,
    processes: bool = False,
    state: str | os.PathLike[str] | None = None,
    quiet: bool = False,
) -> SearchResult:
    """Score every setting of the coarse grid, then of a finer one around its best, by mean IoU.

    The mean IoU comes from one confusion matrix per setting, summed over all images; of equals the first wins.
    More than `max_images` items are thinned out evenly. `workers` threads share the work, which releases the
    interpreter's lock; with `processes` they are processes, and the calling script needs the usual
    `if __name__ == "__main__"`. `state` names a file that keeps what was counted: a search that was killed goes on
    from there, and ends with the same result.
    Raises InputError for no items, and for items that cannot be read, with their files' names.
    """
    chosen = tuple(choose_evenly(items, max_images))
    if not chosen:
        raise InputError("CRF search: no images to search on")
    if workers < 1 or max_images < 1:
        raise InputError(f"CRF search: workers is {workers} and max_images {max_images}, wanted 1 or more")
    job = _Job(chosen, space or SearchSpace(), num_classes, ignore_label)
    with contextlib.closing(State(state)) as kept, contextlib.closing(_Crew(job, workers, processes)) as crew:
        return _Search(job, kept, crew, quiet).run()


class _Search:
    def __init__(self, job: _Job, state: State, crew: _Crew, quiet: bool) -> None:
        self.job, self.state, self.crew, self.quiet = job, state, crew, quiet
        space = job.space
        fixed = (_STATE_VERSION, job.num_classes, job.ignore_label, space.w2, space.sigma_gamma, space.iterations)
        salt = repr((*fixed, space.normalization)).encode()
        self.digests = [_hash(item.digest().encode() + salt) for item in job.items]

    def run(self) -> SearchResult:
        space = self.job.space
        self._count([None], "CRF search, without CRF")
        coarse = space.coarse()
        self._count(coarse, "CRF search, coarse")
        scored = {setting: self._mean_iou(setting) for setting in coarse}
        edge_of = _best(scored)
        fine = [setting for setting in space.fine(edge_of) if setting not in scored]
        self._count(fine, "CRF search, fine")
        scored.update((setting, self._mean_iou(setting)) for setting in fine)
        best = _best(scored)
        rows = tuple(
            Row("coarse" if number < len(coarse) else "fine", *setting, mean_iou)
            for number, (setting, mean_iou) in enumerate(scored.items())
        )
        return SearchResult(
            rows, space.parameters(best), scored[best], self._mean_iou(None), len(self.job.items), space.edges(edge_of)
        )

    def _mean_iou(self, setting: Setting | None) -> float:
        return Scores.from_matrix(np.sum([self.state[digest, setting] for digest in self.digests], axis=0)).mean_iou

    def _count(self, settings: Sequence[Setting | None], title: str) -> None:
        """Fill the state with what is missing for these settings."""
        units = self._missing(settings)
        if not units:
            return
        counted = self.crew.count(units)
        for unit, matrices in counted if self.quiet else tracked(counted, title, len(units), "step"):
            for setting, matrix in zip(unit.settings or (None,), matrices, strict=True):
                self.state.add((self.digests[unit.item], setting), matrix)
            self.state.flush()

    def _missing(self, settings: Sequence[Setting | None]) -> list[_Unit]:
        units: list[_Unit] = []
        for index, digest in enumerate(self.digests):
            groups: dict[tuple[float, float] | None, list[Setting]] = {}
            for setting in settings:
                if (digest, setting) not in self.state:
                    group = groups.setdefault(setting and (setting.sigma_alpha, setting.sigma_beta), [])
                    group.extend([setting] if setting else [])
            units.extend(_Unit(index, tuple(group)) for group in groups.values())
        return units


def _hash(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _best(scored: dict[Setting, float]) -> Setting:
    """The setting of the highest mean IoU, the first of equals; a grid without any label counts as 0."""
    return max(scored, key=lambda setting: -math.inf if math.isnan(scored[setting]) else scored[setting])


class _Crew:
    """Threads, or processes, that count units; they start when there is work."""

    def __init__(self, job: _Job, count: int, processes: bool) -> None:
        if processes:
            context = multiprocessing.get_context("spawn")
            self._pool: Executor = ProcessPoolExecutor(count, context, _start_process, (job,))
        else:
            self._pool = ThreadPoolExecutor(count, "crf-search", _start_worker, (job,))

    def count(self, units: Sequence[_Unit]) -> Iterator[tuple[_Unit, list[Matrix]]]:
        """Each unit with its confusion matrices, as they get done."""
        futures = {self._pool.submit(_count_in_worker, unit): unit for unit in units}
        for future in as_completed(futures):
            yield futures[future], future.result()

    def close(self) -> None:
        """Drop what has not begun, wait for what has."""
        self._pool.shutdown(cancel_futures=True)


_own = threading.local()  # its `worker`: a MeanField serves one thread


def _start_process(job: _Job) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the parent ends the pool
    _start_worker(job)


def _start_worker(job: _Job) -> None:
    _own.worker = _Worker(job)


def _count_in_worker(unit: _Unit) -> list[Matrix]:
    return _own.worker.count(unit)


class _Worker:
    """Counts units; keeps the image that was used last, because successive units often share it."""

    def __init__(self, job: _Job) -> None:
        self.job = job
        self._open = functools.lru_cache(maxsize=1)(self._load)

    def _load(self, index: int) -> tuple[Sample, MeanField]:
        sample = self.job.items[index].load()
        if len(sample.unary) != self.job.num_classes:
            raise InputError(
                f"{self.job.items[index].name}: scores of {len(sample.unary)} classes, "
                f"but the data set has {self.job.num_classes}"
            )
        return sample, MeanField(sample.unary)

    def count(self, unit: _Unit) -> list[Matrix]:
        """The confusion matrices of the unit's settings, or of the scores as they are."""
        sample, mean_field = self._open(unit.item)
        if not unit.settings:
            return [self._matrix(unit, sample, sample.unary.argmin(axis=0))]
        space = self.job.space
        height, width = sample.label.shape
        first = unit.settings[0]
        spatial = position_lattice(height, width, space.sigma_gamma)
        bilateral = bilateral_lattice(sample.image, first.sigma_alpha, first.sigma_beta)
        pairwise = Pairwise([spatial, bilateral])
        matrices = []
        for setting in unit.settings:
            beliefs = mean_field.run(pairwise, (space.w2, setting.w1), space.iterations, space.normalization)
            matrices.append(self._matrix(unit, sample, beliefs.labels()))
        return matrices

    def _matrix(self, unit: _Unit, sample: Sample, labels: NDArray) -> Matrix:
        try:
            return confusion_matrix(sample.label, labels, self.job.num_classes, self.job.ignore_label)
        except InputError as error:
            raise InputError(f"{self.job.items[unit.item].name}: {error}") from error
