"""Generated nets, narrowed and run on arrays instead of files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from deeplab_caffe import caffe
from deeplab_caffe.formats import schema
from deeplab_caffe.formats.messages import to_message
from deeplab_caffe.formats.prototxt import Document
from deeplab_caffe.formats.writer import format_message
from deeplab_caffe.nets import GeneratorOptions, generate

#: channels of each kind of top of ImageSegData, in their order
_TOPS = ((3,), (1,), (1, 1, 2))


def on_arrays(text: str, size: tuple[int, int]) -> str:
    """A net whose data layers are inputs of the same names: images and labels of `size`."""
    net = to_message(Document(text), schema.NetParameter())
    for layer in net.layer:
        if layer.type == "ImageSegData":
            batch = layer.image_data_param.batch_size
            shapes = [[batch, *own, *(size if len(own) == 1 else ())] for own in _TOPS[: len(layer.top)]]
            tops = list(layer.top)
            layer.Clear()
            layer.MergeFrom(schema.LayerParameter(name=tops[0], type="Input", top=tops))
            for shape in shapes:
                layer.input_param.shape.add(dim=shape)
    return format_message(net)


def narrow_net(folder: Path, name: str, role: str, size: int = 33, **options: Any) -> Any:
    """A net of the table with a few channels in every layer, random images and labels 0 and 1 in its inputs.

    Parameters are as its fillers made them, from_scratch.
    """
    chosen: dict[str, Any] = {"width": 0.01, "batch_size": 2, "from_scratch": True, "dropout": 0}
    chosen |= {"crop": size, "test_crop": size, **options}
    path = folder / f"{role}.prototxt"
    path.write_text(on_arrays(generate(name, GeneratorOptions(**chosen))[path.name], (size, size)))
    caffe.set_random_seed(1)
    net = caffe.Net(str(path), caffe.TRAIN if role.startswith("train") else caffe.TEST)
    random = np.random.default_rng(1)
    for blob in net.inputs:
        shape = net.blobs[blob].shape
        if shape[1] == 3:
            net.blobs[blob].data[...] = random.normal(0, 50, shape)
        else:
            net.blobs[blob].data[...] = size if shape[-1] == 2 else random.integers(0, 2, shape)
    return net


def without_gradient(net: Any) -> list[str]:
    """The layers of which a backward pass left some parameter without a gradient."""
    return [name for name, blobs in net.params.items() if not all(np.any(blob.diff) for blob in blobs)]
