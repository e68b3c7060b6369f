"""Small nets that differ in what makes planning hard: who reads what when, and what lies on one memory."""

from __future__ import annotations

import numpy as np

from deeplab_caffe import caffe
from small_nets import blob, layer


def conv(name: str, bottom: str, outputs: int = 4, more: str = "kernel_size: 3 pad: 1", tops: str | None = None) -> str:
    """A Convolution with random weights and bias."""
    fillers = 'weight_filler { type: "gaussian" std: 0.5 } bias_filler { type: "uniform" min: -1 }'
    return layer("Convolution", name, bottom, f"convolution_param {{ num_output: {outputs} {more} {fillers} }}", tops)


def relu(bottom: str, slope: float = 0, tops: str | None = None) -> str:
    """A ReLU named r, then rr, …, in place unless a top is stated."""
    return layer("ReLU", f"r_{bottom}", bottom, f"relu_param {{ negative_slope: {slope} }}", tops or bottom)


def norm(bottom: str, top: str) -> str:
    """BatchNorm and Scale."""
    scale = 'bias_term: true filler { type: "uniform" min: -1 } bias_filler { type: "gaussian" }'
    return layer("BatchNorm", f"bn_{bottom}", bottom, "", top) + layer(
        "Scale", f"scale_{bottom}", top, f"scale_param {{ {scale} }}", top
    )


def bn(more: str) -> str:
    """A convolution a and a BN in place."""
    return conv("a", "data") + layer("BN", "n", "a", f"bn_param {{ {more} }}", "a")


def _shared(name: str) -> str:
    param = 'param { name: "w" } convolution_param { num_output: 3 kernel_size: 1 bias_term: false'
    return layer("Convolution", name, "data", param + ' weight_filler { type: "gaussian" } }') + relu(name)


_SIZE = "shape { dim: 2 dim: 4 dim: 9 dim: 7 }"
_SLOPES = 'slope_filler { type: "uniform" min: -1 } bias_filler { type: "gaussian" }'

#: layers behind an input `data` (2, 3, 9, 7)
NETS = {
    "chain in place": conv("a", "data") + norm("a", "a") + relu("a") + conv("b", "a", 2),
    "chain of blobs": conv("a", "data") + norm("a", "n") + relu("n", tops="y") + conv("b", "y", 2),
    "leaky": conv("a", "data") + relu("a", 0.1) + conv("b", "a") + relu("b", -0.5),
    "idle dropout": conv("a", "data") + relu("a") + layer("Dropout", "drop", "a", "", "a") + conv("b", "a"),
    "scale and bias": conv("a", "data", more="kernel_size: 1 bias_term: false")
    + layer("Scale", "s", "a", "scale_param { filler { value: -2 } }", "a")
    + layer("Bias", "o", "a", 'bias_param { filler { type: "gaussian" } }'),
    "scale of another axis": conv("a", "data")
    + layer("Scale", "s", "a", 'scale_param { axis: 2 filler { type: "gaussian" } }', "a"),
    "PSPNet's BN": bn(f"frozen: true {_SLOPES}") + relu("a"),
    "SegNet's BN": bn("bn_mode: LEARN"),
    "SegNet's BN without statistics": bn('bn_mode: INFERENCE scale_filler { type: "uniform" }'),
    "groups, stride, dilation": conv("a", "data", 6, "kernel_size: 3 pad: 2 dilation: 2 stride: 2 group: 3")
    + relu("a"),
    "window over the edge": conv("a", "data", more="kernel_h: 3 kernel_w: 8 stride: 3") + conv("b", "a"),
    "other axes": conv("a", "data", more="kernel_size: 3 axis: 2") + relu("a") + conv("b", "a"),
    "branches": conv("a", "data")
    + relu("a")
    + conv("b", "a")
    + conv("c", "a")
    + norm("c", "c")
    + layer("Eltwise", "sum", "b c")
    + relu("sum")
    + layer("Concat", "both", "sum a")
    + conv("d", "both"),
    "in place beside a reader": conv("a", "data")
    + layer("Split", "s", "a", "", "x y")
    + conv("b", "x")
    + relu("y")
    + layer("Eltwise", "sum", "b y"),
    "in place before a reader": conv("a", "data")
    + layer("Split", "s", "a", "", "x y")
    + relu("y")
    + conv("b", "x")
    + layer("Eltwise", "sum", "b y"),
    "two outputs": conv("a", "data")
    + relu("a")
    + layer("Interp", "up", "a", "interp_param { zoom_factor: 2 }")
    + conv("b", "data")
    + layer("Softmax", "p", "b")
    + layer("Dropout", "e", "p"),
    "one layer, many blobs": conv("a", "data data", tops="a b") + relu("a") + relu("b"),
    "shared parameters": _shared("a") + _shared("b"),
    "one memory, many names": conv("a", "data")
    + layer("Reshape", "f", "a", "reshape_param { shape { dim: 0 dim: 2 dim: -1 dim: 7 } }")
    + relu("f")
    + conv("b", "f"),
    "filled once": layer("DummyData", "k", "", f"dummy_data_param {{ {_SIZE} data_filler {{ value: 3 }} }}")
    + conv("a", "data")
    + layer("Eltwise", "sum", "a k"),
    "a top that is used up": conv("a", "data")
    + relu("a")
    + layer("Pooling", "p", "a", "pooling_param { kernel_size: 3 stride: 2 }", "p mask")
    + layer("Silence", "quiet", "mask", "", " "),
    "a window of a map": blob("size", (2, 1, 4, 3))
    + conv("a", "data")
    + layer("Crop", "crop", "a size", "crop_param { offset: 2 }")
    + conv("b", "crop")
    + relu("b"),
    "inner product": conv("a", "data")
    + layer("InnerProduct", "i", "a", 'inner_product_param { num_output: 5 weight_filler { type: "xavier" } }')
    + relu("i")
    + layer("InnerProduct", "j", "i", 'inner_product_param { num_output: 5 weight_filler { type: "xavier" } }'),
    "a parameter as a blob": layer("Parameter", "k", "", f"parameter_param {{ {_SIZE} }}")
    + conv("a", "data")
    + layer("Eltwise", "sum", "a k"),
}


def fill(net: caffe.Net) -> None:
    """Statistics as after some training, and a random input."""
    rng = np.random.default_rng(7)
    for name, blobs in net.params.items():
        if net.layer_dict[name].type == "BatchNorm":
            blobs[0].data[...] = rng.normal(size=blobs[0].shape)
            blobs[1].data[...] = rng.uniform(0.5, 20, blobs[1].shape)
            blobs[2].data[...] = 8
        elif net.layer_dict[name].type in ("BN", "Parameter"):
            blobs[-1].data[...] = rng.uniform(0.5, 2, blobs[-1].shape)
    net.blobs["data"].data[...] = rng.normal(size=net.blobs["data"].shape)
