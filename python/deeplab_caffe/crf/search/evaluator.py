"""The work of a search: confusion matrices of one image at many settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ...evaluation import confusion_matrix
from ..lattice import term_lattices
from ..mean_field import MeanField
from ..pairwise import Pairwise
from .items import Item, Sample
from .journal import Matrix
from .space import SearchSpace, Setting


class Budget(NamedTuple):
    """How thoroughly settings are tried: mean field `iterations` on the image, or on every `stride`-th pixel."""

    iterations: int
    stride: int = 1


class WorkItem(NamedTuple):
    """A task: an image, and settings in groups that share a lattice each. The group (None,) scores without CRF."""

    number: int
    item: Item
    budget: Budget
    groups: tuple[tuple[Setting | None, ...], ...]


@dataclass(frozen=True)
class EvaluatorFactory:
    """What is the same for all work items of a search; each worker calls it once for its own evaluator."""

    space: SearchSpace
    num_classes: int
    ignore_label: int | None
    compact: float = 0.0

    def __call__(self) -> Evaluator:
        return Evaluator(self)


class _LoadedImage(NamedTuple):
    """A sample as a worker keeps it: `image` and `field` at the budget's stride, `label` in full."""

    image: NDArray
    field: MeanField
    label: NDArray
    without_crf: NDArray


class Evaluator:
    """Evaluates work items in one thread; keeps the last image, because successive items often share it."""

    def __init__(self, search: EvaluatorFactory) -> None:
        self._search = search
        self._held: tuple[tuple[int, int], _LoadedImage] | None = None

    def __call__(self, work: WorkItem) -> list[list[Matrix]]:
        """The (C, C) confusion matrices of each group's settings."""
        return [self._evaluate(work, group) for group in work.groups]

    def _open(self, work: WorkItem) -> _LoadedImage:
        key = (work.number, work.budget.stride)
        if self._held is None or self._held[0] != key:
            self._held = None  # its memory is free before the next is read
            self._held = key, self._load(work.item, work.budget.stride)
        return self._held[1]

    def _load(self, item: Item, stride: int) -> _LoadedImage:
        sample: Sample = item.load()
        if len(sample.unary) != self._search.num_classes:
            raise InputError(
                f"{item.name}: scores of {len(sample.unary)} classes, but the data set has {self._search.num_classes}"
            )
        unary = np.ascontiguousarray(sample.unary[:, ::stride, ::stride])
        image = np.ascontiguousarray(sample.image[::stride, ::stride])
        return _LoadedImage(image, MeanField(unary, self._search.compact), sample.label, sample.unary.argmin(axis=0))

    def _evaluate(self, work: WorkItem, group: tuple[Setting | None, ...]) -> list[Matrix]:
        """The confusion matrix of each setting of a group; all have the same standard deviations."""
        loaded, space, budget = self._open(work), self._search.space, work.budget
        energies = [space.parameters(setting).terms() for setting in group if setting]
        if not energies:
            return [self._matrix(work, loaded.label, loaded.without_crf)]
        terms = [term.at_stride(budget.stride) for term in energies[0]]
        pairwise = Pairwise(term_lattices(terms, loaded.image))
        weights = [[term.weight for term in energy] for energy in energies]
        each = loaded.field.run_each(pairwise, weights, budget.iterations, space.normalization)
        return [self._matrix(work, loaded.label, beliefs.labels()) for beliefs in each]

    def _matrix(self, work: WorkItem, label: NDArray, labels: NDArray) -> Matrix:
        stride = work.budget.stride
        if labels.shape != label.shape:  # from every stride-th pixel to all of them
            labels = labels.repeat(stride, 0).repeat(stride, 1)[: label.shape[0], : label.shape[1]]
        try:
            return confusion_matrix(label, labels, self._search.num_classes, self._search.ignore_label)
        except InputError as error:
            raise InputError(f"{work.item.name}: {error}") from error
