"""Readers of operators that join, flatten, turn or multiply matrices."""

from __future__ import annotations

import numpy as np

from .model import OnnxNode
from .net import CaffeNet, layer_name
from .registry import reads


@reads("Gemm")
def _gemm(net: CaffeNet, node: OnnxNode) -> None:
    if node.get("transA", 0):
        node.fail("transposes its input, which Caffe's InnerProduct does not")
    weights = net.weights(node, 1) * np.float32(node.get("alpha", 1.0))
    weights = weights if node.get("transB", 0) else weights.T
    bias = net.weights(node, 2, "bias") * np.float32(node.get("beta", 1.0)) if node.present(2) else None
    if bias is not None and bias.size != 1 and bias.shape not in ((len(weights),), (1, len(weights))):
        node.fail(f"adds {bias.shape}; Caffe's InnerProduct adds one value for each of its {len(weights)} outputs")
    _inner_product(net, node, weights, bias, 1)


@reads("MatMul")
def _matmul(net: CaffeNet, node: OnnxNode) -> None:
    weights = net.weights(node, 1, "second matrix")
    if weights.ndim != 2:
        node.fail(f"multiplies with {weights.shape}; only a matrix of weights has a counterpart")
    _inner_product(net, node, weights.T, None, len(net.shape(node, node.inputs[0])) - 1)


def _inner_product(net: CaffeNet, node: OnnxNode, weights: np.ndarray, bias: np.ndarray | None, axis: int) -> None:
    fields = {"num_output": weights.shape[0]}
    blobs = [weights]
    if bias is None:
        fields["bias_term"] = False
    else:
        blobs.append(np.broadcast_to(bias.reshape(-1), (weights.shape[0],)))
    if axis != 1:
        fields["axis"] = axis
    bottom = net.blob(node, node.inputs[0])
    flatten = net.sole_maker(node.inputs[0], "Flatten")
    if flatten is not None and axis == 1:  # an InnerProduct flattens by itself
        bottom = flatten.bottom[0]
        net.remove(flatten)
    name = layer_name(node.inputs[1])
    net.add(node, "InnerProduct", [bottom], [node.outputs[0]], name, blobs, inner_product_param=fields)


@reads("Flatten", "Reshape", "Squeeze", "Unsqueeze")
def _reshape(net: CaffeNet, node: OnnxNode) -> None:
    shape, wanted = net.shape(node, node.inputs[0]), net.shape(node, node.outputs[0])
    bottoms = [net.blob(node, node.inputs[0])]
    if shape == wanted:
        net.alias(node)
    elif len(wanted) == 2 and len(shape) > 2 and wanted[0] == shape[0]:
        net.add(node, "Flatten", bottoms, [node.outputs[0]])
    else:
        dims = [0 if axis < len(shape) and shape[axis] == size else size for axis, size in enumerate(wanted)]
        net.add(node, "Reshape", bottoms, [node.outputs[0]], reshape_param={"shape": {"dim": dims}})


@reads("Transpose")
def _transpose(net: CaffeNet, node: OnnxNode) -> None:
    shape = net.shape(node, node.inputs[0])
    order = node.get("perm") or [*reversed(range(len(shape)))]
    moved = [axis for axis in order if shape[axis] != 1]
    if list(order) == [*range(len(shape))]:
        net.alias(node)
    elif moved == sorted(moved):
        dims = [shape[axis] for axis in order]
        net.add(
            node, "Reshape", [net.blob(node, node.inputs[0])], [node.outputs[0]], reshape_param={"shape": {"dim": dims}}
        )
    else:
        net.add(node, "Permute", [net.blob(node, node.inputs[0])], [node.outputs[0]], permute_param={"order": order})


@reads("Concat")
def _concat(net: CaffeNet, node: OnnxNode) -> None:
    axis = node.get("axis") % len(net.shape(node, node.outputs[0]))
    fields = {} if axis == 1 else {"axis": axis}
    net.add(node, "Concat", [net.blob(node, name) for name in node.inputs], [node.outputs[0]], concat_param=fields)


@reads("Tile")
def _tile(net: CaffeNet, node: OnnxNode) -> None:
    repeats = np.ravel(net.model.argument(node, "repeats", 1))
    axes = [axis for axis, count in enumerate(repeats) if count != 1]
    if not axes:
        net.alias(node)
        return
    if len(axes) != 1:
        node.fail(f"repeats {repeats.tolist()}; Caffe's Tile repeats one axis")
    fields = {"axis": axes[0], "tiles": int(repeats[axes[0]])}
    net.add(node, "Tile", [net.blob(node, node.inputs[0])], [node.outputs[0]], tile_param=fields)
