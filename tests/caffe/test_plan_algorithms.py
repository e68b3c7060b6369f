"""By which algorithm a plan computes a convolution."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from deeplab_caffe import caffe
from deeplab_caffe.caffe.plan import algorithms, winograd
from deeplab_caffe.caffe.plan.direct import Direct
from deeplab_caffe.caffe.plan.timings import Timings
from small_nets import blob, layer
from tolerances import SUM, assert_same_sums

_CONVOLUTION = "convolution_param {{ num_output: 24 kernel_size: 3 pad: 1 {} weight_filler {{ type: 'xavier' }} }}"


@pytest.fixture
def planned(net, monkeypatch):
    """`planned(rates, fields, **arguments)`: a net of a convolution and a ReLU, and its plan.

    rates: how long algorithms take, in whatever unit; None to measure. Every convolution counts as large.
    """

    def build(rates: dict[str, float] | None, fields: str = "", **arguments):
        timings = Timings()
        if rates is not None:
            monkeypatch.setattr(timings, "find", lambda key, size: rates)
        monkeypatch.setattr(algorithms, "timings", timings)
        monkeypatch.setattr(algorithms, "_LEAST", 0)
        text = layer("Convolution", "a", "data", _CONVOLUTION.format(fields)) + layer("ReLU", "r", "a")
        made = net(blob("data", (1, 20, 24, 24)) + text, caffe.TEST)
        made.blobs["data"].data[...] = np.random.default_rng(0).normal(size=(1, 20, 24, 24))
        return made, made.plan(**arguments)

    return build


#: as long per tile of 16 outputs as per pixel: a sixteenth
FASTER = {"direct": 1.0, "winograd 2": 1.0, "winograd 3": 1.0, "winograd 4": 1.0}


def _computed_by(plan) -> list[str]:
    (found,) = (o.convolution.on_cpu for o in plan.operations if hasattr(o, "convolution"))
    return list(found._made)


def test_the_fastest_is_taken(planned):
    net, plan = planned(FASTER)
    found = plan.forward()["r"].copy()
    assert _computed_by(plan) == ["winograd 4"]
    assert_same_sums(found, net.forward()["r"], share=SUM)


def test_tiles_beyond_the_border_count(planned):
    _, plan = planned({"direct": 1.0, "winograd 3": 5.0, "winograd 4": 9.0})  # 24: eight threes, six fours
    plan.forward()
    assert _computed_by(plan) == ["winograd 3"]


@pytest.mark.parametrize("rate", [15.5, 16.0, 1000.0])
def test_what_is_no_faster_than_the_direct_sum_is_not_taken(planned, rate):
    _, plan = planned({"direct": 1.0, "winograd 3": rate, "winograd 4": rate})
    plan.forward()
    assert _computed_by(plan) == ["direct"]


def test_exact_is_the_direct_sum(planned, monkeypatch):
    monkeypatch.setattr(winograd, "Winograd", None)
    net, plan = planned(FASTER, exact=True)
    np.testing.assert_array_equal(plan.forward()["r"].copy(), net.forward()["r"])


@pytest.mark.parametrize("fields", ["stride: 2", "group: 2", "dilation: 2 group: 4"])
def test_what_does_not_fit_is_direct(planned, fields):
    _, plan = planned(FASTER, fields)
    plan.forward()
    assert _computed_by(plan) == ["direct"]


def test_each_is_measured_once_and_the_losers_are_forgotten(planned, monkeypatch):
    made = []
    monkeypatch.setattr(algorithms, "_make", lambda *arguments: made.append(arguments[1]) or Direct(*arguments[::2]))
    _, plan = planned(None)
    for _ in range(2):
        plan.forward()
    assert sorted(made[:3]) == ["direct", "winograd 3", "winograd 4"]
    assert made[3:] == _computed_by(plan) and len(made) == 4


def test_weights_that_change_are_transformed_again(planned):
    net, plan = planned(FASTER)
    before = plan.forward()["r"].copy()
    net.params["a"][0].data[...] *= 3
    found = plan.forward()["r"].copy()
    assert np.abs(found - before).max() > 1
    assert_same_sums(found, net.forward()["r"], share=SUM)


def test_nan_is_where_the_plain_execution_has_it(planned):
    net, plan = planned(FASTER)
    net.blobs["data"].data[0, 3, 5, 6] = np.nan
    found = plan.forward()["r"].copy()
    np.testing.assert_array_equal(np.isnan(found), np.isnan(net.forward()["r"]))


def test_another_size_is_chosen_for_anew(planned):
    net, plan = planned({"direct": 1.0, "winograd 3": 8.2, "winograd 4": 15.0})
    for size, name in ((24, "winograd 3"), (32, "winograd 4")):
        net.blobs["data"].reshape(1, 20, size, size)
        plan.forward()
        assert _computed_by(plan)[-1] == name


@pytest.mark.parametrize(("seconds", "said"), [(1.0, False), (60.0, True)])
def test_bf16_that_is_slower_is_said_once(net, monkeypatch, logged, seconds, said):
    timings = Timings()
    whole = {"direct": 30.0, "winograd 3": 1e3, "winograd 4": 160.0}
    rates = {"torch.bfloat16": {"direct": seconds}, "torch.float32": whole}
    monkeypatch.setattr(timings, "find", lambda key, size: next(r for name, r in rates.items() if name in key))
    monkeypatch.setattr(algorithms, "timings", timings)
    monkeypatch.setattr(algorithms, "_LEAST", 0)
    scores = layer("Convolution", "b", "a", "convolution_param { num_output: 2 kernel_size: 1 }")
    text = layer("Convolution", "a", "data", _CONVOLUTION.format("")) + scores
    made = net(blob("data", (1, 20, 24, 24)) + text, caffe.TEST)
    plan = made.plan(precision="bf16")
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        pytest.skip("oneDNN has no bfloat16 here")
    for _ in range(2):
        plan.forward()
    lines = [line for line in logged() if "bf16" in line]
    assert len(lines) == said
    assert all("takes 6.0 times" in line and "float32 is faster" in line for line in lines)
