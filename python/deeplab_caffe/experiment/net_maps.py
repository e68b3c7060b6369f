"""Maps that a net computes on its way to the scores: the attention to each scale, and the edges of a domain transform.

Only nets that have them are run, and only on the images that a report shows. They are found by what reads them, not by
name, so that nets edited by hand are understood.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import engine
from ..crf import resize_scores
from ..data import Dataset, ListEntry, image_size, write_list
from ..files import write_text
from ..formats.definition import read_definition
from ..formats.prototxt import Document
from ..formats.python_layers import layer_type, with_source
from .folder import Experiment

#: part of a blob's name → the scale of the image that its scores are of
_SCALES = {"_res05": "1/2", "_res075": "3/4"}


@dataclass(frozen=True)
class MapBlob:
    """A blob of maps. kind: "attention", "edges" or "gradients"; channels: what each is, such as a scale."""

    kind: str
    blob: str
    channels: tuple[str, ...]


def map_blobs(net_file: Path) -> list[MapBlob]:
    """The blobs of a net that are worth a picture."""
    layers = list(read_definition(net_file).param.layer)
    return [*_attention(layers), *_edges(layers)]


def _attention(layers: Sequence[Any]) -> Iterator[MapBlob]:
    """What is cut into one weight map per scale, each of which multiplies the scores of a scale."""
    weighted = {p.bottom[1]: p.bottom[0] for p in layers if layer_type(p) == "SpatialProduct" and len(p.bottom) == 2}
    for layer in layers:
        if layer_type(layer) == "Slice" and layer.top and all(top in weighted for top in layer.top):
            yield MapBlob("attention", layer.bottom[0], tuple(_scale_of(weighted[top]) for top in layer.top))


def _scale_of(blob: str) -> str:
    return next((scale for part, scale in _SCALES.items() if part in blob), "1")


def _edges(layers: Sequence[Any]) -> Iterator[MapBlob]:
    for layer in layers:
        if layer_type(layer).startswith("DomainTransform") and len(layer.bottom) > 1:
            learnt = layer_type(layer) == "DomainTransform"
            yield MapBlob("edges" if learnt else "gradients", layer.bottom[1], ("edges",))


def compute_maps(
    experiment: Experiment, dataset: Dataset, found: MapBlob, entries: Sequence[ListEntry], weights: Path
) -> list[np.ndarray]:
    """Run the test net on a few images.

    Args:
        experiment: its test net.
        dataset: where the images lie.
        found: the blob.
        entries: the images.
        weights: of the net.

    Returns:
        For each image (channels, height, width) float32, of the image's size.

    Raises:
        InputError: the weights do not fit, or an image is larger than the net's input.
    """
    with tempfile.TemporaryDirectory(prefix="maps-") as folder:
        listed, net_file = Path(folder, "list.txt"), Path(folder, "test.prototxt")
        write_list(listed, entries)
        write_text(net_file, with_source(Document.read(experiment.prototxt / "test.prototxt"), listed.as_posix()))
        net = engine.current().test_net(net_file, weights)
        run = engine.current().runner(net, found.blob)
        size = _input_size(net, net_file)
        maps = [run()[0].copy() for _ in entries]
    images = [image_size(dataset.path_of(entry.image), dataset.upright) for entry in entries]
    return [resize_scores(values, size, image) for values, image in zip(maps, images, strict=True)]


def _input_size(net: Any, net_file: Path) -> tuple[int, int]:
    """(height, width) of the images as the data layer makes them."""
    data = next(p for p in read_definition(net_file).param.layer if layer_type(p) == "ImageSegData")
    height, width = net.blobs[data.top[0]].data.shape[2:]
    return int(height), int(width)
