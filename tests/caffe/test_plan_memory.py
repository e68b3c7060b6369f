"""What a plan keeps and frees, and that it sees what the user changes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from deeplab_caffe import caffe
from deeplab_caffe.errors import InputError
from plan_nets import NETS, conv, fill, relu
from small_nets import blob, layer
from tolerances import SUM, assert_same_sums


@pytest.fixture
def built(net):
    """`built(text, name)`: a net on two images (3, 9, 7), filled in."""

    def build(text: str) -> caffe.Net:
        made = net(blob("data", (2, 3, 9, 7)) + text, caffe.TEST)
        fill(made)
        return made

    return build


@pytest.fixture
def chain(built) -> caffe.Net:
    return built(NETS["chain in place"])


def _assert_agree(net: caffe.Net, plan) -> None:
    """The plan's result and the plain one, to one sum: two convolutions."""
    planned = plan.forward()["b"].copy()
    assert_same_sums(planned, net.forward()["b"], share=SUM)


def test_a_blob_that_was_not_kept_is_named_with_what_to_do(chain):
    chain.plan().forward()
    wanted = (
        r"blob 'a' holds nothing after a planned pass, which kept b, inputs and data. Ask for it: "
        r"net.plan\(keep=\['a'\]\), or run net.forward\(\)"
    )
    with pytest.raises(InputError, match=wanted):
        _ = chain.blobs["a"].data
    with pytest.raises(InputError, match=wanted):
        chain.plan().forward(["a"])
    with pytest.raises(InputError, match=wanted):
        chain.forward(start="b")
    assert chain.blobs["a"].shape == (2, 4, 9, 7)
    chain.forward()
    assert chain.blobs["a"].data.any()


def test_blobs_on_one_memory_are_named_together(built):
    net = built(NETS["one memory, many names"])
    net.plan().forward()
    with pytest.raises(InputError, match="blob 'a', 'f' holds nothing"):
        _ = net.blobs["f"].data


def test_only_what_is_kept_stays_in_memory(built):
    net = built(NETS["branches"])
    net.plan(keep=["sum"]).forward()
    held = {name for name, b in net.blobs.items() if not b.data_memory.blank}
    assert held == {"data", "sum", "sum_r_sum_0_split_0", "both", "d"} - {"sum_r_sum_0_split_0", "both"}


def test_memory_is_freed_as_the_pass_goes(built):
    net = built("".join(conv(f"c{i}", f"c{i - 1}" if i else "data") + relu(f"c{i}") for i in range(6)))
    alive: list[int] = []
    plan = net.plan()
    for operation in plan.operations:
        run = operation.run

        def counted(run=run):
            run()
            alive.append(sum(not b.data_memory.blank for b in net.blobs.values()))

        operation.run = counted
    plan.forward()
    assert max(alive) == 3  # the input, what a convolution reads, what it writes


@pytest.mark.parametrize("way", ["numpy", "view kept", "tensor", "file", "shared"])
def test_changed_weights_are_noticed(chain, way, tmp_path):
    plan = chain.plan()
    view = chain.params["a"][0].data if way == "view kept" else None
    plan.forward()
    if way == "numpy":
        chain.params["a"][0].data[0] *= 3
    elif way == "view kept":
        view[0] *= 3
    elif way == "tensor":
        chain.params["bn_a"][1].data_tensor().mul_(3)
    else:
        other = caffe.Net(chain.source, caffe.TEST)
        fill(other)
        if way == "shared":
            chain.share_with(other)
        else:
            other.save(tmp_path / "other.caffemodel")
            chain.copy_from(tmp_path / "other.caffemodel")
    before = chain.blobs["b"].data.copy()
    _assert_agree(chain, plan)
    assert np.abs(chain.blobs["b"].data - before).max() > 1e-2


def test_unchanged_weights_are_not_folded_again(chain):
    plan = chain.plan()
    _ = chain.params["a"][0].data
    plan.forward()
    folded = dict(plan.operations[1].convolution.on_cpu._made)
    plan.forward()
    assert plan.operations[1].convolution.on_cpu._made == folded


def test_the_input_may_change_its_shape(chain):
    plan = chain.plan()
    for size in ((2, 3, 9, 7), (1, 3, 20, 31), (0, 3, 9, 7), (3, 3, 9, 7)):
        chain.blobs["data"].reshape(*size)
        chain.blobs["data"].data[...] = np.random.default_rng(0).normal(size=size)
        planned = plan.forward()["b"].copy()
        assert planned.shape == (size[0], 2, *size[2:])
        assert_same_sums(planned, chain.forward()["b"], share=SUM)


def test_inputs_are_given_as_to_forward(chain):
    image = np.random.default_rng(3).normal(size=(2, 3, 9, 7)).astype(np.float32)
    planned = chain.plan().forward(data=image)["b"].copy()
    assert_same_sums(planned, chain.forward(data=image)["b"], share=SUM)
    with pytest.raises(InputError, match="wanted: data"):
        chain.plan().forward(image=image)


def test_views_of_outputs_stay_live(chain):
    plan = chain.plan()
    view = plan.forward()["b"]
    before = view.copy()
    chain.blobs["data"].data[...] *= 2
    plan.forward()
    assert np.abs(view - before).max() > 0.1


def test_names_may_be_one_or_none(chain):
    assert chain.plan(outputs="a").forward().keys() == {"a"}
    assert chain.plan(outputs="a", keep="b").kept == ["a", "b"]
    assert chain.plan(outputs=[]).forward() == {}


def test_two_plans_of_one_net(chain):
    one, two = chain.plan(), chain.plan(keep=["a"], precision="bf16")
    wanted = chain.forward()["b"].copy()
    for _ in range(2):
        assert np.abs(two.forward()["b"] - wanted).max() < 0.1
        assert chain.blobs["a"].data.dtype == np.float32
        assert_same_sums(one.forward()["b"], wanted, share=SUM)


def test_a_layer_in_python_keeps_what_it_wrote(built, tmp_path, monkeypatch):
    (tmp_path / "counting.py").write_text(
        "from deeplab_caffe import caffe\n"
        "class Counting(caffe.Layer):\n"
        "    def reshape(self, bottom, top): top[0].reshape(*bottom[0].shape)\n"
        "    def forward(self, bottom, top): top[0].data[...] += bottom[0].data\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    text = layer("Python", "p", "a", 'python_param { module: "counting" layer: "Counting" }')
    results = []
    for planned in (False, True):
        net = built(conv("a", "data") + text + conv("b", "p"))
        run = net.plan().forward if planned else net.forward
        caffe.set_random_seed(1)
        net.params["a"][0].data[...] = net.params["b"][0].data[...] = 1
        results += [run()["b"].copy() for _ in range(2)]
    for plain, planned in zip(results[:2], results[2:], strict=True):
        assert_same_sums(planned, plain, share=SUM)
    assert np.abs(results[0] - results[1]).max() > 1


def test_bf16_leaves_the_last_weights_alone(chain):
    net = chain
    dtypes = [operation.convolution._dtype for operation in net.plan(precision="bf16").operations[1:]]
    assert dtypes == [torch.bfloat16, torch.float32]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"keep": ["fc6"]}, "the net has no blob 'fc6' to plan for"),
        ({"outputs": ["c"]}, "the net has no blob 'c' to plan for"),
        ({"precision": "fp16"}, r"unknown precision 'fp16'.* \(wanted: float32, bf16\)"),
    ],
)
def test_what_cannot_be_planned(chain, arguments, message):
    with pytest.raises(InputError, match=message):
        chain.plan(**arguments)
