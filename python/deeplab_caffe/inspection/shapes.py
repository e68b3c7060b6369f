"""The shapes of all blobs and parameters of a net, by the engine's own rules, without its memory, data or weights."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..arrays import Shape, Size
from ..caffe.layer_types.base import Layer
from ..caffe.net.net import Net
from ..errors import InputError
from ..formats.definition import Definition, Entry
from . import stand_ins
from .source import read_source, state_of
from .stand_ins import Inputs


@dataclass
class LayerShapes:
    """One layer: its name, type and place as written, and what the engine makes of it.

    param: its LayerParameter as written (in today's form); that of `layer` is completed by the net. Blobs bear the
    names that the user wrote (no `…_split_0`). A shape is None behind a layer that cannot be set up.
    """

    name: str
    type: str
    origin: str
    param: Any
    bottoms: list[str]
    tops: list[str]
    bottom_shapes: Sequence[Shape | None] = ()
    top_shapes: Sequence[Shape | None] = ()
    #: shapes of the parameters, and whether each belongs to an earlier layer
    params: list[Shape] = field(default_factory=list)
    borrowed: list[bool] = field(default_factory=list)
    #: the engine's layer, None where it could not be set up
    layer: Layer | None = None


@dataclass
class NetShapes:
    """A net in one state: its layers without Splits, the shape of every blob, and what did not fit.

    net: the engine's, built without memory, for what else it knows (who needs backward, which memory is shared).
    """

    name: str
    source: str
    state: Any
    layers: list[LayerShapes]
    blobs: dict[str, Shape | None]
    net: ShapeNet
    errors: list[InputError]

    def layer(self, name: str) -> LayerShapes:
        """The first layer of that name; KeyError where there is none."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise KeyError(f"the net has no layer '{name}'")


def infer_shapes(
    source: str | os.PathLike[str] | Definition,
    *,
    phase: int | None = None,
    level: int = 0,
    stages: Sequence[str] = (),
    inputs: Mapping[str, Shape] | None = None,
    size: Size | None = None,
    variables: Mapping[str, str] | None = None,
    tolerant: bool = False,
) -> NetShapes:
    """Infer every shape of a net (a prototxt, a solver's prototxt, or a definition), computing nothing.

    phase: TRAIN or TEST; by itself TRAIN for a net with a loss. inputs: shapes by blob, where the data layers' own
    (from batch_size and crop_size) are not wanted or not known; size: height and width of the image. Raises InputError
    for what does not fit; with `tolerant` notes it in `errors` and goes on with what does not depend on it.
    """
    definition = source if isinstance(source, Definition) else read_source(source, variables).definition
    state = state_of(definition, phase, level, tuple(stages))
    wishes = Inputs(inputs, size)
    net = ShapeNet(definition, state, wishes, tolerant)
    unused = sorted(set(wishes.shapes) - wishes.used)
    if unused:
        known = ", ".join(net.source_tops) or "none"
        raise InputError(f"{definition.source}: --input {unused[0]}: no data layer makes it (they make {known})")
    return net.result()


class ShapeNet(Net):
    """The engine's net, whose parameters get no values and whose data layers read nothing."""

    def __init__(self, definition: Definition, state: Any, wishes: Inputs, tolerant: bool) -> None:
        self.errors: list[InputError] = []
        self.source_tops: list[str] = []
        self._wishes = wishes
        self._tolerant = tolerant
        self._lost: set[str] = set()
        super().__init__(definition, state=state)

    def choose(self, entries: list[Entry]) -> list[Entry]:
        self._entries = super().choose(entries)
        # before Split layers rename the bottoms, and the net completes the layers
        self._written = [_copy(entry.param) for entry in self._entries]
        return self._without_dangling() if self._tolerant else self._entries

    def _without_dangling(self) -> list[Entry]:
        """The layers whose bottoms are all made by earlier ones; notes the others as errors."""
        made: set[str] = set()
        kept = []
        for entry in self._entries:
            missing = [name for name in entry.param.bottom if name not in made]
            made.update(entry.param.top)
            if missing:
                self.errors.append(entry.error(f"bottom '{missing[0]}' is made by no layer before this one"))
                self._lost.update(entry.param.top)
            else:
                kept.append(entry)
        return kept

    def create_layer(self, entry: Entry) -> Layer:
        layer = stand_ins.create(entry, self._wishes)
        layer.fills = False
        if not entry.param.bottom:
            self.source_tops += entry.param.top
        return layer

    def _add_layer(self, entry: Entry, *so_far: Any) -> None:
        if not self._tolerant:
            super()._add_layer(entry, *so_far)
        elif self._lost.isdisjoint(entry.param.bottom):
            try:
                super()._add_layer(entry, *so_far)
            except InputError as error:
                self.errors.append(error)
                self._lost.update(entry.param.top)
        else:
            self._lost.update(entry.param.top)

    def result(self) -> NetShapes:
        """What was found, in the user's names."""
        places = {id(layer.param): i for i, layer in enumerate(self.layers)}
        layers = [
            self._describe(entry, written, places.get(id(entry.param)))
            for entry, written in zip(self._entries, self._written, strict=True)
        ]
        blobs: dict[str, Shape | None] = {}
        for layer in layers:
            blobs.update(zip(layer.tops, layer.top_shapes, strict=True))
        return NetShapes(self.name, self.source, self.state, layers, blobs, self, self.errors)

    def _describe(self, entry: Entry, written: Any, place: int | None) -> LayerShapes:
        bottoms, tops = list(written.bottom), list(written.top)
        found = LayerShapes(written.name, written.type, entry.origin, written, bottoms, tops)
        if place is None:
            found.bottom_shapes, found.top_shapes = [None] * len(bottoms), [None] * len(tops)
            return found
        step = self.steps[place]
        layer = found.layer = step.layer
        found.bottom_shapes = [b.shape for b in step.bottoms]
        found.top_shapes = [b.shape for b in step.tops][: len(tops)]
        found.params = [b.shape for b in layer.blobs]
        found.borrowed = [id(b) in self.borrowed for b in layer.blobs]
        return found


def _copy(param: Any) -> Any:
    copy = type(param)()
    copy.CopyFrom(param)
    return copy
