"""Memory: against what the engine really holds after a pass, and by hand where things are freed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import small_nets as nets
from deeplab_caffe import caffe
from deeplab_caffe.caffe.layer_types.base import TensorLayer
from deeplab_caffe.inspection.memory import memory
from deeplab_caffe.inspection.shapes import infer_shapes

_NET = nets.net(
    nets.image("33x33", 3),
    nets.image("33x33", name="label"),
    nets.conv("conv1", "data", outputs=8),
    nets.layer("BatchNorm", "bn1", "conv1", tops="conv1"),
    nets.layer("Scale", "scale1", "conv1", "scale_param { bias_term: true }", "conv1"),
    nets.layer("ReLU", "relu1", "conv1", tops="conv1"),
    nets.layer("Pooling", "pool1", "conv1", "pooling_param { kernel_size: 3 stride: 2 pad: 1 }"),
    nets.conv("a", "pool1", outputs=8),
    nets.conv("b", "pool1", outputs=8),
    nets.layer("Eltwise", "sum", "a b"),
    nets.layer("Concat", "one", "sum"),
    nets.layer("Dropout", "drop", "one", tops="one"),
    nets.layer("Concat", "both", "one a"),
    nets.conv("score", "both", "kernel_size: 1", outputs=21),
    nets.layer("Interp", "small", "label", "interp_param { shrink_factor: 2 }"),
    nets.layer("SoftmaxWithLoss", "loss", "score small"),
    nets.layer("Accuracy", "accuracy", "score small", "accuracy_param { axis: 1 }"),
)


def _run(path, phase: int) -> caffe.Net:
    net = caffe.Net(str(path), phase)
    net.blobs["data"].data[...] = np.random.default_rng(0).uniform(-1, 1, net.blobs["data"].shape)
    net.forward_range(0, len(net.layers) - 1)  # hands out no views, which would make copies
    return net


def _held(net: caffe.Net, which: str) -> int:
    """Bytes of all blobs' data or diff, shared memory once."""
    found = {}
    for blob in net.blobs.values():
        held = getattr(blob, f"{which}_memory")
        if not held.blank:
            storage = held.tensor(blob.shape).untyped_storage()
            found[storage.data_ptr()] = storage.nbytes()
    return sum(found.values())


def test_data_and_diff_are_what_the_engine_holds(write):
    path = write(_NET)
    found = memory(infer_shapes(path))
    net = _run(path, caffe.TRAIN)
    assert _held(net, "data") == found.data
    net.backward_range(len(net.layers) - 1, 0)
    assert _held(net, "diff") == found.diff
    assert found.params == sum(b.data.nbytes for blobs in net.params.values() for b in blobs)
    learned = [p.blob for p in net.learnable_params if not p.blob.diff_memory.blank]
    assert found.gradients == sum(b.diff.nbytes for b in learned)
    assert found.training == found.data + found.diff + found.kept + found.gradients + 2 * found.params
    assert memory(infer_shapes(path), histories=2).history == 2 * found.params


def _kept(layer, bottoms, tops) -> int:
    """Bytes that autograd keeps of a forward pass, beside the blobs and the parameters."""
    saved: list[torch.Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t) or t, lambda t: t):
        layer.forward(bottoms, tops)
    if isinstance(layer, TensorLayer) and layer._tape:
        saved += [*layer._tape[0], *layer._tape[2]]
    known = {b.data_tensor().untyped_storage().data_ptr() for b in (*bottoms, *tops, *layer.blobs)}
    storages = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in saved}
    return sum(size for pointer, size in storages.items() if pointer not in known)


_SOME = [
    ("Convolution", "convolution_param { num_output: 8 kernel_size: 3 pad: 1 }", "top"),
    ("Pooling", "pooling_param { kernel_size: 3 stride: 2 }", "top"),
    ("Pooling", "pooling_param { pool: AVE kernel_size: 3 stride: 2 }", "top"),
    ("BatchNorm", "", "x"),
    ("BatchNorm", "batch_norm_param { use_global_stats: true }", "top"),
    ("Scale", "", "x"),
    ("ReLU", "", "x"),
    ("ReLU", "", "top"),
    ("ReLU", "relu_param { negative_slope: -0.5 }", "x"),
    ("PReLU", "", "x"),
    ("Sigmoid", "", "x"),
    ("HardSwish", "", "x"),
    ("HardSwish", "", "top"),
    ("Dropout", "", "x"),
    ("Dropout", "", "top"),
    ("LRN", "", "top"),
    ("Softmax", "", "top"),
    ("Interp", "interp_param { zoom_factor: 2 }", "top"),
]


@pytest.mark.parametrize(("kind", "more", "top"), _SOME)
def test_what_forward_keeps_is_what_autograd_saves(write, kind, more, top):
    first = nets.conv("x", "data", outputs=8)
    path = write(
        "force_backward: true\n" + nets.net(nets.image("32x32", 8), first, nets.layer(kind, "l", "x", more, top))
    )
    net = _run(path, caffe.TRAIN)
    step = net.layers[-1], net._bottoms[-1], net._tops[-1]
    assert step[0].kept_bytes(*step[1:]) == pytest.approx(_kept(*step), rel=0.2, abs=1024)


def test_the_loss_keeps_probabilities_and_eltwise_its_choices(write):
    path = write(
        _NET.replace("force", "force")
        + nets.layer("Eltwise", "max", "a b", "eltwise_param { operation: MAX } loss_weight: 1")
    )
    net = _run(path, caffe.TRAIN)
    for name in ("loss", "max"):
        i = list(net._layer_names).index(name)
        step = net.layers[i], net._bottoms[i], net._tops[i]
        assert step[0].kept_bytes(*step[1:]) == pytest.approx(_kept(*step), rel=0.01)


def test_testing_holds_what_the_plan_really_holds(write):
    path = write(_NET)
    found = memory(infer_shapes(path))
    net = caffe.Net(str(path), caffe.TRAIN)
    for name in net.inputs:
        net.blobs[name].data[...] = 0
    most = 0
    with torch.no_grad():
        for operation in net.plan().operations:
            operation.run()
            most = max(most, _held(net, "data"))
            for held, why in operation.frees:
                held.release(why)
    assert found.live == most < found.data


def test_testing_frees_what_nothing_reads_any_more(write):
    layers = [
        nets.conv("a", "data", outputs=4),
        nets.layer("ReLU", "relu", "a", tops="a"),
        nets.conv("b", "a", outputs=2),
        nets.conv("c", "b", outputs=1),
        nets.layer("Eltwise", "d", "c data"),
    ]
    found = memory(infer_shapes(write(nets.net(nets.image("10x10"), *layers))))
    plane = 100 * 4
    assert found.data == (1 + 4 + 2 + 1 + 1) * plane
    assert found.live == (1 + 4 + 2) * plane  # data, a and b; data stays to the end
    assert found.folded == found.params  # of three convolutions
    assert found.planned == found.live + 2 * found.params and found.testing == found.data + found.params
    assert found.diff == found.kept == 0  # nothing to learn from
