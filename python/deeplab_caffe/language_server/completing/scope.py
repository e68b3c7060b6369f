"""Which blobs a layer can read, and the names of layers, parameters and stages in a net, from the tree alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ...formats import schema
from ...formats.definition import is_included
from ...formats.messages import to_message
from ...formats.prototxt import Document
from ...formats.tree import Block, Field, Scalar
from ..places import LAYERS


@dataclass(frozen=True)
class Made:
    """A blob that a layer above makes: its name, and the layer's name and type."""

    name: str
    layer: str
    type: str


def layers_of(document: Document) -> list[Field]:
    """The layers of a net in the order of the text."""
    return [f for f in document.root.fields if f.name in LAYERS and isinstance(f.value, Block)]


def inner(layer: Field) -> Block:
    """The block with a layer's name and type; of 2013 the inner one."""
    block = layer.value
    assert isinstance(block, Block)
    field = block.last("layer")
    return field.value if field is not None and isinstance(field.value, Block) else block


def blobs_above(document: Document, offset: int, layer: Field | None) -> list[Made]:
    """The blobs made above an offset, the latest first, in states in which the layer at the offset can exist.

    Args:
        document: a net, perhaps broken.
        offset: where a bottom is written.
        layer: the layer around it, if there is one.
    """
    own = _rules(document, layer) if layer is not None else None
    found: dict[str, Made] = {}
    for field in document.root.all("input"):
        if isinstance(field.value, Scalar):
            found[field.value.text] = Made(field.value.text, "input", "")
    for other in layers_of(document):
        if other is layer or other.start >= offset:
            break
        tops = _texts(other.value, "top")
        if tops and (own is None or _meet(document, own, other)):
            block = inner(other)
            for name in reversed(tops):  # the first one is the likeliest
                found.pop(name, None)  # the latest maker counts
                found[name] = Made(name, block.text_of("name") or "?", block.text_of("type") or "?")
    return list(reversed(found.values()))


def _rules(document: Document, layer: Field) -> Any:
    """The include and exclude rules of a layer as a message; None if it has none."""
    block = layer.value
    if not isinstance(block, Block) or not (block.all("include") or block.all("exclude")):
        return None
    param = schema.LayerParameter()
    for name in ("include", "exclude"):
        for field in block.all(name):
            if isinstance(field.value, Block):
                to_message(document, getattr(param, name).add(), block=field.value, report=lambda problem: None)
    return param


def _meet(document: Document, own: Any, other: Field) -> bool:
    """Whether there is a state in which both layers exist."""
    rules = _rules(document, other)
    if rules is None:
        return True
    stated = [rule for param in (own, rules) for rule in (*param.include, *param.exclude)]
    named = [tuple(rule.stage) for rule in stated]
    stages = {(), *named, tuple({stage for words in named for stage in words})}
    levels = {0, *(rule.min_level for rule in stated), *(rule.max_level for rule in stated)}
    states = (
        schema.NetState(phase=phase, stage=words, level=level)
        for phase in (schema.TRAIN, schema.TEST)
        for words in stages
        for level in levels
    )
    return any(is_included(own, state) and is_included(rules, state) for state in states)


def names_of_layers(document: Document) -> list[str]:
    """The names of all layers."""
    return list(dict.fromkeys(name for layer in layers_of(document) if (name := inner(layer).text_of("name"))))


def shared_names(document: Document) -> list[str]:
    """The names of shared parameters, as `param { name }` of today or `param` of 2014."""
    return list(dict.fromkeys(_param_names(document)))


def _param_names(document: Document) -> Iterator[str]:
    for layer in layers_of(document):
        assert isinstance(layer.value, Block)
        for param in layer.value.all("param"):
            name = param.value.text_of("name") if isinstance(param.value, Block) else param.value.text
            if name:
                yield name


def stages_of(document: Document) -> list[str]:
    """The stages that rules of a net, or states of a solver, name."""
    rules = [
        rule.value
        for field in document.root.fields
        if isinstance(field.value, Block)
        for rule in [*field.value.all("include"), *field.value.all("exclude"), field]
        if isinstance(rule.value, Block)
    ]
    return list(dict.fromkeys(word for rule in rules for name in ("stage", "not_stage") for word in _texts(rule, name)))


def _texts(block: Any, name: str) -> list[str]:
    return [f.value.text for f in block.fields if f.name == name and isinstance(f.value, Scalar)]
