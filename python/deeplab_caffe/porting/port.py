"""Ports the weights of one net to another: renamed, reshaped, reduced or folded, with a report of every step."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from ..arrays import same_shape
from ..errors import InputError
from ..formats.weight_files import with_todays_shapes
from ..formats.weight_fit import NetLayer
from ..formats.weights import BlobArray, LayerWeights
from ..reading import read_text
from ..spelling import did_you_mean
from ..tables import table
from . import surgery, vgg16_head
from .normalisation import fold_where_wanted, statistics, to_batch_norm, to_bn
from .surgery import Preprocessing

#: a classifier's name: the parts before and after the name of the data set
_CLASSIFIER = re.compile(r"(fc8|fc1)_(.+?)((?:_c?\d+)?)$")
Layers = dict[str, LayerWeights]


@dataclass(frozen=True)
class Choices:
    """Options for porting weights.

    renames: source name → target name; "a" → "b+c" turns a BN layer into a BatchNorm `b` and a Scale `c`, "a+b" → "c"
    does the reverse. classes: for each class of the target, in order, its number in the source. fresh_classifier:
    initialise the target's classifier even if the source's would fit. filters, seed: how the filters of VGG-16's fc6
    and fc7 are chosen if the target has fewer. preprocessing: (the source's, the target's).
    """

    renames: Mapping[str, str] = field(default_factory=dict)
    classes: Sequence[int] | None = None
    fresh_classifier: bool = False
    filters: str = "random"
    seed: int = 0
    preprocessing: tuple[Preprocessing, Preprocessing] | None = None


@dataclass(frozen=True)
class PortStep:
    """How a layer got its weights, and from which layer or layers."""

    layer: str
    source: str
    what: str


@dataclass
class Ported:
    """The target's layers with weights; how they were made; layers that keep their filler; unused source layers."""

    layers: list[LayerWeights]
    steps: list[PortStep]
    fresh: list[str]
    unused: list[str]

    def to_json(self) -> dict[str, Any]:
        return {"steps": [asdict(step) for step in self.steps], "fresh": self.fresh, "unused": self.unused}

    def __str__(self) -> str:
        copied = [step for step in self.steps if step.what == "copied"]
        rows = [[s.layer, s.source, s.what] for s in self.steps if s.what != "copied"]
        lines = [f"{len(copied)} layers copied unchanged"]
        lines += table(("layer", "from", "how"), rows) if rows else []
        lines += [f"not initialised from the weights: {', '.join(self.fresh)}"] if self.fresh else []
        return "\n".join(lines + ([f"not used: {', '.join(self.unused)}"] if self.unused else []))


def port(source: Iterable[LayerWeights], target: Mapping[str, NetLayer], choices: Choices | None = None) -> Ported:
    """Weights for the layers of `target` (in its order) from those of `source`.

    A layer is matched by its name, or by a name that differs in the data set (`fc8_voc12` for `fc8_pets`) or in a
    number (an ASPP branch `fc6_2` from `fc6`). Values are unchanged if shapes differ only in notation. A layer without
    a source is left to its filler.

    Args:
        source: layers with weights.
        target: the layers of the target net, by name.
        choices: options.

    Raises:
        InputError: if a blob cannot be brought to the shape in the target, or a layer to rename does not exist.

    Example:
        >>> fc = LayerWeights("fc", "InnerProduct", [BlobArray(np.zeros((2, 12), np.float32))])
        >>> done = port([fc], {"fc": NetLayer("Convolution", [(2, 3, 2, 2)], [False])})
        >>> done.layers[0].blobs[0].data.shape, done.steps[0].what
        ((2, 3, 2, 2), 'reshaped')
    """
    choices = choices or Choices()
    steps: list[PortStep] = []
    stored = {layer.name: layer for layer in with_todays_shapes(source) if layer.blobs}
    layers = _renamed(stored, choices.renames, steps)
    if choices.preprocessing:
        layers = _with_preprocessing(layers, *choices.preprocessing, steps)
    layers, folded = fold_where_wanted(layers, target)
    reduction = vgg16_head.reduction_for(layers, target)
    if reduction:
        reduction = replace(reduction, how=choices.filters, seed=choices.seed)
        layers = vgg16_head.reduce_head(layers, reduction)
        steps.append(PortStep("fc6, fc7", "fc6, fc7", str(reduction)))
    steps += [PortStep(name, names, "normalisation folded in") for name, names in folded.items()]
    return _matched(layers, target, choices, steps)


# -- the source under the target's names


def read_renames(path: str | os.PathLike[str] | None, given: Iterable[str] = ()) -> dict[str, str]:
    """Old name → new name, from a file of lines `old new` (with # comments) and from words `old=new`, which win."""
    renames: dict[str, str] = {}
    if path is not None:
        lines = read_text(path, "the new names").splitlines()
        for number, line in enumerate(lines, 1):
            words = line.partition("#")[0].split()
            if words and len(words) != 2:
                raise InputError(f"{path}:{number}: got '{line.strip()}'; expected two names, `old new`")
            if words:
                renames[words[0]] = words[1]
    for word in given:
        old, equals, new = word.partition("=")
        if not (old and equals and new):
            raise InputError(f"--rename: got '{word}'; expected OLD=NEW")
        renames[old] = new
    return renames


def _renamed(layers: Layers, renames: Mapping[str, str], steps: list[PortStep]) -> Layers:
    layers = dict(layers)
    for old, new in renames.items():
        parts, names = old.split("+"), new.split("+")
        missing = [name for name in parts if name not in layers]
        if missing:
            raise InputError(
                f"rename '{old}': the weights have no layer '{missing[0]}'{did_you_mean(missing[0], layers)}"
            )
        found = _reformed([layers.pop(name) for name in parts], names)
        layers.update((layer.name, layer) for layer in found)
        steps.append(PortStep(new, old, "renamed"))
    return layers


