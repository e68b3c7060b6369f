"""pycaffe's Net: construction forms, forward and backward, reshaping, and weights in and out; the "Input" layer."""

from __future__ import annotations

import numpy as np
import pytest

from deeplab_caffe import caffe
from deeplab_caffe.errors import InputError
from deeplab_caffe.formats import schema, weights

_NET = """
name: "small"
force_backward: true
layer { name: "in" type: "Input" top: "data" input_param { shape { dim: 2 dim: 1 dim: 4 dim: 4 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 2 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { pool: AVE global_pooling: true } }
"""


@pytest.fixture
def small(net):
    return net(_NET)


# -- construction


def test_constructor_forms(small, tmp_path):
    file, stored = str(tmp_path / "net.prototxt"), str(tmp_path / "w.caffemodel")
    small.save(stored)
    weight = small.params["conv"][0].data
    for built in (
        caffe.Net(file, stored, caffe.TEST),
        caffe.Net(file, caffe.TEST, weights=stored),
        caffe.Net(network_file=file, phase=caffe.TEST, level=0, stages=["a"], weights=stored),
        caffe.Net(file, caffe.TEST, 0, None, stored),
        caffe.Net(tmp_path / "net.prototxt", tmp_path / "w.caffemodel", caffe.TEST),
    ):
        assert (built.params["conv"][0].data == weight).all()
    with pytest.raises(TypeError, match="phase is missing"):
        caffe.Net(file)


def test_a_missing_file_is_a_runtime_error_as_in_pycaffe():
    with pytest.raises(RuntimeError, match=r"Could not open file nowhere\.prototxt"):
        caffe.Net("nowhere.prototxt", caffe.TEST)


def test_names(small):
    assert list(small.blobs) == ["data", "conv", "pool"]
    assert list(small.params) == ["conv"]
    assert [layer.type for layer in small.layers] == ["Input", "Convolution", "ReLU", "Pooling"]
    assert (small.inputs, small.outputs, small.name) == (["data"], ["pool"], "small")
    assert small.bottom_names["relu"] == small.top_names["relu"] == ["conv"]
    assert [b.shape for b in small.params["conv"]] == [(2, 1, 3, 3), (2,)]


def test_input_shapes(net):
    text = 'layer { name: "in" type: "Input" top: "a" top: "b" input_param { %s } }'
    assert [b.shape for b in net(text % "shape { dim: 2 }").blobs.values()] == [(2,), (2,)]
    assert [b.shape for b in net(text % "shape { dim: 2 } shape { dim: 1 dim: 3 }").blobs.values()] == [(2,), (1, 3)]
    assert [b.shape for b in net(text % "").blobs.values()] == [(), ()]
    with pytest.raises(InputError, match=r"layer 'in' \(Input\): states 3 shapes for 2 tops, wanted none, one, or one"):
        net(text % ("shape { } " * 3))


# -- running


def test_forward_with_inputs_returns_live_outputs(small):
    out = small.forward(data=np.ones((2, 1, 4, 4)), blobs=["conv"])
    assert set(out) == {"pool", "conv"}
    before = out["pool"].copy()
    small.forward(data=np.full((2, 1, 4, 4), 2.0))
    np.testing.assert_allclose(out["pool"], 2 * before, rtol=1e-6)
    small.forward(data=np.ones((2, 1, 1, 1)))  # item assignment broadcasts
    np.testing.assert_allclose(out["pool"], before, rtol=1e-6)


def test_wrong_inputs(small):
    with pytest.raises(Exception, match="Input blob arguments do not match net inputs"):
        small.forward(image=np.ones((2, 1, 4, 4)))
    with pytest.raises(Exception, match="Input is not batch sized"):
        small.forward(data=np.ones((1, 1, 4, 4)))
    with pytest.raises(Exception, match="Top diff arguments do not match net outputs"):
        small.backward(data=np.ones((2, 1, 4, 4)))
    with pytest.raises(Exception, match="Diff is not batch sized"):
        small.backward(pool=np.ones((3, 2, 1, 1)))
    with pytest.raises(ValueError, match="no layer 'nix'"):
        small.forward(end="nix")


