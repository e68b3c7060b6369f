"""Bring the weights of a PyTorch model into a Caffe net, layer by layer, and check them.

    python examples/port_weights.py model.pth net.prototxt conv1=features.0 fc8=classifier.6 -o net.caffemodel --rgb

Each LAYER=MODULE names a layer of the net and the module whose `weight` and `bias` it gets; numbers are reshaped where
only the shape differs (a Linear as a convolution). For torchvision's VGG-16, ResNets and DeepLab v3 the names are
known: `deeplab weights port FILE --to NET -o OUT`. The way back: `deeplab export torch NET -w net.caffemodel -o net`.
"""

from __future__ import annotations

import argparse

import numpy as np

from deeplab_caffe import caffe
from deeplab_caffe.cli import guarded
from deeplab_caffe.errors import InputError
from deeplab_caffe.porting.state_dict import read_state_dict


def pair(word: str) -> tuple[str, str]:
    layer, sign, module = word.partition("=")
    if not sign:
        raise argparse.ArgumentTypeError(f"expected LAYER=MODULE, got {word!r}")
    return layer, module


def values_of(state: dict[str, np.ndarray], file: str, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """A module's weight or bias in the shape of a net's parameter."""
    if name not in state:
        raise InputError(f"{file}: has no {name}; it has {', '.join(sorted(state))}")
    if state[name].size != np.prod(shape):
        raise InputError(f"{file}: {name} is {state[name].shape}, the net expects {shape}")
    return state[name].reshape(shape)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", help="state dict: .pth or .safetensors")
    parser.add_argument("net", help="prototxt")
    parser.add_argument("names", nargs="+", type=pair, metavar="LAYER=MODULE")
    parser.add_argument("-o", "--output", default="net.caffemodel")
    parser.add_argument("--rgb", action="store_true", help="the model was trained on RGB; Caffe's nets take BGR")
    given = parser.parse_args(arguments)

    state = dict(read_state_dict(given.file))
    net = caffe.Net(given.net, caffe.TEST)
    names = dict(given.names)
    for layer, module in names.items():
        if layer not in net.params:
            raise InputError(f"{given.net}: has no layer {layer} with weights; it has {', '.join(net.params)}")
        for part, blob in zip(("weight", "bias"), net.params[layer], strict=False):
            values = values_of(state, given.file, f"{module}.{part}", blob.shape)
            if given.rgb and part == "weight" and values.ndim == 4 and values.shape[1] == 3:
                values = values[:, ::-1]  # the first convolution looks at colours
            blob.data[...] = values
        print(f"{layer}: from {module}, {', '.join(str(tuple(blob.shape)) for blob in net.params[layer])}")
    net.save(given.output)

    missing = [layer for layer in net.params if layer not in names]
    if missing:
        print(f"not given, so they hold their fillers' values: {', '.join(missing)}")
    again = caffe.Net(given.net, given.output, caffe.TEST)  # what was written is what was meant
    for layer in names:
        for blob, read in zip(net.params[layer], again.params[layer], strict=True):
            assert np.array_equal(blob.data, read.data), layer
    print(f"{given.output}: {len(names)} layers, written and read again")


if __name__ == "__main__":
    raise SystemExit(guarded("port_weights.py", main))  # bad input: one line on stderr, exit code 2
