"""A net in one state: its layers, and which blob goes where."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from ...formats import schema
from ...formats.definition import is_included
from ...formats.layer_facts import LOSS
from .net_file import Layer, NetFile

if TYPE_CHECKING:
    from .shape_view import ShapeView

_PHASES = {schema.TRAIN: "TRAIN", schema.TEST: "TEST"}


class Blob:
    """What one layer writes under a name: made by `maker`, read by `readers`; `before` is what it was made from in
    place."""

    def __init__(self, name: str, maker: Layer, index: int, before: Blob | None) -> None:
        self.name, self.maker, self.index, self.before = name, maker, index, before
        self.readers: list[Layer] = []


class View:
    """A net in one state: the layers that this lets in, and their blobs.

    bottoms, tops: by the layer's index; a bottom that nobody makes is None.
    """

    def __init__(self, file: NetFile, phase: int, stages: tuple[str, ...] = (), level: int = 0) -> None:
        self.file, self.phase, self.stages, self.level = file, phase, stages, level
        state = schema.NetState(phase=phase, stage=stages, level=level)
        self.layers = [layer for layer in file.layers if is_included(layer.param, state)]
        self.bottoms: dict[int, list[Blob | None]] = {}
        self.tops: dict[int, list[Blob]] = {}
        self.blobs: list[Blob] = []
        self._connect()

    def _connect(self) -> None:
        present: dict[str, Blob] = {}
        for layer in self.layers:
            read = [present.get(name) for name in layer.bottoms]
            for blob in read:
                if blob is not None:
                    blob.readers.append(layer)
            made = []
            for i, name in enumerate(layer.tops):
                in_place = i < len(layer.bottoms) and layer.bottoms[i] == name
                made.append(Blob(name, layer, i, read[i] if in_place else None))
            present.update((blob.name, blob) for blob in made)
            self.bottoms[layer.index], self.tops[layer.index] = read, made
            self.blobs += made

    @property
    def title(self) -> str:
        return " ".join([_PHASES[self.phase], *self.stages])

    @property
    def is_train(self) -> bool:
        return self.phase == schema.TRAIN

    @cached_property
    def losses(self) -> list[Layer]:
        """The layers that training makes small."""
        return [layer for layer in self.layers if is_loss(layer)]

    @property
    def trains(self) -> bool:
        """Whether this is a net that learns."""
        return self.is_train and bool(self.losses)

    @property
    def sources(self) -> list[Layer]:
        """The layers that make blobs of nothing."""
        return [layer for layer in self.layers if not layer.bottoms and layer.tops]

    def bottom(self, layer: Layer, index: int) -> Blob | None:
        """A bottom of a layer; None where there is none, or nobody makes it."""
        bottoms = self.bottoms[layer.index]
        return bottoms[index] if index < len(bottoms) else None

    def ancestors(self, blob: Blob | None, *, through: Iterable[str] = ()) -> Iterator[Blob]:
        """The blob and what it was made from, nearest first; with `through`, through layers of these types alone."""
        todo, seen = [blob], set()
        through = set(through)
        while todo:
            item = todo.pop(0)
            if item is None or id(item) in seen:
                continue
            seen.add(id(item))
            yield item
            if not through or item.maker.type in through:
                todo += self.bottoms[item.maker.index]

    @cached_property
    def shapes(self) -> ShapeView:
        """The shape of every blob, by the engine's rules."""
        from .shape_view import ShapeView

        return ShapeView(self, known=self.file.with_shapes)


def is_loss(layer: Layer) -> bool:
    """Whether a layer's top is something to be made small."""
    return layer.facts.kind == LOSS or any(layer.param.loss_weight)


def views_of(file: NetFile) -> list[View]:
    """The net in each phase, and stage that its rules name, for which it has a layer that makes blobs of nothing.

    A state that lets in the same layers as another is left out; where no state has a source, training stands for all.
    """
    stages = {s for layer in file.layers for r in (*layer.param.include, *layer.param.exclude) for s in r.stage}
    views: dict[tuple[int, ...], View] = {}
    for phase in (schema.TRAIN, schema.TEST):
        for chosen in [(), *((stage,) for stage in sorted(stages))]:
            view = View(file, phase, chosen)
            if view.sources:
                views.setdefault(tuple(layer.index for layer in view.layers), view)
    return list(views.values()) or [View(file, schema.TRAIN)]
