"""Cases of layers run on their own: built, forward and backward, in place or not."""

from __future__ import annotations

import numpy as np

from cases import Case, collect
from deeplab_caffe import caffe
from deeplab_caffe.caffe.blob import Blob
from deeplab_caffe.formats import messages, prototxt, schema

_CASES = collect()


def cases_of(layer_type: str) -> list[Case]:
    return [case for case in _CASES if case.type == layer_type]


def build(case: Case, in_place: bool = False, more: str = "") -> caffe.Net:
    """The case's layer below inputs, seeded and filled in; in place: its first top is its first bottom."""
    inputs = [
        f'layer {{ name: "in_{name}" type: "Input" top: "{name}" input_param {{ shape {{ {_dims(array)} }} }} }}'
        for name, array in case.bottoms.items()
    ]
    text = "\n".join(["force_backward: true", *inputs, case.text, more])
    param = messages.to_message(prototxt.Document(text), schema.NetParameter())
    if in_place:
        param.layer[-1].top[0] = param.layer[-1].bottom[0]
    caffe.set_random_seed(1)
    net = caffe.Net.from_param(param, caffe.TRAIN if case.phase == "TRAIN" else caffe.TEST, case.name)
    for name, array in case.bottoms.items():
        net.blobs[name].data[...] = array
    return net


def _dims(array: np.ndarray) -> str:
    return " ".join(f"dim: {size}" for size in array.shape)


def forward(net: caffe.Net) -> list[np.ndarray]:
    caffe.set_random_seed(5)
    net.forward_range(0, len(net.layers) - 1)
    return [memory_of(blob).copy() for blob in tops_of(net)]


def tops_of(net: caffe.Net) -> list[Blob]:
    return [net.blobs[name] for name in net.top_names["layer"]]


def memory_of(blob: Blob) -> np.ndarray:
    """The memory itself, in whatever layout; writing to it goes unnoticed by autograd."""
    return blob.data_tensor().detach().numpy()


def backward(net: caffe.Net, case: Case) -> list[np.ndarray]:
    for i, blob in enumerate(tops_of(net)):
        blob.diff[...] = np.random.default_rng(i).uniform(-1, 1, blob.shape)
    net.clear_param_diffs()
    net.backward(start="layer", end="layer")
    names = [name for name in net.bottom_names["layer"] if name in case.differentiable]
    blobs = [net.blobs[name] for name in names] + list(net.layer_dict["layer"].blobs)
    return [blob.diff.copy() for blob in blobs]


def agree(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    return len(one) == len(other) and all(
        a.shape == b.shape and np.allclose(a, b, rtol=1e-4, atol=1e-5, equal_nan=True)
        for a, b in zip(one, other, strict=True)
    )


def blobs_below(net: caffe.Net) -> list[Blob]:
    return [net.blobs[name] for name in net.bottom_names["layer"]] + list(net.layer_dict["layer"].blobs)
