"""Weight files of every container and dialect, read into one kind of object: layers by name, type and blobs."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..errors import InputError
from ..files import replacing
from ..lazy import imported_on_use
from . import schema, weights, weights_hdf5
from .layer_facts import DEEPLAB_V2, PSPNET, facts_of, types_where
from .upgrade_deeplab import TYPES as _DEEPLAB_V1_TYPES
from .upgrade_layers import V0_TYPES, V1_TYPES
from .weights import BlobArray, LayerWeights, encode_blob, encode_bytes, encode_varint

if TYPE_CHECKING:
    import numpy as np
else:
    np = imported_on_use("numpy")

#: types that show which fork a file of today's form comes from
_DEEPLAB_V2 = types_where(lambda row: DEEPLAB_V2 in row.known_to)
_PSPNET = types_where(lambda row: PSPNET in row.known_to) - _DEEPLAB_V2
#: from this number on DeepLab v1's types differ from those of BVLC's Caffe of 2014
_FIRST_OWN = 39
_OWN_OFFSET = 1000


@dataclass(frozen=True)
class WeightFile:
    """The content of a weight file.

    Attributes:
        path: the file.
        container: "binary" or "HDF5".
        dialect: V0, V1, DeepLab v1, V2, DeepLab v2 or PSPNet. The last three differ only in their layer types; HDF5
            has no types, so there it is "".
        layers: all layers, their types as today's names.
    """

    path: str
    container: str
    dialect: str
    layers: list[LayerWeights]

    @property
    def weighted(self) -> list[LayerWeights]:
        """The layers with blobs."""
        return [layer for layer in self.layers if layer.blobs]


def read_weight_file(path: str | os.PathLike[str]) -> WeightFile:
    """Read a binary or HDF5 weight file of any dialect; arrays of a binary file are memory-mapped.

    HDF5 does not repeat a parameter that an earlier layer owns: such a layer has fewer blobs here.

    Raises:
        InputError: the file is missing, damaged or not a weight file.
    """
    if weights_hdf5.is_hdf5(path):
        found = weights_hdf5.read_caffemodel(path)
        layers = [LayerWeights(x.name, "", [BlobArray(x.data[i]) for i in sorted(x.data)]) for x in found]
        return WeightFile(os.fspath(path), "HDF5", "", layers)
    layers = weights.read_caffemodel(path)
    dialect = _dialect(layers)
    for layer in layers:
        layer.type = _today(layer, dialect)
    return WeightFile(os.fspath(path), "binary", dialect, layers)


def _dialect(layers: Iterable[LayerWeights]) -> str:
    layers = list(layers)
    forms = {layer.form for layer in layers}
    if "V2" in forms:
        types = {layer.type for layer in layers}
        return "PSPNet" if types & _PSPNET else "DeepLab v2" if types & _DEEPLAB_V2 else "V2"
    if "V0" in forms:
        return "V0"
    return "DeepLab v1" if any(map(_is_deeplab_v1, layers)) else "V1"


def _is_deeplab_v1(layer: LayerWeights) -> bool:
    """Number 39 is IMAGE_SEG_DATA in DeepLab v1; elsewhere it is DECONVOLUTION, which has blobs."""
    number = int(layer.type or 0) if layer.type.isdecimal() else 0
    return number > _FIRST_OWN or (number == _FIRST_OWN and not layer.blobs)


def _today(layer: LayerWeights, dialect: str) -> str:
    """Today's name of a layer's type, or what the file has if there is none."""
    if layer.form == "V2":
        return layer.type
    if layer.form == "V0":
        return V1_TYPES.get(V0_TYPES.get(layer.type, ""), "") or layer.type
    number = int(layer.type) if layer.type.isdecimal() else 0
    if dialect == "DeepLab v1" and number >= _FIRST_OWN:
        number += _OWN_OFFSET
    names = schema.V1LayerParameter.LayerType
    name = names.Name(number) if number in names.values() else ""
    return V1_TYPES.get(name) or _DEEPLAB_V1_TYPES.get(name) or layer.type


def write_weight_file(
    path: str | os.PathLike[str], layers: Iterable[LayerWeights], name: str = "", form: str = "V2"
) -> None:
    """Write layers by name, type and blobs, which is all that a net needs to load them; real Caffe reads the file.

    Args:
        path: HDF5 if it ends in .h5, otherwise binary.
        layers: the layers to write.
        name: the net's name.
        form: "V2", or "V1" for forks from before 2015: only layers with blobs, numbered types, four sizes per blob.

    Raises:
        InputError: the form cannot represent a layer.
    """
    if form == "V1":
        _write_v1(path, layers, name)
    elif os.fspath(path).endswith(".h5"):
        sets = [weights_hdf5.LayerDatasets(x.name, dict(enumerate(b.data for b in x.blobs))) for x in layers]
        weights_hdf5.write_caffemodel(path, sets)
    else:
        heads = ((schema.LayerParameter(name=x.name, type=x.type).SerializeToString(), x.blobs) for x in layers)
        weights.write_caffemodel(path, name, [(head, [encode_blob(b.data) for b in blobs]) for head, blobs in heads])


def _write_v1(path: str | os.PathLike[str], layers: Iterable[LayerWeights], name: str) -> None:
    if os.fspath(path).endswith(".h5"):
        raise InputError(f"{path}: V1 does not support HDF5; give a name without .h5")
    numbers = {today: schema.V1LayerParameter.LayerType.Value(old) for old, today in V1_TYPES.items()}
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(encode_bytes(1, name.encode()))
        for layer in (layer for layer in layers if layer.blobs):
            if layer.type and layer.type not in numbers:
                raise InputError(f"{path}: layer '{layer.name}': V1 does not support the type {layer.type}")
            head = encode_bytes(4, layer.name.encode())
            head += encode_varint(5 << 3) + encode_varint(numbers[layer.type]) if layer.type else b""
            file.write(encode_bytes(2, head + b"".join(encode_bytes(6, _legacy_blob(layer, b)) for b in layer.blobs)))


def _legacy_blob(layer: LayerWeights, blob: BlobArray) -> bytes:
    if blob.data.ndim > 4:
        raise InputError(f"layer '{layer.name}': a blob has {blob.data.ndim} axes; V1 supports four")
    sizes = (1,) * (4 - blob.data.ndim) + blob.data.shape
    head = b"".join(encode_varint(i << 3) + encode_varint(size) for i, size in enumerate(sizes, 1))
    return head + encode_bytes(5, np.ascontiguousarray(blob.data, dtype="<f4").tobytes())


def with_todays_shapes(layers: Iterable[LayerWeights]) -> list[LayerWeights]:
    """The layers with blobs of four legacy sizes reshaped to what today's layers have.

    Weights of convolutions keep four axes, those of inner products get two, all others become vectors.
    """
    return [replace(x, blobs=[_modern(x, i, blob) for i, blob in enumerate(x.blobs)]) for x in layers]


def _modern(layer: LayerWeights, index: int, blob: BlobArray) -> BlobArray:
    if not blob.legacy:
        return blob
    axes = 1 if index else facts_of(layer.type).weight_axes
    shape = blob.data.shape[4 - axes :]
    return replace(blob, data=blob.data.reshape(shape), legacy=False) if math.prod(shape) == blob.data.size else blob
