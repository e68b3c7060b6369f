"""Rules about data layers: what they read, and how they transform it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from ...formats.edits import Edits
from ...formats.layer_facts import DATA
from .findings import ERROR, NOTE, WARNING, Hit, rule
from .layer import LintLayer
from .net_file import View, is_missing


def _reads(layer: LintLayer) -> str:
    """The message that says what a data layer reads, and how much at a time; empty for other layers."""
    param = layer.facts.params[0] if layer.facts.kind == DATA else ""
    fields = getattr(layer.param, param).DESCRIPTOR.fields_by_name if param else {}
    return param if "batch_size" in fields and "prefix" not in fields else ""


def _reads_a_list(layer: LintLayer) -> bool:
    """Whether a data layer reads image files that a list names."""
    return _reads(layer) == "image_data_param"


def _data_layers(view: View) -> Iterator[tuple[LintLayer, str, Any]]:
    for layer in view.layers:
        param = _reads(layer)
        if param and not layer.incomplete:
            yield layer, param, getattr(layer.param, param)


@rule("data-source", ERROR, "a data layer without a source or a batch_size")
def data_source(view: View) -> Iterator[Hit]:
    """The layer cannot read anything."""
    for layer, param, p in _data_layers(view):
        if layer.type != "MemoryData" and not p.source:
            yield layer.hit("has no source", f"set it in {param}", param)
        if not p.batch_size:
            yield layer.hit("batch_size is 0 or missing", f"set it in {param}", param, "batch_size")


@rule("moved-field", WARNING, "scale, mean_file, crop_size or mirror outside transform_param, where it has no effect")
def moved_field(view: View) -> Iterator[Hit]:
    """Since 2014 these fields belong to transform_param. Left where they were, they have no effect in Caffe."""
    for layer, param, p in _data_layers(view):
        for field in ("scale", "mean_file", "crop_size", "mirror"):
            if field in p.DESCRIPTOR.fields_by_name and p.HasField(field):
                message = f"'{field}' in {param} is a field of 2013, which has no effect there"
                yield layer.hit(message, "move it to transform_param, or remove it", param, field)


@rule("mean-values", ERROR, "mean values that do not match the image's channels, or both values and a file")
def mean_values(view: View) -> Iterator[Hit]:
    """One value counts for all channels, else each channel needs its own. A file and values contradict each other."""
    for layer in view.layers:
        t = layer.param.transform_param
        if t.mean_value and t.HasField("mean_file"):
            yield layer.hit("has both mean_value and mean_file", "remove one", "transform_param", "mean_file")
        grey = t.force_gray or (_reads_a_list(layer) and not layer.param.image_data_param.is_color)
        if _reads_a_list(layer) and len(t.mean_value) not in (0, 1, 1 if grey else 3):
            message = f"has {len(t.mean_value)} mean_value for {1 if grey else 3} channels"
            yield layer.hit(message, "set one for all channels, or one per channel", "transform_param", "mean_value", 0)


@rule("shuffle", WARNING, "a training list that is not shuffled")
def shuffle(view: View) -> Iterator[Hit]:
    """Images that follow each other in a list are often alike; SGD needs batches that are mixed."""
    for layer, param, p in _data_layers(view) if view.trains else ():
        if param == "image_data_param" and not p.shuffle:
            yield layer.hit(
                "reads the training list in the same order in every pass", "set shuffle: true", param,
                fix=partial(_append, layer, param, "shuffle: true"),
            )  # fmt: skip


def _append(layer: LintLayer, param: str, text: str, edits: Edits) -> None:
    stated, named = layer.find(param), text.partition(":")[0]
    present = layer.find(param, named)
    if present is not None:
        edits.set_value(present, text.partition(": ")[2])
    elif stated is not None:
        edits.append(stated.value, text)  # type: ignore[arg-type]


@rule("test-augmentation", WARNING, "mirroring, shuffling or random scaling in a test net, whose results then vary")
def test_augmentation(view: View) -> Iterator[Hit]:
    """Scores would differ from run to run and be lower than those of the unchanged images."""
    for layer, param, p in () if view.is_train else _data_layers(view):
        t = layer.param.transform_param
        for stated, path in (
            (t.mirror, ("transform_param", "mirror")),
            (bool(t.scale_factors), ("transform_param", "scale_factors")),
            (param == "image_data_param" and p.shuffle, (param, "shuffle")),
        ):
            if stated:
                message = f"'{path[-1]}' in a test net: results vary from one run to the next"
                yield layer.hit(message, "remove it", *path, fix=partial(_remove_all, layer, path))


def _remove_all(layer: LintLayer, path: tuple[str, str], edits: Edits) -> None:
    block = layer.find(path[0])
    fields = block.value.all(path[1]) if block is not None else []  # type: ignore[union-attr]
    edits.remove_all(fields)


@rule("crop-missing", WARNING, "batches of several images without a crop_size, which must then all have one size")
def crop_missing(view: View) -> Iterator[Hit]:
    """A batch is one array; without a crop it cannot hold images of different sizes."""
    for layer, _, p in _data_layers(view):
        t = layer.param.transform_param
        if not _reads_a_list(layer) or (p.new_height and p.new_width):
            continue
        if p.batch_size > 1 and not t.crop_size and not (t.crop_height and t.crop_width):
            message = f"a batch of {p.batch_size} images without a crop_size needs images of one size"
            yield layer.hit(message, "set transform_param { crop_size: … }", "transform_param")


@rule("aborts-in-caffe", WARNING, "what runs here but aborts, or reads wrong memory, in DeepLab's C++ Caffe")
def aborts_in_caffe(view: View) -> Iterator[Hit]:
    """The C++ ImageSegData has random numbers only with mirror, or with crop_size in training, and pads images with
    mean_value without asking whether there is one. Its DenseCRF reads a third bottom in any case.
    """
    for layer in view.layers:
        if layer.type in _ABORTS and not layer.incomplete and not layer.is_python:
            for message, advice, path in _ABORTS[layer.type](view, layer):
                yield layer.hit(f"DeepLab's C++ Caffe {message}", advice, *path)


def _aborting_data(view: View, layer: LintLayer) -> Iterator[_Abort]:
    t = layer.param.transform_param
    has_random_numbers = t.mirror or (view.is_train and t.crop_size)
    by_sides = t.crop_height and t.crop_width and not t.crop_size
    if view.is_train and by_sides and not has_random_numbers:
        message = "aborts at the first random crop: with crop_height and crop_width it needs mirror"
        yield message, "set mirror: true, or crop_size", ("transform_param", "crop_height")
    elif t.scale_factors and not has_random_numbers:
        yield "aborts at the first scale_factors: it needs mirror", "remove it", ("transform_param", "scale_factors")
    if (t.crop_size or by_sides) and not t.mean_value and not t.HasField("mean_file"):
        message = "has no value to pad an image with that is smaller than the crop, and aborts or pads with any numbers"
        yield message, "set mean_value (0 subtracts nothing)", ("transform_param",)


def _aborting_crf(view: View, layer: LintLayer) -> Iterator[_Abort]:
    if len(layer.bottoms) == 2:
        yield "reads a third bottom, the image, in any case", "give it the image as the third bottom", ("bottom", 1)


#: what happens, what to do, and the field
_Abort = tuple[str, str, tuple[str | int, ...]]
_ABORTS = {"ImageSegData": _aborting_data, "DenseCRF": _aborting_crf}


@rule("missing-file", NOTE, "a list or a mean file that does not exist (only with --files)", optional=True)
def missing_file(view: View) -> Iterator[Hit]:
    """Training would stop when it opens the file. Paths are relative to where it runs, so this check is on request."""
    for layer in view.layers:
        param = _reads(layer)
        p = getattr(layer.param, param) if param else None
        for path, name in (
            ((param, "source"), getattr(p, "source", "")),
            (("transform_param", "mean_file"), layer.param.transform_param.mean_file),
        ):
            if name and is_missing(name):
                message = f"'{name}' does not exist in {Path.cwd()}"
                yield layer.hit(message, "check the path, which is relative to where training runs", *path)
