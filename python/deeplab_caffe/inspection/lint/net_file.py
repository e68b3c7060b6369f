"""A net's file as lint sees it: every layer with its place, as much of it as can be read."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...errors import InputError
from ...formats import schema
from ...formats.definition import Definition, Entry
from ...formats.layer_facts import LayerFacts, facts_of
from ...formats.messages import Problem, to_message
from ...formats.prototxt import Block, Document, Field, Scalar
from ...formats.upgrade import dialect_of, upgrade_net
from .findings import Fix, Hit

OLD_DIALECTS = ("V0", "V1", "DeepLab v1")


class Layer:
    """One layer: its upgraded definition and its element in the text (None for an Input made of input fields).

    incomplete: a value of it could not be read (a template variable without a value, a misspelt field), so that what
    it states is not all known.
    """

    def __init__(self, file: NetFile, index: int, param: Any, element: Field | None, incomplete: bool) -> None:
        self.file, self.index, self.param, self.element, self.incomplete = file, index, param, element, incomplete
        self.name, self.type = str(param.name), str(param.type)
        self.bottoms, self.tops = list(param.bottom), list(param.top)

    def __repr__(self) -> str:
        return self.title

    @property
    def title(self) -> str:
        """`fc6 (Convolution)`."""
        return f"{self.name or '?'} ({self.type or '?'})"

    @property
    def origin(self) -> str:
        """`file:line:column`."""
        return self.file.document.where(self.element.start if self.element else 0)

    @property
    def in_place(self) -> bool:
        """Whether it writes over its first bottom."""
        return bool(self.bottoms and self.tops and self.bottoms[0] == self.tops[0])

    @property
    def block(self) -> Block | None:
        """The fields in its braces."""
        return self.element.value if self.element and isinstance(self.element.value, Block) else None

    def find(self, *path: str | int) -> Field | None:
        """The field that names lead to, a number after a name choosing among several; None if there is none.

        `find("param", 1, "lr_mult")` is the lr_mult of the second param.
        """
        block, found = self.block, None
        steps = list(path)
        while steps:
            name = steps.pop(0)
            fields = block.all(str(name)) if block else []
            place = steps.pop(0) if steps and isinstance(steps[0], int) else -1
            if not -len(fields) <= int(place) < len(fields):
                return None
            found = fields[int(place)]
            block = found.value if isinstance(found.value, Block) else None
        return found

    def offset(self, *path: str | int) -> int:
        """Where a field stands; where there is none, the longest part of the path that there is, or the layer."""
        while path:
            found = self.find(*path)
            if found is not None:
                return found.start
            path = path[:-1]
        return self.element.start if self.element else 0

    def hit(self, message: str, advice: str, *path: str | int, fix: Fix | None = None) -> Hit:
        """A hit at one of its fields."""
        own = None if self.file.is_old else fix  # the text of an older dialect has other fields
        return Hit(self.file.document, self.offset(*path), self.title, message, advice, own)

    # -- what it states

    @property
    def facts(self) -> LayerFacts:
        """What is known of its type."""
        return facts_of(self.type)

    @property
    def weighted(self) -> bool:
        """Whether it multiplies by weights that are filled and learned."""
        return self.facts.weighted

    @property
    def weights(self) -> Any:
        """The message with its fillers and num_output."""
        return getattr(self.param, self.facts.params[0])

    def multiplier(self, index: int, field: str = "lr_mult") -> float:
        """A multiplier of a parameter; 1 where it states none."""
        return float(getattr(self.param.param[index], field)) if index < len(self.param.param) else 1.0


class NetFile:
    """The net in a document, or in one block of it.

    with_shapes: whether shapes are inferred, which takes the engine. problems: what does not fit the schema. refused:
    why it cannot be brought to today's form; it has no layers then.
    """

    def __init__(self, document: Document, block: Block | None = None, with_shapes: bool = True) -> None:
        self.document = document
        self.with_shapes = with_shapes
        self.block = block or document.root
        self.problems: list[Problem] = []
        self.refused: InputError | None = None
        self.layers: list[Layer] = []
        self._views: list[Any] = []
        message = to_message(document, schema.NetParameter(), block=self.block, report=self.problems.append)
        self.dialect = dialect_of(message)
        self.is_old = self.dialect in OLD_DIALECTS
        self.has_inputs = bool(message.input)
        self.param = message
        self.elements = self.block.all("layers") or self.block.all("layer")
        self.elements = [f for f in self.elements if isinstance(f.value, Block)]
        self._upgrade()

    def _upgrade(self) -> None:
        def where(place: int, *names: str) -> str:
            return self.document.where(self.elements[place].within(*names).start)

        self.own_fields = _fields_of_the_first_release(self)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # `deeplab prototxt upgrade` tells them
                places = upgrade_net(self.param, self.document.filename, where)
        except InputError as error:
            self.refused = error
            return
        damaged = [problem.error.offset for problem in self.problems]
        for i, (place, param) in enumerate(zip(places, self.param.layer, strict=True)):
            element = None if place is None else self.elements[place]
            lost = element is not None and any(element.start <= (at or 0) <= element.end for at in damaged)
            self.layers.append(Layer(self, i, param, element, lost))

    def hit(self, offset: int, message: str, advice: str, fix: Fix | None = None) -> Hit:
        """A hit outside of layers."""
        return Hit(self.document, offset, "", message, advice, fix)

    def definition(self) -> Definition:
        """What the engine needs to know it, without the layers that are not all known."""
        known = [layer for layer in self.layers if not layer.incomplete]
        return Definition(self.param, [Entry(layer.param, layer.origin) for layer in known], self.document.filename)

    @property
    def views(self) -> list[Any]:
        """The net in each state that it is meant for: those that a solver uses it in, or what its rules say."""
        if not self._views:
            from .views import views_of

            self._views = views_of(self)
        return self._views

    def look_at(self, views: list[Any]) -> None:
        """Say in which states the net is used."""
        self._views = views


#: names that DeepLab's first release gave to fields of messages that today's nets have, too → today's, None for nothing
FORMER: Mapping[tuple[str, str], str | None] = {
    ("convolution_param", "hole"): "dilation",
    ("convolution_param", "hole_h"): "dilation",
    ("convolution_param", "hole_w"): "dilation",
    ("image_data_param", "has_label"): None,
    ("image_data_param", "max_labels"): None,
}


def _fields_of_the_first_release(file: NetFile) -> list[tuple[Field, Field, str | None]]:
    """In a net of today: layer, field and today's name of what belongs to the first release; taken out of the message.

    The engine refuses them; lint says so and goes on with the rest.
    """
    if file.param.layers:
        return []
    found = []
    for element, param in zip(file.elements, file.param.layer, strict=False):
        for (message, name), today in FORMER.items():
            if not param.HasField(message) or not getattr(param, message).HasField(name):
                continue
            inner = getattr(param, message)
            if name == "hole":
                inner.dilation.append(inner.hole)
            inner.ClearField(name)
            stated = element.value.last(message) if isinstance(element.value, Block) else None
            if stated is not None and isinstance(stated.value, Block):
                found += [(element, field, today) for field in stated.value.all(name)]
    return found


def scalar_of(field: Field | None) -> Scalar | None:
    """The scalar that a field holds."""
    return field.value if field is not None and isinstance(field.value, Scalar) else None


def is_missing(name: str) -> bool:
    """Whether a file is not there; one whose name holds a template variable is not looked for."""
    return "\0" in name or ("${" not in name and not Path(name).exists())
