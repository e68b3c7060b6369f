"""The work of a search: confusion matrices of one image at many settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deeplab_caffe.errors import InputError
from deeplab_caffe.evaluation import confusion_matrix

from ..lattice import bilateral_lattice, position_lattice
from ..mean_field import MeanField, Pairwise
from .items import Item, Sample
from .journal import Matrix
from .space import SearchSpace, Setting


class Effort(NamedTuple):
    """How thoroughly settings are tried: mean field `iterations` on the image, or on every `stride`-th pixel."""

    iterations: int
    stride: int = 1


class Unit(NamedTuple):
    """A task: an image, and settings in groups that share a lattice each. The group (None,) scores without CRF."""

    number: int
    item: Item
    effort: Effort
    groups: tuple[tuple[Setting | None, ...], ...]


@dataclass(frozen=True)
class Counting:
    """What every worker knows; a call makes the function that counts units."""

    space: SearchSpace
    num_classes: int
    ignore_label: int | None
    compact: float = 0.0

    def __call__(self) -> Counter:
        return Counter(self)


class _Field(NamedTuple):
    """A sample as a worker keeps it: `image` and `field` at the unit's stride, `label` in full."""

    image: NDArray
    field: MeanField
    label: NDArray
    plain: NDArray


class Counter:
    """Counts units in one thread; keeps the image that was used last, because successive units often share it."""

    def __init__(self, counting: Counting) -> None:
        self._counting = counting
        self._held: tuple[tuple[int, int], _Field] | None = None

    def __call__(self, unit: Unit) -> list[list[Matrix]]:
        """The (C, C) confusion matrices of each group's settings."""
        return [self._count(unit, group) for group in unit.groups]

    def _open(self, unit: Unit) -> _Field:
        key = (unit.number, unit.effort.stride)
        if self._held is None or self._held[0] != key:
            self._held = None  # its memory is free before the next is read
            self._held = key, self._load(unit.item, unit.effort.stride)
        return self._held[1]

    def _load(self, item: Item, stride: int) -> _Field:
        sample: Sample = item.load()
        if len(sample.unary) != self._counting.num_classes:
            raise InputError(
                f"{item.name}: scores of {len(sample.unary)} classes, but the data set has {self._counting.num_classes}"
            )
        unary = np.ascontiguousarray(sample.unary[:, ::stride, ::stride])
        image = np.ascontiguousarray(sample.image[::stride, ::stride])
        return _Field(image, MeanField(unary, self._counting.compact), sample.label, sample.unary.argmin(axis=0))

    def _count(self, unit: Unit, group: tuple[Setting | None, ...]) -> list[Matrix]:
        loaded = self._open(unit)
        first = group[0]
        if first is None:
            return [self._matrix(unit, loaded.label, loaded.plain)]
        space, effort = self._counting.space, unit.effort
        spatial = position_lattice(*loaded.image.shape[:2], space.sigma_gamma / effort.stride)
        bilateral = bilateral_lattice(loaded.image, first.sigma_alpha / effort.stride, first.sigma_beta)
        pairwise = Pairwise([spatial, bilateral])
        weights = [(space.w2, setting.w1) for setting in group if setting]
        each = loaded.field.run_each(pairwise, weights, effort.iterations, space.normalization)
        return [self._matrix(unit, loaded.label, beliefs.labels()) for beliefs in each]

    def _matrix(self, unit: Unit, label: NDArray, labels: NDArray) -> Matrix:
        stride = unit.effort.stride
        if labels.shape != label.shape:  # from every stride-th pixel to all of them
            labels = labels.repeat(stride, 0).repeat(stride, 1)[: label.shape[0], : label.shape[1]]
        try:
            return confusion_matrix(label, labels, self._counting.num_classes, self._counting.ignore_label)
        except InputError as error:
            raise InputError(f"{unit.item.name}: {error}") from error