def test_start_and_end_run_a_part(small):
    small.params["conv"][0].data[...] = -1
    small.blobs["data"].data[...] = 1
    out = small.forward(end="conv")
    assert list(out) == ["conv"]
    assert (out["conv"] == -9).all()
    assert (small.blobs["pool"].data == 0).all()
    small.blobs["conv"].data[...] = 5
    assert (small.forward(start="pool")["pool"] == 5).all()


def test_backward_with_diffs(small):
    small.params["conv"][0].data[...] = 1
    small.forward(data=np.ones((2, 1, 4, 4)))
    back = small.backward(pool=np.ones((2, 2, 1, 1)), diffs=["conv"])
    assert set(back) == {"data", "conv"}
    assert (back["conv"] == 0.25).all()
    assert back["data"][0, 0].tolist() == [[0.5, 1, 1, 0.5], [1, 2, 2, 1], [1, 2, 2, 1], [0.5, 1, 1, 0.5]]
    assert (small.params["conv"][1].diff == 2).all()
    part = small.backward(start="pool", end="relu")
    assert list(part) == ["conv"]


def test_parameter_diffs_add_up_until_cleared(small):
    small.forward(data=np.ones((2, 1, 4, 4)))
    for _ in range(2):
        small.backward(pool=np.ones((2, 2, 1, 1)))
    bias = small.params["conv"][1].diff
    twice = bias.copy()
    small.clear_param_diffs()
    assert (bias == 0).all()
    small.backward(pool=np.ones((2, 2, 1, 1)))
    np.testing.assert_array_equal(twice, 2 * bias)


def test_backward_reads_the_present_blobs_and_needs_no_forward(small):
    """As Caffe's own test of pycaffe does it: values and diffs written by hand, then backward alone."""
    small.blobs["data"].data[...] = 2
    small.blobs["conv"].diff[...] = 1
    small.clear_param_diffs()
    small.backward(start="conv", end="conv")
    places = small.blobs["conv"].diff[:, 0].size
    np.testing.assert_array_equal(small.params["conv"][1].diff, places)
    np.testing.assert_array_equal(small.params["conv"][0].diff, 2.0 * places)


def test_backward_after_a_change_of_values_or_weights(small):
    small.forward(data=np.ones((2, 1, 4, 4)))
    small.blobs["data"].data[...] = 3
    small.params["conv"][0].data_tensor().add_(1)  # what a solver does to weights
    small.blobs["conv"].diff[...] = 1
    small.clear_param_diffs()
    small.backward(start="conv", end="conv")
    places = small.blobs["conv"].diff[:, 0].size
    np.testing.assert_array_equal(small.params["conv"][0].diff, 3.0 * places)


def test_dropout_needs_its_forward(net):
    text = _NET.replace(
        '"pool" type: "Pooling" bottom: "conv" top: "pool"', '"drop" type: "Dropout" bottom: "conv" top: "d"'
    )
    net = net(text.replace("pooling_param { pool: AVE global_pooling: true }", ""), phase=caffe.TRAIN)
    with pytest.raises(InputError, match=r"layer 'drop' \(Dropout\): backward needs a forward pass before it"):
        net.backward()


def test_reshaping_the_input_reshapes_what_follows(small):
    small.blobs["data"].reshape(1, 1, 6, 5)
    small.blobs["data"].data[...] = 1
    small.forward()
    assert small.blobs["conv"].shape == (1, 2, 4, 3)
    small.blobs["data"].reshape(3, 1, 3, 3)
    small.reshape()
    assert (small.blobs["conv"].shape, small.blobs["pool"].shape) == ((3, 2, 1, 1), (3, 2, 1, 1))


def test_writing_parameters_changes_the_next_forward(small):
    small.params["conv"][0].data[...] = 0
    small.params["conv"][1].data[...] = [3, -3]
    out = small.forward(data=np.zeros((2, 1, 4, 4)))
    assert out["pool"][:, :, 0, 0].tolist() == [[3, 0], [3, 0]]


# -- weights


def test_save_and_load_round_trip(small, net, tmp_path):
    path = tmp_path / "deep" / "w.caffemodel"
    small.save(path)
    other = net(_NET)
    assert (other.params["conv"][0].data != small.params["conv"][0].data).any()
    assert other.copy_from(path) == ["conv"]
    assert (other.params["conv"][0].data == small.params["conv"][0].data).all()
    stored = weights.read_caffemodel(path)
    assert [(x.name, len(x.blobs)) for x in stored] == [("in", 0), ("conv", 2), ("relu", 0), ("pool", 0)]


