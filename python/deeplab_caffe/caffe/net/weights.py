"""Weights of a net: in from files of any format, out, and shared between nets. Mirrors `net.cpp`."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator

import numpy as np
import torch

from ...formats import schema, weights_hdf5
from ...formats.weight_fit import NetLayer, net_layers
from ...formats.weights import LayerWeights, encode_blob, read_caffemodel, write_caffemodel
from ...formats.weights_hdf5 import LayerDatasets, is_hdf5
from .. import log
from ..blob import Blob
from ..layer_types.base import Layer
from .graph import NetGraph

#: a parameter, the values that it gets, and their gradient if the file has one
Copy = tuple[Blob, np.ndarray, "np.ndarray | None"]


def weight_layers(net: NetGraph) -> dict[str, NetLayer]:
    """The layers with parameters, by name: what a weight file is compared with (`formats.weight_fit.fit`)."""
    return net_layers(((step.name, step.layer) for step in net.steps), net.borrowed)


def copy_from(net: NetGraph, path: str | os.PathLike[str]) -> list[str]:
    """Copy weights by layer name from one file, or several separated by commas; see `Net.copy_from`."""
    loaded: dict[str, None] = {}
    for part in files(path):
        copies = [*(_hdf5_copies if is_hdf5(part) else _binary_copies)(net, part)]
        with torch.no_grad():  # all of the file fits, so no fault leaves the net half copied
            for name, blobs in copies:
                for blob, data, diff in blobs:
                    _write(blob.data_tensor(), data)
                    if diff is not None:
                        _write(blob.diff_tensor(), diff)
                if blobs:
                    loaded[name] = None
    return list(loaded)


def files(path: str | os.PathLike[str]) -> list[str]:
    """The files that a path stands for: one, whatever its name, or several separated by commas."""
    whole = os.fspath(path)
    return [whole] if os.path.exists(whole) else [part.strip() for part in whole.split(",")]


def load_hdf5(net: NetGraph, path: str | os.PathLike[str]) -> None:
    """Copy weights by layer name from a `.caffemodel.h5`."""
    with torch.no_grad():
        for _, blobs in list(_hdf5_copies(net, os.fspath(path))):
            for blob, data, _ in blobs:
                _write(blob.data_tensor(), data)


def _write(tensor: torch.Tensor, values: np.ndarray) -> None:
    tensor.copy_(torch.from_numpy(values.reshape(tuple(tensor.shape)).copy()))


def _first_named(net: NetGraph, name: str) -> Layer | None:
    """The first layer of a name; one that only the file has is named in the log."""
    if name in net.layer_dict:
        return net.layers[net.index_of(name)]
    log.info(f"Ignoring source layer {name}", "net.cpp:774")
    return None


def _binary_copies(net: NetGraph, path: str) -> Iterator[tuple[str, list[Copy]]]:
    for source in read_caffemodel(path):
        layer = _first_named(net, source.name)
        if layer is not None:
            yield source.name, _fitting(layer, source, path)


def _fitting(layer: Layer, source: LayerWeights, path: str) -> list[Copy]:
    """What goes where in a layer; fails where the number of blobs or a shape differs."""
    if len(source.blobs) != len(layer.blobs):
        layer.fail(f"{path} has {len(source.blobs)} blobs for it, the net {len(layer.blobs)}")
    for i, (blob, stored) in enumerate(zip(layer.blobs, source.blobs, strict=True)):
        wanted = (1,) * (4 - len(blob.shape)) + blob.shape if stored.legacy else blob.shape
        _check_shape(layer, i, stored.data, wanted, path)
    return [(b, stored.data, stored.diff) for b, stored in zip(layer.blobs, source.blobs, strict=True)]


def _check_shape(layer: Layer, index: int, values: np.ndarray, wanted: tuple[int, ...], path: str) -> None:
    """Fail where the shape differs; with `strict_dim: false` only where the count does."""
    if values.shape != wanted and not layer.param.strict_dim and values.size == math.prod(wanted):
        log.info(f"Copying blob {index} of layer {layer.name}, {values.shape}, as it lies into {wanted}")
    elif values.shape != wanted:
        layer.fail(
            f"{path} has shape {values.shape} for blob {index}, the net {layer.blobs[index].shape}; to start this "
            "layer afresh, rename it"
        )


def _hdf5_copies(net: NetGraph, path: str) -> Iterator[tuple[str, list[Copy]]]:
    for source in weights_hdf5.read_caffemodel(path):
        layer = _first_named(net, source.name)
        if layer is None:
            continue
        beyond = [i for i in source.data if i >= len(layer.blobs)]
        if beyond:
            layer.fail(f"{path} has {len(source.data)} blobs for it, the net {len(layer.blobs)}")
        for i, blob in enumerate(layer.blobs):
            if i in source.data:
                _check_shape(layer, i, source.data[i], blob.shape, path)
            elif id(blob) not in net.borrowed:
                layer.fail(f"{path} has no blob {i} for it, and it shares that parameter with no earlier layer")
        yield source.name, [(layer.blobs[i], values, source.diff.get(i)) for i, values in source.data.items()]


def share_with(net: NetGraph, other: NetGraph) -> None:
    """Use the other net's memory for the parameters of layers of the same name."""
    for step in other.steps:
        name, blobs = step.name, step.layer.blobs
        if name not in net.layer_dict:
            log.info(f"Ignoring source layer {name}", "net.cpp:706")
            continue
        mine = net.layer_dict[name].blobs
        if [b.shape for b in mine] != [b.shape for b in blobs]:
            net.layer_dict[name].fail(
                f"cannot share parameters: {[b.shape for b in mine]} here, {[b.shape for b in blobs]} there"
            )
        for own, theirs in zip(mine, blobs, strict=True):
            own.share_data(theirs)


def save(net: NetGraph, path: str | os.PathLike[str], diffs: bool) -> None:
    """Write a binary `.caffemodel`: every layer's definition and blobs, shared ones each time."""
    layers = []
    for layer in net.layers:
        definition = schema.LayerParameter()
        definition.CopyFrom(layer.param)
        definition.ClearField("blobs")
        definition.ClearField("strict_dim")  # about the file that was read, not this one
        blobs = [encode_blob(_values(b), _gradient(b) if diffs else None) for b in layer.blobs]
        layers.append((definition.SerializeToString(), blobs))
    write_caffemodel(path, net.name, layers)


def save_hdf5(net: NetGraph, path: str | os.PathLike[str], diffs: bool) -> None:
    """Write a `.caffemodel.h5`: data of the parameters that no earlier layer owns, and diffs of all."""
    layers = []
    for step in net.steps:
        blobs = step.layer.blobs
        data = {i: _values(b) for i, b in enumerate(blobs) if id(b) not in net.borrowed}
        layers.append(LayerDatasets(step.name, data, {i: _gradient(b) for i, b in enumerate(blobs)} if diffs else {}))
    weights_hdf5.write_caffemodel(path, layers, diffs)


def _values(blob: Blob) -> np.ndarray:
    return blob.data_tensor().detach().cpu().numpy()


def _gradient(blob: Blob) -> np.ndarray:
    return blob.diff_tensor().detach().cpu().numpy()
