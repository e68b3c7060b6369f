"""What the data layers of a net read: lists, images and labels; and whether they read them as the other stages do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .. import engine
from ..data import Dataset, full_path, read_list
from ..errors import InputError
from ..formats.definition import read_definition
from ..formats.python_layers import layer_type, parameters
from .labels_for_cpp import check_grey


def sources(net: Path) -> list[Path]:
    """The list files that a net reads."""
    return [Path(stated.get("source", "")) for stated in _data_layers(net)]


def files(net: Path) -> Iterator[str]:
    """The images and labels that a net reads; none of a list that cannot be read."""
    for stated in _data_layers(net):
        try:
            entries = read_list(stated.get("source", ""), needs_label=False)
        except InputError:
            continue
        words = [word for entry in entries for word in (entry.image, entry.label) if word]
        yield from (full_path(str(stated.get("root_folder", "")), word) for word in words)


def matrices(net: Path) -> list[Path]:
    """The files of class weights that a net reads."""
    if not net.is_file():
        return []
    layers = read_definition(net).param.layer
    return list(dict.fromkeys(Path(p.infogain_loss_param.source) for p in layers if p.infogain_loss_param.source))


def _data_layers(net: Path) -> list[dict[str, Any]]:
    """The parameters of the layers that read lists."""
    if not net.is_file():
        return []
    layers = read_definition(net).param.layer
    return [parameters(p) for p in layers if layer_type(p) == "ImageSegData"]


def check_data_layers(net: Path, dataset: Dataset) -> None:
    """Check that the data layers of a net read images and labels as all other stages do.

    Raises:
        InputError: a layer turns images by their EXIF data and the data set does not say so, or the other way round;
            or the installed Caffe would read grey values instead of labels.
    """
    for entry in read_definition(net).entries:
        if layer_type(entry.param) != "ImageSegData":
            continue
        stated = parameters(entry.param)
        if bool(stated.get("apply_exif")) != dataset.upright:
            written = str(dataset.upright).lower()
            raise entry.error(
                f'{dataset.file} has exif = "{dataset.exif}", so the layer needs apply_exif: {written}; write the '
                "nets again (stage prototxt), or correct one of them"
            )
        native = entry.param.type == "ImageSegData"
        if native and not engine.is_embedded():
            if stated.get("apply_exif"):
                raise entry.error("the installed Caffe does not have apply_exif; write the nets with --dialect bvlc")
            if stated.get("label_type") in ("PIXEL", 2):
                check_grey(Path(stated.get("source", "")), str(stated.get("root_folder", "")))
