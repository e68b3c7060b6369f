"""Activation recomputation: the same gradients to the bit, from less memory."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from deeplab_caffe import caffe
from deeplab_caffe.errors import InputError
from plan_nets import NETS, conv, fill, norm, relu
from small_nets import blob, layer

_CHAIN = "".join(conv(f"c{i}", f"c{i - 1}" if i else "data") + relu(f"c{i}") for i in range(8))
_DRAWING = (
    conv("a", "data")
    + norm("a", "n")
    + layer("BN", "bn", "n", "bn_param { momentum: 0.9 }")
    + layer("Dropout", "drop", "bn", "", "bn")
    + layer("Pooling", "pool", "bn", "pooling_param { pool: STOCHASTIC kernel_size: 3 }")
    + conv("b", "pool")
    + layer("Dropout", "drop2", "b")
)
_INPUT_CHANGED = layer("Power", "twice", "data", "power_param { scale: 2 shift: 1 }", "data") + _CHAIN
_NETS = {**NETS, "input changed in place": _INPUT_CHANGED, "long chain": _CHAIN, "draws and statistics": _DRAWING}


@pytest.fixture
def built(net):
    """`built(layers)`: a training net of those layers, with a loss on each of its outputs."""

    def build(text: str) -> caffe.Net:
        caffe.set_random_seed(1)
        head = "force_backward: true " + blob("data", (2, 3, 9, 7))
        outputs = net(head + text, caffe.TRAIN).outputs
        losses = (layer("Reduction", f"{name}_loss", name, "loss_weight: 1") for name in outputs)
        made = net(head + text + "".join(losses), caffe.TRAIN)
        fill(made)
        return made

    return build


def _passes(net: caffe.Net) -> list[torch.Tensor]:
    """Two forward and backward passes: losses, gradients, parameters."""
    caffe.set_random_seed(2)
    found = []
    for _ in range(2):
        net.clear_param_diffs()
        found.append(net.forward_range(0, len(net.layers) - 1))
        net.backward_range(len(net.layers) - 1, 0, release=True)
        found += [net.blobs["data"].diff_tensor().clone()]
        for blobs in net.params.values():
            found += [tensor.clone() for b in blobs for tensor in (b.data_tensor(), b.diff_tensor())]
    return found


def _held(net: caffe.Net) -> int:
    """Values in the data and the diffs of all blobs."""
    memories = {id(m): m for b in net.blobs.values() for m in (b.data_memory, b.diff_memory)}
    tensors = [m._tensor for m in memories.values() if m._tensor is not None]
    return sum(tensor.numel() for tensor in tensors)


@pytest.mark.parametrize("name", _NETS)
def test_the_same_to_the_bit(built, name):
    plain, again = built(_NETS[name]), built(_NETS[name])
    again.recompute()
    for ours, theirs in zip(_passes(again), _passes(plain), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("ends", [["c3"], ["r_c3"], ["r_c1", "r_c5"]])
def test_segments_end_where_it_is_said(built, ends):
    net = built(_CHAIN)
    if ends == ["c3"]:
        with pytest.raises(InputError, match=r"layer 'c3' \(Convolution\): no segment can end with it"):
            net.recompute(ends)
        return
    net.recompute(ends)
    wanted = _passes(built(_CHAIN))
    assert all(map(torch.equal, _passes(net), wanted))
    assert [net._layer_names[end] for _, end in net._recomputation.segments] == ends


def test_less_memory_is_held(built):
    plain, again = built(_CHAIN), built(_CHAIN)
    again.recompute()
    for net in (plain, again):
        net.forward_range(0, len(net.layers) - 1)
    assert _held(again) < 0.5 * _held(plain)
    for net in (plain, again):
        net.backward_range(len(net.layers) - 1, 0, release=True)
    assert _held(again) < 0.5 * _held(plain)


def test_what_is_gone_says_so_and_comes_back(built):
    net = built(_CHAIN)
    net.recompute(["r_c3"])
    net.forward()
    with pytest.raises(InputError, match="the blobs inside 'c0' to 'r_c3' hold nothing after a pass"):
        _ = net.blobs["c1"].data
    assert net.blobs["c3"].data.any()
    net.recompute(())
    net.forward()
    assert net.blobs["c1"].data.any()


def test_frozen_layers_are_not_computed_again(built, net):
    frozen = conv("a", "data") + relu("a") + conv("b", "a") + relu("b")
    text = frozen.replace("convolution_param", "param { lr_mult: 0 } param { lr_mult: 0 } convolution_param")
    made = net(
        blob("data", (2, 3, 9, 7)) + text + conv("c", "b") + layer("Reduction", "l", "c", "loss_weight: 1"), caffe.TRAIN
    )
    made.recompute(["r_b"])
    fill(made)
    made.forward_range(0, len(made.layers) - 1)
    made.backward_range(len(made.layers) - 1, 0)
    assert made.blobs["a"].data_memory.blank
    assert np.abs(made.params["c"][0].diff).max() > 0


def test_unknown_layer(built):
    with pytest.raises(InputError, match="recompute: the net has no layer 'c_3'; did you mean 'c3'"):
        built(_CHAIN).recompute(["c_3"])
