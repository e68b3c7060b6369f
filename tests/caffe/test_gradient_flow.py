"""Which layers run backward: losses above, parameters below, propagate_down, force_backward."""

from __future__ import annotations

import numpy as np
import pytest

from deeplab_caffe import caffe
from small_nets import blob, layer

_IN = (
    'layer { name: "in" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }'
    'layer { name: "lab" type: "Input" top: "label" input_param { shape { dim: 2 } } }'
)
_FROZEN = "param { lr_mult: 0 } param { lr_mult: 0 }"


def _ip(name: str, bottom: str, more: str = "") -> str:
    return (
        f'layer {{ name: "{name}" type: "InnerProduct" bottom: "{bottom}" top: "{name}" {more} '
        'inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }'
    )


def _loss(bottom: str, more: str = "", name: str = "loss") -> str:
    return (
        f'layer {{ name: "{name}" type: "SoftmaxWithLoss" bottom: "{bottom}" bottom: "label" top: "{name}" {more} }}'
    )


def _running(built) -> list[str]:
    return [name for name, layer in built.layer_dict.items() if layer.needs_backward and layer.type != "Split"]


@pytest.fixture
def train(net):
    return lambda text: net(text, caffe.TRAIN)


def test_nothing_runs_below_the_first_parameters(train):
    built = train(_IN + _ip("a", "data") + _ip("b", "a") + _loss("b"))
    assert _running(built) == ["a", "b", "loss"]
    assert built.layer_dict["a"].propagate_down == [False]
    assert built.layer_dict["b"].propagate_down == [True]
    assert built.layer_dict["loss"].propagate_down == [True, False]


def test_frozen_layers_do_not_run(train):
    built = train(_IN + _ip("a", "data", _FROZEN) + _ip("b", "a") + _loss("b"))
    assert _running(built) == ["b", "loss"]


def test_a_frozen_layer_between_passes_gradient_on(train):
    built = train(_IN + _ip("a", "data") + _ip("b", "a", _FROZEN) + _loss("b"))
    assert _running(built) == ["a", "b", "loss"]
    built.blobs["data"].data[...] = 1
    built.forward()
    built.backward()
    assert np.abs(built.params["a"][0].diff).max() > 0
    assert (built.params["b"][0].diff == 0).all()


def test_layers_under_no_loss_do_not_run(train):
    assert _running(train(_IN + _ip("a", "data") + _ip("side", "a") + _ip("b", "a") + _loss("b"))) == ["a", "b", "loss"]


def test_everything_frozen_means_no_backward_at_all(train):
    assert _running(train(_IN + _ip("a", "data", _FROZEN) + _loss("a"))) == []


def test_propagate_down_false_cuts(train):
    built = train(_IN + _ip("a", "data") + _ip("b", "a", "propagate_down: false") + _loss("b"))
    assert _running(built) == ["b", "loss"]
    built.forward()
    built.backward()
    assert (built.params["a"][0].diff == 0).all()


def test_propagate_down_false_on_one_loss_keeps_the_other(train):
    text = _IN + _ip("a", "data") + _loss("a", "propagate_down: false propagate_down: false") + _loss("a", name="l2")
    built = train(text)
    assert built.layer_dict["loss"].propagate_down == [False, False]
    built.blobs["data"].data[...] = [[1, 2, 3], [3, 2, 1]]
    built.forward()
    built.backward()
    one = built.params["a"][0].diff.copy()
    alone = train(_IN + _ip("a", "data") + _loss("a"))
    alone.params["a"][0].data[...] = built.params["a"][0].data
    alone.blobs["data"].data[...] = [[1, 2, 3], [3, 2, 1]]
    alone.forward()
    alone.backward()
    np.testing.assert_allclose(one, alone.params["a"][0].diff, rtol=1e-6)


def test_propagate_down_true_forces_gradient_into_the_input(train):
    built = train(_IN + _ip("a", "data", "propagate_down: true") + _loss("a"))
    assert built.layer_dict["a"].propagate_down == [True]
    built.blobs["data"].data[...] = 1
    built.forward()
    built.backward()
    assert np.abs(built.blobs["data"].diff).max() > 0


def test_force_backward_reaches_every_input_but_labels(train):
    built = train("force_backward: true " + _IN + _ip("a", "data", _FROZEN) + _loss("a"))
    assert built.layer_dict["loss"].propagate_down == [True, False]
    assert built.layer_dict["a"].propagate_down == [True]
    assert built.layer_dict["a"].param_propagate == [True, True]
    built.blobs["data"].data[...] = 1
    built.forward()
    diffs = built.backward()
    assert np.abs(diffs["data"]).max() > 0
    assert np.abs(built.params["a"][0].diff).max() > 0


def test_two_losses_add_their_gradients(train):
    text = _IN + _ip("a", "data")
    both = train(text + _loss("a", "loss_weight: 0.25") + _loss("a", "loss_weight: 2", name="l2"))
    single = train(text + _loss("a"))
    for built in (both, single):
        built.params["a"][0].data[...] = np.arange(9).reshape(3, 3) / 9
        built.blobs["data"].data[...] = [[1, 0, 2], [0, 1, 1]]
        built.forward()
        built.backward()
    np.testing.assert_allclose(both.params["a"][0].diff, 2.25 * single.params["a"][0].diff, rtol=1e-5, atol=1e-7)
    last = len(both.layers) - 1
    assert both._forward(0, last) == pytest.approx(2.25 * single._forward(0, len(single.layers) - 1), rel=1e-6)


@pytest.mark.parametrize("slope", [0, 0.5])
def test_the_gradient_of_a_sum_through_a_relu_in_place(net, slope):
    """All elements of that gradient lie in one place of memory: the ReLU must not write over them."""
    filler = 'weight_filler { type: "constant" value: 1 }'
    built = net(
        blob("data", (1, 1, 3, 3))
        + layer("Convolution", "conv", "data", f"convolution_param {{ num_output: 1 kernel_size: 1 {filler} }}")
        + layer("ReLU", "relu", "conv", f"relu_param {{ negative_slope: {slope} }}", "conv")
        + layer("Reduction", "sum", "conv", "loss_weight: 1"),
        caffe.TRAIN,
    )
    built.blobs["data"].data[...] = np.arange(-4, 5).reshape(3, 3)
    built.forward()
    built.backward()
    weight, bias = built.params["conv"]
    assert (weight.diff.item(), bias.diff.item()) == (10 - 10 * slope, 4 + 5 * slope)


def test_the_gradient_of_a_parameter_that_is_summed_can_be_changed(net):
    built = net(
        'layer { name: "p" type: "Parameter" top: "p" parameter_param { shape { dim: 2 dim: 3 } } }'
        + layer("Reduction", "sum", "p", "loss_weight: 1"),
        caffe.TRAIN,
    )
    built.forward()
    built.backward()
    built.params["p"][0].diff_tensor().mul_(2)
    assert built.params["p"][0].diff.tolist() == [[2, 2, 2], [2, 2, 2]]
