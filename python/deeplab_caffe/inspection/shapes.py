"""The shapes of all blobs and parameters of a net, by the engine's own rules, without memory, data or weights."""

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
from .net_source import read_source, state_of
from .shape_only_layers import Inputs, shape_only_layer


@dataclass
class LayerShapes:
    """One layer: its name, type and place as written, and what the engine makes of it.

    param: its LayerParameter as written (in today's form), while that of `layer` is completed by the net. Blobs have
    the names that the user wrote (no `…_split_0`). A shape is None behind a layer that cannot be set up.
    """

    name: str
    type: str
    origin: str
    param: Any
    bottoms: list[str]
    tops: list[str]
    bottom_shapes: Sequence[Shape | None] = ()
    top_shapes: Sequence[Shape | None] = ()
    #: shapes of the parameters, and whether each is shared with an earlier layer
    params: list[Shape] = field(default_factory=list)
    borrowed: list[bool] = field(default_factory=list)
    #: the engine's layer, None if it could not be set up
    layer: Layer | None = None


@dataclass
class NetShapes:
    """A net in one state: its layers without Splits, the shape of every blob, and the errors.

    net: the engine's net, built without memory, for what else it knows (which layers need backward, which memory is
    shared).
    """

    name: str
    source: str
    state: Any
    layers: list[LayerShapes]
    blobs: dict[str, Shape | None]
    net: ShapeNet
    errors: list[InputError]

    def layer(self, name: str) -> LayerShapes:
        """The first layer of that name; KeyError if there is none."""
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
    """Infer every shape of a net without computing anything.

    Args:
        source: the path of a net's or a solver's prototxt, or a definition.
        phase: TRAIN or TEST; by default TRAIN for a net with a loss.
        level, stages: the rest of the state in which the net is built.
        inputs: shapes by blob, to replace those that the data layers state (by batch_size and crop_size).
        size: height and width of the image, in pixels.
        variables: values of template variables, by name.
        tolerant: collect errors in the result's `errors` and go on with all that does not depend on them.

    Raises:
        InputError: if layers do not fit together (unless `tolerant`), or an input is not a blob of a data layer.

    Example:
        >>> from deeplab_caffe.formats.definition import definition_in
        >>> from deeplab_caffe.formats.prototxt import Document
        >>> net = definition_in(Document('''
        ...   layer { name: "data" type: "Input" top: "data" input_param { shape { dim: [1, 3, 9, 9] } } }
        ...   layer { name: "pool" type: "Pooling" bottom: "data" top: "pool" pooling_param { kernel_size: 3 } }
        ... '''))
        >>> infer_shapes(net).blobs
        {'data': (1, 3, 9, 9), 'pool': (1, 3, 7, 7)}
    """
    definition = source if isinstance(source, Definition) else read_source(source, variables).definition
    state = state_of(definition, phase, level, tuple(stages))
    wishes = Inputs(inputs, size)
    net = ShapeNet(definition, state, wishes, tolerant)
    unused = sorted(set(wishes.shapes) - wishes.used)
    if unused:
        known = ", ".join(net.source_tops) or "none"
        raise InputError(f"{definition.source}: --input {unused[0]}: no data layer makes this blob (they make {known})")
    return net.result()


class ShapeNet(Net):
    """The engine's net, but its parameters get no values and its data layers read no data."""

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
        """The layers whose bottoms are all made by earlier ones; the others become errors."""
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
        layer = shape_only_layer(entry, self._wishes)
        layer.fills = False
        if not entry.param.bottom:
            self.source_tops += entry.param.top
        return layer

    def _add_layer(self, entry: Entry, *so_far: Any) -> None:
        if not self._tolerant:
            super()._add_layer(entry, *so_far)
        elif self._lost.isdisjoint(entry.param.bottom):
            try:
                with entry.named():
                    super()._add_layer(entry, *so_far)
            except InputError as error:
                self.errors.append(error)
                self._lost.update(entry.param.top)
        else:
            self._lost.update(entry.param.top)

    def result(self) -> NetShapes:
        """The shapes, under the names that the user wrote."""
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
