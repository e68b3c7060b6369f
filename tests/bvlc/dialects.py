"""Nets in both dialects side by side: one layer each, fed with arrays, run forward and backward."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from deeplab_caffe import caffe
from deeplab_caffe.formats import messages, prototxt, schema
from deeplab_caffe.formats.bvlc import to_bvlc
from tolerances import assert_same_sums

Arrays = dict[str, np.ndarray]


def net_of(text: str, phase: int = caffe.TEST) -> caffe.Net:
    """A net from its text."""
    return caffe.Net.from_param(messages.to_message(prototxt.Document(text), schema.NetParameter()), phase)


def in_bvlc(text: str) -> str:
    """The text in BVLC's dialect, which must not be the same."""
    converted = to_bvlc(prototxt.Document(text))
    assert converted != text
    return converted


def one_layer(text: str, bottoms: Mapping[str, np.ndarray], learned: Sequence[str] = ()) -> str:
    """A net of Input layers and one layer named 'layer'. The bottoms in `learned` want a gradient, the others none.

    To want one they pass through a Scale layer whose factor is 1.
    """
    lines = []
    for name, array in bottoms.items():
        made = f"{name}_raw" if name in learned else name
        dims = " ".join(f"dim: {d}" for d in array.shape)
        lines.append(f'layer {{ name: "{made}" type: "Input" top: "{made}" input_param {{ shape {{ {dims} }} }} }}')
        if name in learned:
            lines.append(
                f'layer {{ name: "pass_{name}" type: "Scale" bottom: "{made}" top: "{name}" '
                "scale_param { axis: 0 num_axes: 0 filler { value: 1 } } }"
            )
    weight = "loss_weight: 1 " * text.count(" top:") if learned else ""
    return "\n".join([*lines, f"{text.rstrip()[:-1]} {weight}}}"])


def run(net: caffe.Net, bottoms: Mapping[str, np.ndarray], learned: Sequence[str] = (), forwards: int = 1) -> Arrays:
    """All that a pass forward and, where something is learned, backward leaves: tops, diffs, parameters."""
    layer = net.layer_dict["layer"]
    for name, array in bottoms.items():
        net.blobs[f"{name}_raw" if name in learned else name].data[...] = array
    random = np.random.default_rng(5)
    for blob in layer.blobs:
        blob.data[...] = random.uniform(0.5, 1.5, blob.shape)
    caffe.set_random_seed(3)
    np.random.seed(3)  # noqa: NPY002 - what the layers draw from
    for _ in range(forwards):
        net.forward()
    left = {f"top {top}": net.blobs[top].data.copy() for top in net.top_names["layer"]}
    if learned:
        for top in net.top_names["layer"]:
            net.blobs[top].diff[...] = random.uniform(-1, 1, net.blobs[top].shape)
        net.clear_param_diffs()
        net.backward(start="layer", end="layer")
        left |= {f"diff {name}": net.blobs[name].diff.copy() for name in learned}
    for i, blob in enumerate(layer.blobs):
        left |= {f"param {i}": blob.data.copy(), f"param diff {i}": blob.diff.copy()}
    return left


def assert_agree(ours: Arrays, native: Arrays) -> None:
    """To float32 rounding."""
    assert ours.keys() == native.keys()
    for name, array in native.items():
        assert_same_sums(ours[name], array, name)
        assert not name.startswith("diff") or array.any(), f"{name} is all zero: nothing was compared"


def compare(
    text: str,
    bottoms: Mapping[str, np.ndarray],
    learned: Sequence[str] = (),
    phase: int = caffe.TEST,
    forwards: int = 1,
) -> None:
    """Assert that a layer in both dialects leaves the same."""
    whole = one_layer(text, bottoms, learned)
    native = run(net_of(whole, phase), bottoms, learned, forwards)
    assert_agree(run(net_of(in_bvlc(whole), phase), bottoms, learned, forwards), native)
