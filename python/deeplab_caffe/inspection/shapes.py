"""The shapes of all blobs and parameters of a net, by the engine's own rules, without memory, data or weights."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..arrays import Shape, Size
from ..caffe.blob import Blob
from ..caffe.layer_types.base import Layer
from ..caffe.net.backward_flags import decide_backward
from ..caffe.net.net import Net
from ..caffe.net.step import NetStep
from ..errors import InputError
from ..formats.definition import Definition, Entry
from .net_source import read_source, state_of
from .open_layers import OpenLayer, why_open
from .shape_only_layers import Inputs, shape_only_layer


@dataclass
class LayerShapes:
    """One layer: its name, type and place as written, and what the engine makes of it.

    param: its LayerParameter as written (in today's form), while that of `layer` is completed by the net. Blobs have
    the names that the user wrote (no `…_split_0`). A shape is None behind a layer that cannot be set up. unknown: why
    its shape rule is not known, "" if it is; text: the layer as written, if its file says what the messages lack.
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
    unknown: str = ""
    text: str = ""
    #: whether it is itself what could not be set up, and not only behind such a layer
    broken: bool = False


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
    #: what the file says that no message has, as sentences with their place; types of layers are not repeated
    unknown: list[str] = field(default_factory=list)

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
    keep_unknown: bool = False,
    stated: Mapping[str, Shape] | None = None,
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
        keep_unknown: leave the shapes open of layers of unknown types, and of Python layers that may not be run, and go
            on with all that does not depend on them; `tolerant` does so too.
        stated: shapes by blob, of layers whose shapes would be left open.

    Raises:
        InputError: if layers do not fit together (unless `tolerant`), an input is not a blob of a data layer, or a
            stated shape is not that of a blob left open.

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
    keep_unknown = keep_unknown or tolerant
    definition = source if isinstance(source, Definition) else read_source(source, variables, keep_unknown).definition
    state = state_of(definition, phase, level, tuple(stages))
    wishes = Inputs(inputs, size, stated)
    net = ShapeNet(definition, state, wishes, tolerant, keep_unknown)
    unused = sorted(set(wishes.shapes) - wishes.used)
    if unused:
        known = ", ".join(net.source_tops) or "none"
        raise InputError(f"{definition.source}: --input {unused[0]}: no data layer makes this blob (they make {known})")
    net.check_stated()
    return net.result()


class ShapeNet(Net):
    """The engine's net, but its parameters get no values and its data layers read no data."""

    def __init__(
        self, definition: Definition, state: Any, wishes: Inputs, tolerant: bool, keep_unknown: bool = False
    ) -> None:
        self.definition = definition
        self._keep_unknown = keep_unknown
        #: id of a layer's definition → why its shape rule is not known
        self._open: dict[int, str] = {}
        #: ids of the definitions of layers that could not be set up
        self._broken: set[int] = set()
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
        self._written_of = {id(e.param): written for e, written in zip(self._entries, self._written, strict=True)}
        return self._without_dangling() if self._tolerant else self._entries

    def _without_dangling(self) -> list[Entry]:
        """The layers whose bottoms are all made by earlier ones; of the others, those that name no blob are errors."""
        made: set[str] = set()
        kept = []
        for entry in self._entries:
            bottoms, tops = entry.param.bottom, entry.param.top
            missing = [name for name in bottoms if name not in made and name not in self._lost]
            if missing:
                self._fail(entry, entry.error(f"bottom '{missing[0]}' is made by no layer before this one"))
            elif self._lost.isdisjoint(bottoms):
                kept.append(entry)
                made.update(tops)
                self._lost.difference_update(tops)
                continue
            self._lost.update(tops)
            made.difference_update(tops)
        return kept

    def create_layer(self, entry: Entry) -> Layer:
        layer = shape_only_layer(entry, self._wishes)
        layer.fills = False
        if not entry.param.bottom:
            self.source_tops += entry.param.top
        return layer

    def _add_layer(self, entry: Entry, *so_far: Any) -> None:
        reason = why_open(entry, self.definition, self._wishes.shapes) if self._keep_unknown else ""
        if reason or not self._lost.isdisjoint(entry.param.bottom):
            self._open.update({id(entry.param): reason} if reason else {})
            self._add_open(entry, *so_far)
        elif not self._tolerant:
            super()._add_layer(entry, *so_far)
        else:
            try:
                with entry.named():
                    super()._add_layer(entry, *so_far)
            except InputError as error:
                self._fail(entry, error)

    def _fail(self, entry: Entry, error: InputError) -> None:
        self.errors.append(error)
        self._broken.add(id(entry.param))
        self._lost.update(entry.param.top)

    def _add_open(self, entry: Entry, made: dict[str, Blob], available: dict[str, None], needs: Any, _: Any) -> None:
        """Add a layer whose shapes are not known: tops that are stated, or in place, have one; the others are lost."""
        p = entry.param
        before = self._written_of[id(p)].bottom if id(p) in self._written_of else p.bottom
        in_place = {own for own, name in zip(before, p.bottom, strict=True) if name not in self._lost}
        bottoms = [name for name in p.bottom if name not in self._lost]
        tops = {}
        for name in p.top:
            shape = self._wishes.stated.get(name) or (None if p.bottom else self._wishes.shapes.get(name))
            if name in in_place:
                available[name] = None
            elif shape:
                tops[name] = made[name] = Blob()
                tops[name].reshape(*shape)
                self._lost.discard(name)
                self._wishes.used.add(name)
            else:
                self._lost.add(name)
        if not tops:
            return
        layer = OpenLayer(p, self.state.phase, entry.origin)
        layer.shapes = [blob.shape for blob in tops.values()]
        layer.loss_weights = [0.0] * len(tops)
        for name in bottoms:
            available.pop(name, None)
        available.update(dict.fromkeys(tops))
        step = NetStep(layer, p.name, [made[name] for name in bottoms], list(tops.values()), bottoms, list(tops))
        decide_backward(layer, step.bottoms, step.tops, needs, self.force_backward)
        layer.propagate_down = [needs.get(id(blob), False) for blob in step.bottoms]
        self.steps.append(step)

    def check_stated(self) -> None:
        """Raise InputError for a stated shape that is not that of a blob left open."""
        for name in sorted(set(self._wishes.stated) - self._wishes.used):
            maker = next((step for step in reversed(self.steps) if name in step.top_names), None)
            if maker is None:
                raise InputError(f"{self.source}: --shape {name}: no layer makes this blob")
            use = "use --input" if not maker.bottoms else "it follows from those of its bottoms"
            raise InputError(
                f"{maker.layer.origin}: --shape {name}: {maker.name} ({maker.layer.param.type}) gives this blob its "
                f"shape; {use}"
            )

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
        unknown = [str(problem.error) for problems in self.definition.unknown.values() for problem in problems]
        return NetShapes(self.name, self.source, self.state, layers, blobs, self, self.errors, unknown)

    def _describe(self, entry: Entry, written: Any, place: int | None) -> LayerShapes:
        bottoms, tops = list(written.bottom), list(written.top)
        found = LayerShapes(written.name, written.type, entry.origin, written, bottoms, tops)
        found.unknown = self._open.get(id(entry.param), "")
        found.broken = id(entry.param) in self._broken
        found.text = self.definition.texts.get(entry.origin, "")
        if place is None or isinstance(self.steps[place].layer, OpenLayer):
            found.bottom_shapes, found.top_shapes = map(self._known_shapes, (entry.param.bottom, entry.param.top))
            found.layer = None if place is None else self.steps[place].layer
            return found
        step = self.steps[place]
        layer = found.layer = step.layer
        found.bottom_shapes = [b.shape for b in step.bottoms]
        found.top_shapes = [b.shape for b in step.tops][: len(tops)]
        found.params = [b.shape for b in layer.blobs]
        found.borrowed = [id(b) in self.borrowed for b in layer.blobs]
        return found

    def _known_shapes(self, names: Sequence[str]) -> list[Shape | None]:
        return [self.blobs[name].shape if name in self.blobs and name not in self._lost else None for name in names]


def _copy(param: Any) -> Any:
    copy = type(param)()
    copy.CopyFrom(param)
    return copy