def test_later_files_override(small, net, tmp_path):
    files = []
    for value in (1, 2):
        small.params["conv"][0].data[...] = value
        small.save(tmp_path / f"{value}.caffemodel")
        files.append(str(tmp_path / f"{value}.caffemodel"))
    other = net(_NET)
    other.copy_from(",".join(files))
    assert (other.params["conv"][0].data == 2).all()


def test_layers_that_are_not_there_are_ignored_and_named(small, net, tmp_path, logged):
    small.save(tmp_path / "w")
    other = net(_NET.replace('name: "conv"', 'name: "conv_new"'))
    before = other.params["conv_new"][0].data.copy()
    assert other.copy_from(tmp_path / "w") == []
    assert (other.params["conv_new"][0].data == before).all()
    assert "Ignoring source layer conv" in logged()


def test_wrong_shapes_and_counts_say_what_came_and_was_wanted(small, net, tmp_path):
    small.save(tmp_path / "w")
    other = net(_NET.replace("num_output: 2", "num_output: 5"))
    with pytest.raises(InputError) as caught:
        other.copy_from(tmp_path / "w")
    for part in ("net.prototxt:5:1: layer 'conv' (Convolution)", "(2, 1, 3, 3)", "(5, 1, 3, 3)", "rename it"):
        assert part in str(caught.value)
    unbiased = net(_NET.replace("num_output: 2", "num_output: 2 bias_term: false"))
    with pytest.raises(InputError, match="has 2 blobs for it, the net 1"):
        unbiased.copy_from(tmp_path / "w")


def test_legacy_shapes_fit_after_padding_with_ones(small, net, tmp_path):
    def stored(**sizes):
        message = schema.NetParameter()
        layer = message.layer.add(name="conv")
        layer.blobs.add(num=2, channels=1, height=3, width=3, data=range(18))
        layer.blobs.add(data=[7, 8], **sizes)
        (tmp_path / "w").write_bytes(message.SerializeToString())

    stored(num=1, channels=1, height=1, width=2)
    small.copy_from(tmp_path / "w")
    assert small.params["conv"][1].data.tolist() == [7, 8]
    stored(num=2, channels=1, height=1, width=1)
    with pytest.raises(InputError, match=r"shape \(2, 1, 1, 1\) for blob 1, the net \(2,\)"):
        small.copy_from(tmp_path / "w")


def test_loading_goes_into_live_views(small, net, tmp_path):
    small.save(tmp_path / "w")
    other = net(_NET)
    view = other.params["conv"][0].data
    other.copy_from(tmp_path / "w")
    assert (view == small.params["conv"][0].data).all()


def test_share_with(small, net):
    other = net(_NET.replace('name: "relu"', 'name: "another"'))
    other.share_with(small)
    small.params["conv"][0].data[...] = 9
    assert (other.params["conv"][0].data == 9).all()
    small.params["conv"][0].diff[...] = 1
    assert (other.params["conv"][0].diff == 0).all()
    wide = net(_NET.replace("num_output: 2", "num_output: 4"))
    with pytest.raises(InputError, match=r"layer 'conv' .*cannot share parameters"):
        wide.share_with(small)


def test_a_definition_may_carry_its_weights(net):
    blobs = "blobs { shape { dim: 1 dim: 2 } data: [3, 4] } blobs { shape { dim: 1 } data: 5 }"
    text = (
        'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 dim: 2 } } }'
        'layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y" %s inner_product_param { num_output: 1 } }'
    )
    assert net(text % blobs).forward(x=np.array([[1, 10]]))["y"].tolist() == [[48]]
    with pytest.raises(InputError, match=r"parameter 0 in the definition is \(2, 1\), wanted \(1, 2\)"):
        net(text % "blobs { shape { dim: 2 dim: 1 } data: [3, 4] }")
    with pytest.raises(InputError, match=r"blobs: 1 values for a blob of shape \(2, 1\)"):
        net(text % "blobs { shape { dim: 2 dim: 1 } data: [3] }")


def test_layer_type_list_is_sorted():
    names = caffe.layer_type_list()
    assert names == sorted(names)
    assert {"Convolution", "Interp", "SegAccuracy"} <= set(names)
