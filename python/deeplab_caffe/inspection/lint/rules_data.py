"""Rules about data layers: what they read and what they do with it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from ...formats.edits import Edits
from ...formats.layer_facts import DATA
from .findings import ERROR, NOTE, WARNING, Hit, rule
from .net_file import Layer, is_missing
from .views import View


def _reads(layer: Layer) -> str:
    """The message that says what a data layer reads, and how much at a time; empty for other layers."""
    param = layer.facts.params[0] if layer.facts.kind == DATA else ""
    fields = getattr(layer.param, param).DESCRIPTOR.fields_by_name if param else {}
    return param if "batch_size" in fields and "prefix" not in fields else ""


def _reads_a_list(layer: Layer) -> bool:
    """Whether a data layer reads image files that a list names."""
    return _reads(layer) == "image_data_param"


def _data_layers(view: View) -> Iterator[tuple[Layer, str, Any]]:
    for layer in view.layers:
        param = _reads(layer)
        if param and not layer.incomplete:
            yield layer, param, getattr(layer.param, param)


@rule("data-source", ERROR, "a data layer that does not say what it reads, or how many items at a time")
def data_source(view: View) -> Iterator[Hit]:
    for layer, param, p in _data_layers(view):
        if layer.type != "MemoryData" and not p.source:
            yield layer.hit("states no source", f"state it in {param}", param)
        if not p.batch_size:
            yield layer.hit("its batch_size is 0 or not stated", f"state it in {param}", param, "batch_size")


@rule("moved-field", WARNING, "scale, mean_file, crop_size or mirror where no data layer reads it any more")
def moved_field(view: View) -> Iterator[Hit]:
    for layer, param, p in _data_layers(view):
        for field in ("scale", "mean_file", "crop_size", "mirror"):
            if field in p.DESCRIPTOR.fields_by_name and p.HasField(field):
                message = f"'{field}' in {param} is of 2013, and nothing reads it there"
                yield layer.hit(message, "put it into transform_param, or take it out", param, field)


@rule("mean-values", ERROR, "means that do not go with the image's channels, or stated twice over")
def mean_values(view: View) -> Iterator[Hit]:
    for layer in view.layers:
        t = layer.param.transform_param
        if t.mean_value and t.HasField("mean_file"):
            yield layer.hit("states both mean_value and mean_file", "keep one", "transform_param", "mean_file")
        grey = t.force_gray or (_reads_a_list(layer) and not layer.param.image_data_param.is_color)
        if _reads_a_list(layer) and len(t.mean_value) not in (0, 1, 1 if grey else 3):
            message = f"states {len(t.mean_value)} mean_value for {1 if grey else 3} channels"
            yield layer.hit(message, "state one for all channels, or one for each", "transform_param", "mean_value", 0)


@rule("shuffle", WARNING, "a training list that is read in its order")
def shuffle(view: View) -> Iterator[Hit]:
    for layer, param, p in _data_layers(view) if view.trains else ():
        if param == "image_data_param" and not p.shuffle:
            yield layer.hit(
                "reads the training list in its order, one pass like the other", "state shuffle: true", param,
                fix=partial(_append, layer, param, "shuffle: true"),
            )  # fmt: skip


def _append(layer: Layer, param: str, text: str, edits: Edits) -> None:
    stated, named = layer.find(param), text.partition(":")[0]
    present = layer.find(param, named)
    if present is not None:
        edits.set_value(present, text.partition(": ")[2])
    elif stated is not None:
        edits.append(stated.value, text)  # type: ignore[arg-type]


@rule("test-augmentation", WARNING, "mirroring, shuffling or rescaling in a test net, whose results then vary")
def test_augmentation(view: View) -> Iterator[Hit]:
    for layer, param, p in () if view.is_train else _data_layers(view):
        t = layer.param.transform_param
        for stated, path in (
            (t.mirror, ("transform_param", "mirror")),
            (bool(t.scale_factors), ("transform_param", "scale_factors")),
            (param == "image_data_param" and p.shuffle, (param, "shuffle")),
        ):
            if stated:
                message = f"'{path[-1]}' in a test net: results vary from one run to the next"
                yield layer.hit(message, "take it out", *path, fix=partial(_remove_all, layer, path))


def _remove_all(layer: Layer, path: tuple[str, str], edits: Edits) -> None:
    block = layer.find(path[0])
    fields = block.value.all(path[1]) if block is not None else []  # type: ignore[union-attr]
    edits.remove_all(fields)


@rule("crop-missing", WARNING, "batches of several images without a crop_size, which must then all be of one size")
def crop_missing(view: View) -> Iterator[Hit]:
    for layer, _, p in _data_layers(view):
        t = layer.param.transform_param
        if not _reads_a_list(layer) or (p.new_height and p.new_width):
            continue
        if p.batch_size > 1 and not t.crop_size and not (t.crop_height and t.crop_width):
            message = f"{p.batch_size} images at a time without a crop_size must all be of one size"
            yield layer.hit(message, "state transform_param { crop_size: … }", "transform_param")


@rule("missing-file", NOTE, "a list or a mean file that is not there (only with --files)", optional=True)
def missing_file(view: View) -> Iterator[Hit]:
    for layer in view.layers:
        param = _reads(layer)
        p = getattr(layer.param, param) if param else None
        for path, name in (
            ((param, "source"), getattr(p, "source", "")),
            (("transform_param", "mean_file"), layer.param.transform_param.mean_file),
        ):
            if name and is_missing(name):
                message = f"'{name}' is not there, seen from {Path.cwd()}"
                yield layer.hit(message, "look at the path, which is relative to where training runs", *path)