def _reformed(found: list[LayerWeights], names: list[str]) -> list[LayerWeights]:
    """Layers under new names: one as one, a BN as two, or BatchNorm and Scale as one."""
    if (len(found), len(names)) == (1, 2):
        return to_batch_norm(found[0], (names[0], names[1]))
    if (len(found), len(names)) == (2, 1):
        return [to_bn(found[0], found[1], names[0])]
    if (len(found), len(names)) == (1, 1):
        return [replace(found[0], name=names[0])]
    raise InputError(f"rename of {len(found)} layers to {len(names)}; expected one to one, one to two, or two to one")


def _with_preprocessing(layers: Layers, old: Preprocessing, new: Preprocessing, steps: list[PortStep]) -> Layers:
    """The first convolution, and its bias or the statistics behind it, adapted to the new preprocessing."""
    first = next((x for x in layers.values() if _looks_at_colours(x.blobs[0].data)), None)
    if first is None:
        raise InputError("no layer reads three channels, so the preprocessing of images cannot be folded in")
    weight, constant = surgery.fold_preprocessing(first.blobs[0].data, old, new)
    changed = {first.name: replace(first, blobs=[BlobArray(weight), *first.blobs[1:]])}
    if len(first.blobs) > 1:
        bias = first.blobs[1].data.reshape(-1) + constant
        changed[first.name].blobs[1] = BlobArray(bias)
    else:
        norm = layers.get(f"bn_{first.name}")
        if norm is None:
            raise InputError(f"layer '{first.name}' has neither a bias nor a BatchNorm 'bn_{first.name}' after it")
        mean, variance = statistics(norm)
        blobs = [BlobArray(x) for x in (mean - constant, variance, np.ones(1, np.float32))]
        changed[norm.name] = replace(norm, blobs=blobs)
    steps.append(PortStep(first.name, first.name, f"for images in {new.order}, minus {_numbers(new.mean)}"))
    return {**layers, **changed}


def _looks_at_colours(weight: np.ndarray) -> bool:
    return weight.ndim == 4 and weight.shape[1] == 3


def _numbers(values: Iterable[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


# -- which layer goes where


def _matched(layers: Layers, target: Mapping[str, NetLayer], choices: Choices, steps: list[PortStep]) -> Ported:
    done = Ported([], steps, [], [])
    used: set[str] = set()
    for name, wanted in target.items():
        if wanted.borrowed and all(wanted.borrowed):
            continue
        found = next((layers[x] for x in _sources(name, layers, choices) if x in layers), None)
        made = None if found is None else _made(name, wanted, found, choices)
        if found is None or made is None:
            done.fresh.append(name)
            continue
        layer, what = made
        used.add(found.name)
        done.layers.append(layer)
        if what or not any(name in step.layer.split("+") for step in steps):
            done.steps.append(PortStep(name, found.name, what or "copied"))
    done.unused = [name for name in layers if name not in used]
    return done


def _sources(name: str, layers: Layers, choices: Choices) -> list[str]:
    """The names that a layer's weights may have in the source, the most likely first."""
    classifier = _CLASSIFIER.fullmatch(name)
    if not classifier:
        return [name, re.sub(r"_\d+$", "", name)]
    if choices.fresh_classifier:
        return []
    others = [(x, _CLASSIFIER.fullmatch(x)) for x in layers]
    return [name, *(x for x, m in others if m and (m[1], m[3]) == (classifier[1], classifier[3]))]


def _made(name: str, wanted: NetLayer, found: LayerWeights, choices: Choices) -> tuple[LayerWeights, str] | None:
    """A layer's weights in the target's shapes, and what was done; None for a classifier of other classes."""
    blobs = [blob.data for blob in found.blobs]
    what = [] if found.name == name else ["renamed"]
    if len(blobs) != len(wanted.shapes):
        raise InputError(f"layer '{name}': '{found.name}' has {len(blobs)} blobs, the net needs {len(wanted.shapes)}")
    if _CLASSIFIER.fullmatch(name):
        if choices.classes is not None:
            blobs = _cut_to_classes(name, blobs, wanted, choices.classes)
            what.append(f"classes {_numbers(choices.classes)}")
        elif len(blobs[0]) != wanted.shapes[0][0]:
            return None
    blocks = surgery.diagonal_blocks(blobs[0], wanted.shapes[0]) if blobs else None
    if blocks is not None:
        blobs[0] = blocks
        what.append("split into groups, between which all weights are 0")
    for blob, shape in zip(blobs, wanted.shapes, strict=True):
        if blob.size != np.prod(shape, dtype=np.int64):
            raise InputError(
                f"layer '{name}': weights of shape {blob.shape} cannot be converted to {tuple(shape)}; rename the "
                "layer in the net to initialise it by its filler"
            )
    if not all(same_shape(b.shape, tuple(s)) for b, s in zip(blobs, wanted.shapes, strict=True)):
        what.append("reshaped")
    shaped = [BlobArray(surgery.as_shape(b, s)) for b, s in zip(blobs, wanted.shapes, strict=True)]
    return LayerWeights(name, wanted.type, shaped), "; ".join(what)


def _cut_to_classes(name: str, blobs: list[np.ndarray], wanted: NetLayer, classes: Sequence[int]) -> list[np.ndarray]:
    """The rows of a classifier that are the target's classes, in its order."""
    there, count = len(blobs[0]), wanted.shapes[0][0]
    if len(classes) != count or not all(0 <= c < there for c in classes):
        raise InputError(f"layer '{name}': classes {_numbers(classes)}; expected {count} numbers from 0 to {there - 1}")
    return [blob[list(classes)] for blob in blobs]
