"""Readers of operators that move values between channels and positions, or reduce channels, as fixed convolutions.

Such a convolution has a single 1 for each value that it moves, so nothing is rounded.
"""

from __future__ import annotations

import numpy as np

from .model import OnnxNode
from .net import CaffeNet
from .registry import reads


@reads("DepthToSpace")
def _depth_to_space(net: CaffeNet, node: OnnxNode) -> None:
    """Channels become squares of positions: a Deconvolution whose stride is its kernel."""
    side = int(node.get("blocksize"))
    channels = net.shape(node, node.outputs[0])[1]
    place = np.arange(channels * side * side)
    if node.get("mode", "DCR") == "DCR":
        square, channel = np.divmod(place, channels)
    else:
        channel, square = np.divmod(place, side * side)
    weights = np.zeros((len(place), channels, side * side), np.float32)
    weights[place, channel, square] = 1
    _move(net, node, "Deconvolution", channels, side, weights.reshape(len(place), channels, side, side))


@reads("SpaceToDepth")
def _space_to_depth(net: CaffeNet, node: OnnxNode) -> None:
    """Squares of positions become channels: a Convolution whose stride is its kernel."""
    side = int(node.get("blocksize"))
    channels = net.shape(node, node.inputs[0])[1]
    place = np.arange(channels * side * side)
    square, channel = np.divmod(place, channels)
    weights = np.zeros((len(place), channels, side * side), np.float32)
    weights[place, channel, square] = 1
    _move(net, node, "Convolution", len(place), side, weights.reshape(len(place), channels, side, side))


def _move(net: CaffeNet, node: OnnxNode, kind: str, outputs: int, side: int, weights: np.ndarray) -> None:
    fields = {"num_output": outputs, "kernel_size": [side], "stride": [side], "bias_term": False}
    bottoms = [net.blob(node, node.inputs[0])]
    net.add(node, kind, bottoms, [node.outputs[0]], blobs=[weights], convolution_param=fields)


def over_channels(net: CaffeNet, node: OnnxNode) -> None:
    """Add what reduces the channels of an image to one: their greatest value, their sum or their mean."""
    bottoms, channels = [net.blob(node, node.inputs[0])], net.shape(node, node.inputs[0])[1]
    if node.operator == "ReduceMax":
        net.add(node, "ArgMax", bottoms, [node.outputs[0]], argmax_param={"axis": 1, "out_max_val": True})
        return
    share = 1 / channels if node.operator == "ReduceMean" else 1
    fields = {"num_output": 1, "kernel_size": [1], "bias_term": False}
    weights = np.full((1, channels, 1, 1), share, np.float32)
    net.add(node, "Convolution", bottoms, [node.outputs[0]], blobs=[weights], convolution_param=fields)
