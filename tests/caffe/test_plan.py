"""Planned execution: agrees with the plain one on nets of every form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from deeplab_caffe import caffe
from plan_nets import NETS, fill
from small_nets import blob, layer
from tolerances import SUM, TENSOR, assert_same_sums

_LARGEFOV = Path(__file__).parents[2] / "prototxt" / "voc12" / "largefov" / "deploy.prototxt"


def _close(found: np.ndarray, wanted: np.ndarray, share: float = SUM) -> None:
    """To one sum, the nets being of a layer or two with weights; bfloat16 has 8 bits in place of 24."""
    assert_same_sums(found, wanted, share=share, tiny=1e-7)


@pytest.fixture
def built(net):
    """`built(text)`: a net on two images (3, 9, 7), filled in."""

    def build(text: str, phase: int = caffe.TEST) -> caffe.Net:
        made = net(blob("data", (2, 3, 9, 7)) + text, phase)
        fill(made)
        return made

    return build


def _copies(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: values.copy() for name, values in arrays.items()}


@pytest.mark.parametrize("name", NETS)
def test_agrees_with_the_plain_execution(built, name):
    net = built(NETS[name])
    wanted = _copies(net.forward())
    planned = net.plan()
    for run in (planned.forward, planned.forward, net.forward):  # the plan leaves no trace
        found = run()
        assert found.keys() == wanted.keys()
        for key, values in found.items():
            _close(values, wanted[key])


@pytest.mark.parametrize("name", NETS)
def test_keeps_any_blob_that_is_asked_for(built, name):
    net = built(NETS[name])
    net.forward()
    wanted = {key: b.data.copy() for key, b in net.blobs.items()}
    for key, values in net.plan(keep=list(net.blobs)).forward(list(net.blobs)).items():
        _close(values, wanted[key])
    for key in net.blobs:
        _close(net.plan(outputs=key).forward()[key], wanted[key])


@pytest.mark.parametrize("name", NETS)
def test_bf16_is_near(built, name):
    net = built(NETS[name])
    wanted = _copies(net.forward())
    for key, values in net.plan(precision="bf16").forward().items():
        assert values.dtype == np.float32
        _close(values, wanted[key], 0.05)


def _chains(net: caffe.Net, **arguments) -> list[list[str]]:
    operations = net.plan(**arguments).operations
    return [[net._layer_names[i] for i in operation.layers] for operation in operations if len(operation.layers) > 1]


def test_what_is_computed_together(built):
    assert _chains(built(NETS["chain in place"])) == [["a", "bn_a", "scale_a", "r_a"]]
    assert _chains(built(NETS["chain of blobs"])) == [["a", "bn_a", "scale_a", "r_n"]]
    assert _chains(built(NETS["PSPNet's BN"])) == [["a", "n", "r_a"]]
    assert _chains(built(NETS["SegNet's BN"])) == []
    assert _chains(built(NETS["SegNet's BN without statistics"])) == [["a", "n"]]
    assert _chains(built(NETS["scale of another axis"])) == []
    assert _chains(built(NETS["idle dropout"])) == [["a", "r_a", "drop"]]
    assert _chains(built(NETS["chain in place"], caffe.TRAIN)) == []  # statistics of the batch


def test_a_kept_blob_is_not_passed_over(built):
    net = built(NETS["chain of blobs"])
    assert _chains(net, keep=["n"]) == [["a", "bn_a", "scale_a"]]
    assert _chains(net, keep=["a"]) == []


def test_layers_that_the_outputs_do_not_need_are_not_run(built):
    net = built(NETS["branches"])
    ran = {net._layer_names[i] for operation in net.plan(outputs=["b"]).operations for i in operation.layers}
    assert ran == {"in_data", "a", "r_a", "a_r_a_0_split", "b"}


def test_largefov_agrees():
    made = caffe.Net(str(_LARGEFOV), caffe.TEST)
    torch.manual_seed(0)
    for blobs in made.params.values():
        blobs[0].set_data(torch.randn(blobs[0].shape) * (2 / np.prod(blobs[0].shape[1:])) ** 0.5)
    made.blobs["data"].reshape(1, 3, 65, 49)
    made.blobs["data"].data[...] = np.random.default_rng(0).normal(0, 50, (1, 3, 65, 49))
    wanted = made.forward()["fc8_interp"].copy()
    _close(made.plan().forward()["fc8_interp"], wanted, TENSOR)
    lower = made.plan(precision="bf16").forward()["fc8_interp"]
    _close(lower, wanted, 0.05)
    assert (lower.argmax(1) == wanted.argmax(1)).mean() > 0.9


def test_states_advance_as_in_the_plain_execution(built):
    text = layer("BatchNorm", "bn", "data") + layer("Dropout", "drop", "bn")
    plain, planned = built(text, caffe.TRAIN), built(text, caffe.TRAIN)
    plan = planned.plan()
    for seed in (1, 2):
        caffe.set_random_seed(seed)
        wanted = plain.forward()["drop"]
        caffe.set_random_seed(seed)
        np.testing.assert_array_equal(plan.forward()["drop"], wanted)
    for ours, theirs in zip(planned.params["bn"], plain.params["bn"], strict=True):
        np.testing.assert_array_equal(ours.data, theirs.data)


def test_the_loss_is_that_of_the_plain_execution(built):
    text = blob("label", (2, 1, 9, 7)) + NETS["chain in place"]
    net = built(
        text + layer("SoftmaxWithLoss", "loss", "b label", "loss_weight: 0.5") + layer("EuclideanLoss", "e", "b b")
    )
    assert float(net.plan().run()) == pytest.approx(net._forward(0, len(net.layers) - 1), rel=1e-6)


@pytest.mark.parametrize("value", [1.0, 1e20, 3e38, np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("weight", [1.0, -1.0, 1e15, 1e25])
def test_values_that_overflow_on_their_way_are_seen(net, value, weight):
    """The bound of what a convolution makes replaces looking at it, as long as nothing can overflow."""
    text = 'layer { name: "data" type: "Input" top: "x0" input_param { shape { dim: [1, 2, 4, 4] } } }'
    for i in range(4):
        text += f"""layer {{ name: "c{i}" type: "Convolution" bottom: "x{i}" top: "x{i + 1}"
            convolution_param {{ num_output: 2 kernel_size: 1 bias_term: false }} }}
            layer {{ name: "r{i}" type: "ReLU" bottom: "x{i + 1}" top: "x{i + 1}" }}"""
    built = net(text)
    for i in range(4):
        built.params[f"c{i}"][0].data[...] = np.array([[weight, 1], [1, -1]]).reshape(2, 2, 1, 1)
    plan = built.plan()
    for other in (1.0, value):  # what is known of a pass is not taken for the next one
        built.blobs["x0"].data[...] = 1
        built.blobs["x0"].data[0, 0, 1, 2] = other
        found = plan.forward()["x4"].copy()
        np.testing.assert_array_equal(found, built.forward()["x4"])
