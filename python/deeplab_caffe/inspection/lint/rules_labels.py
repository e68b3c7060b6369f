"""Rules about labels: the ignored one, the number of classes, and how labels are read."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from ...formats import schema
from ...formats.edits import Edits
from ...formats.layer_facts import types_where
from .findings import ERROR, WARNING, Hit, rule
from .layer import LintBlob, LintLayer
from .net_file import View
from .offers import adding, setting

#: types whose tops are still labels
_KEEPS_LABELS = types_where(lambda row: row.keeps_labels)


def _judges(view: View) -> Iterator[tuple[LintLayer, LintBlob, LintLayer]]:
    """(loss or accuracy, its labels, the data layer that they come from)."""
    for layer in view.layers:
        if not layer.facts.ignores or len(layer.bottoms) < 2 or layer.incomplete:
            continue
        labels = view.bottom(layer, 1)
        for blob in view.ancestors(labels, through=_KEEPS_LABELS):
            if blob.maker.type == "ImageSegData" and blob.index == 1 and labels is not None:
                yield layer, labels, blob.maker
                break


def _ignored(layer: LintLayer) -> list[int]:
    p = getattr(layer.param, layer.facts.ignores)
    if layer.type == "SegAccuracy":
        return list(p.ignore_label)
    return [p.ignore_label] if p.HasField("ignore_label") else []


@rule("ignore-label", WARNING, "a loss or an accuracy without ignore_label, although the labels have one")
def ignore_label(view: View) -> Iterator[Hit]:
    """Images are padded to the crop, and pixels without a class are labelled, with the ignore label.

    A loss that does not ignore it fails or learns the padding as a class.
    """
    for layer, _, data in _judges(view):
        if not _ignored(layer):
            label = data.param.image_data_param.ignore_label
            param = layer.facts.ignores
            message = f"has no ignore_label, but {data.title} pads labels with {label}"
            fix = partial(_add_ignore_label, layer, param, label)
            yield layer.hit(message, f"set {param} {{ ignore_label: {label} }}", param, fix=fix)


def _add_ignore_label(layer: LintLayer, param: str, label: int, edits: Edits) -> None:
    stated = layer.find(param)
    if layer.block is None:
        return
    if stated is None:
        edits.append(layer.block, f"{param} {{ ignore_label: {label} }}")
    else:
        edits.append(stated.value, f"ignore_label: {label}")  # type: ignore[arg-type]


@rule("ignore-label-differs", WARNING, "a loss whose ignore_label is not the label that images are padded with")
def ignore_label_differs(view: View) -> Iterator[Hit]:
    """The padding would be taken for a label: an error, or a class that does not exist."""
    for layer, _, data in _judges(view):
        label, ignored = data.param.image_data_param.ignore_label, _ignored(layer)
        if ignored and label not in ignored:
            message = f"ignores label {', '.join(map(str, ignored))}, but {data.title} pads labels with {label}"
            path = layer.facts.ignores, "ignore_label"
            yield layer.hit(message, f"set ignore_label: {label}", *path, offers=setting(layer, f"{label}", *path))


@rule("ignore-label-is-class", WARNING, "an ignore_label that is one of the classes")
def ignore_label_is_class(view: View) -> Iterator[Hit]:
    """Pixels of that class would not be learned and not be counted."""
    for layer in view.layers:
        if not layer.facts.ignores or not layer.bottoms:
            continue
        shape = view.shapes.of(view.bottom(layer, 0))
        for label in _ignored(layer):
            if shape and len(shape) > 1 and 0 <= label < shape[1]:
                message = f"ignores label {label}, which is one of the {shape[1]} classes of its scores"
                yield layer.hit(message, "set a label that is not a class", layer.facts.ignores, "ignore_label")


@rule("one-class", ERROR, "a SoftmaxWithLoss over one class")
def one_class(view: View) -> Iterator[Hit]:
    """The softmax of a single score is 1, so the loss is 0 and nothing is learned, whatever the labels are."""
    for layer in view.layers:
        if layer.type != "SoftmaxWithLoss" or not layer.bottoms:
            continue
        p, shape = layer.param.softmax_param, view.shapes.of(view.bottom(layer, 0))
        if shape and -len(shape) <= p.axis < len(shape) and shape[p.axis] == 1:
            message = "its scores have one class: their softmax is 1 and the loss always 0"
            yield layer.hit(message, "set num_output: 2, with the background as class 0", "bottom", 0)


@rule("class-count", WARNING, "scores with different numbers of classes for the same labels")
def class_count(view: View) -> Iterator[Hit]:
    """Two losses on the same labels need scores of the same classes."""
    first: dict[int, tuple[LintLayer, int]] = {}
    for layer, _, data in _judges(view):
        shape = view.shapes.of(view.bottom(layer, 0))
        if not shape or len(shape) < 2:
            continue
        before, count = first.setdefault(data.index, (layer, shape[1]))
        if count != shape[1]:
            message = f"has scores of {shape[1]} classes, {before.title} of {count}, for the labels of {data.title}"
            yield layer.hit(message, "check num_output of the layers that make the scores", "bottom", 0)


@rule("label-type", ERROR, "labels per pixel from a data layer that does not read them")
def label_type(view: View) -> Iterator[Hit]:
    """With another label_type the data layer makes no label for each pixel, and the loss cannot be computed."""
    for layer, labels, data in _judges(view):
        kind = data.param.image_data_param.label_type
        if kind != schema.ImageDataParameter.PIXEL:
            name = schema.ImageDataParameter.LabelType.Name(kind)
            message = f"label_type is {name}, but {layer.title} needs a label per pixel in '{labels.name}'"
            fix = partial(_set_label_type, data)
            yield data.hit(message, "set label_type: PIXEL", "image_data_param", "label_type", fix=fix)


def _set_label_type(data: LintLayer, edits: Edits) -> None:
    stated, param = data.find("image_data_param", "label_type"), data.find("image_data_param")
    if stated is not None:
        edits.set_value(stated, "PIXEL")
    elif param is not None:
        edits.append(param.value, "label_type: PIXEL")  # type: ignore[arg-type]


@rule("label-gradient", ERROR, "a loss whose labels depend on learned layers, without propagate_down: false")
def label_gradient(view: View) -> Iterator[Hit]:
    """SoftmaxWithLoss has no gradient in its labels. Caffe stops in backward unless propagate_down says false."""
    if not view.trains:
        return
    learned: set[str] = set()
    for layer in view.layers:
        if layer.type == "SoftmaxWithLoss" and len(layer.bottoms) > 1 and layer.bottoms[1] in learned:
            flags = list(layer.param.propagate_down)
            if len(flags) < 2 or flags[1]:
                message = f"its labels '{layer.bottoms[1]}' depend on learned layers, but labels have no gradient"
                wanted = "propagate_down: true propagate_down: false"
                offers = adding(layer, wanted) if not flags else []
                yield layer.hit(message, f"set {wanted}", "bottom", 1, offers=offers)
        if (layer.weighted and layer.multiplier(0)) or learned.intersection(layer.bottoms):
            learned.update(layer.tops)
