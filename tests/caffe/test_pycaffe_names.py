"""pycaffe's module functions, the raw lists of Net, MemoryData's arrays, and nets that go on after an error."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch

from deeplab_caffe import caffe
from deeplab_caffe.caffe import mode
from deeplab_caffe.errors import InputError

_NET = """
layer { name: "in" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 2 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "ip" type: "InnerProduct" bottom: "conv" top: "ip"
  inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
"""


def test_module_functions():
    assert isinstance(caffe.__version__, str)
    assert (caffe.TRAIN, caffe.TEST) == (0, 1)
    assert (caffe.solver_count(), caffe.solver_rank(), caffe.has_nccl()) == (1, 0, torch.cuda.is_available())
    caffe.set_solver_count(1)
    caffe.set_multiprocess(True)
    caffe.set_solver_rank(2)
    assert caffe.solver_rank() == 2
    caffe.set_solver_rank(0)
    for call in (lambda: caffe.set_solver_count(0), lambda: caffe.set_solver_rank(-1)):
        with pytest.raises(InputError, match="wanted"):
            call()


def test_log(logged, capsys):
    for arguments, message in (((0,), "something"), ((2,), "quiet"), ((0, False), "silent"), ((), "again")):
        caffe.init_log(*arguments)
        caffe.log(message)
    assert logged() == ["something", "quiet", "silent", "again"]  # files get every line
    assert [line.split("] ")[1] for line in capsys.readouterr().err.splitlines()] == ["something", "again"]


def test_timer():
    timer = caffe.Timer()
    assert timer.ms == 0
    timer.start()
    time.sleep(0.01)
    timer.stop()
    assert 9 < timer.ms < 5000
    assert timer.ms == timer.ms


def test_raw_lists(net):
    built = net(_NET + 'layer { name: "loss" type: "EuclideanLoss" bottom: "ip" bottom: "ip" loss_weight: 2 }')
    names = built._blob_names
    assert names == ["data", "conv", "ip", "ip_ip_0_split_0", "ip_ip_0_split_1"]
    assert [b.shape for b in built._blobs] == [b.shape for b in built.blobs.values()]
    assert (built._inputs, built._outputs) == ([0], [])
    assert built._layer_names == ["in", "conv", "relu", "ip", "ip_ip_0_split", "loss"]
    assert [built._bottom_ids(i) for i in range(6)] == [[], [0], [1], [1], [2], [3, 4]]
    assert [built._top_ids(i) for i in range(6)] == [[0], [1], [1], [2], [3, 4], []]
    assert built._blob_loss_weights == [0] * 5
    assert built.forward(end="loss") == {}  # its top is anonymous


def test_loss_weights_and_layers(net):
    built = net(_NET + 'layer { name: "loss" type: "Reduction" bottom: "ip" top: "loss" loss_weight: 3 }')
    assert built.blob_loss_weights["loss"] == 3 == built._blob_loss_weights[-1]
    assert built._outputs == [3]
    layer = built.layers[1]
    assert (layer.type, [b.shape for b in layer.blobs]) == ("Convolution", [(2, 3, 3, 3), (2,)])
    bottom, top = caffe.Blob((2, 3, 5, 5)), caffe.Blob()
    layer.reshape([bottom], [top])
    assert top.shape == (2, 2, 3, 3)
    assert isinstance(built._forward(0, 4), float)
    assert built._backward(4, 0) is None


def test_blob_sizes_are_integers(net):
    blob = caffe.Blob((2, 3))
    blob.reshape(np.int64(1), 6)
    assert (blob.num, blob.channels, blob.height, blob.width, blob.count) == (1, 6, 1, 1, 6)
    with pytest.raises(TypeError):
        blob.reshape(1.5)
    with pytest.raises(InputError, match="no GPU address in CPU mode"):
        _ = blob._gpu_data_ptr


# -- after an error the net goes on


def test_a_wrong_reshape_then_a_right_one(net):
    built = net(_NET)
    image = np.random.default_rng(0).random((1, 3, 8, 8)).astype(np.float32)
    before = {k: v.copy() for k, v in built.forward(data=image).items()}
    for shape in ((1, 4, 8, 8), (1, 3, 9, 9), (1, 3, 1, 1), (3,)):
        built.blobs["data"].reshape(*shape)
        with pytest.raises(InputError, match="layer '(conv|ip)'"):
            built.forward()
        with pytest.raises(InputError):
            built.reshape()
    built.blobs["data"].reshape(1, 3, 8, 8)
    after = built.forward(data=image)
    assert built.blobs["conv"].shape == (1, 2, 6, 6)
    np.testing.assert_array_equal(after["ip"], before["ip"])


def test_other_errors_leave_the_net_usable(net, tmp_path):
    built = net("force_backward: true" + _NET)
    image = np.ones((1, 3, 8, 8), np.float32)
    wanted = built.forward(data=image)["ip"].copy()
    built.save(tmp_path / "w")
    for call in (
        lambda: built.forward(image=image),
        lambda: built.forward(start="nix"),
        lambda: built.backward(ip=np.ones((5, 2))),
        lambda: built.copy_from("nowhere.caffemodel"),
        lambda: built.set_input_arrays(image, image),
        lambda: built.forward_all(),
        lambda: built.blobs["data"].reshape(-1),
    ):
        with pytest.raises((RuntimeError, ValueError)):
            call()
    np.testing.assert_array_equal(built.forward(data=image)["ip"], wanted)
    built.backward(ip=np.ones((1, 2)))
    assert built.blobs["data"].diff.any()


# -- MemoryData


def test_set_input_arrays(net):
    built = net(
        'layer { name: "m" type: "MemoryData" top: "data" top: "label"'
        "  memory_data_param { batch_size: 2 channels: 1 height: 1 width: 3 } }"
        'layer { name: "r" type: "Reduction" bottom: "data" top: "sum" reduction_param { axis: 1 } }'
    )
    data = np.arange(12, dtype=np.float32).reshape(4, 1, 1, 3)
    built.set_input_arrays(data, np.arange(4, dtype=np.float32))
    sums = [built.forward()["sum"].tolist() for _ in range(3)]
    assert sums == [[3, 12], [21, 30], [3, 12]]
    assert built.blobs["label"].data.ravel().tolist() == [0, 1]
    for wrong in (data[:3], data.astype(float), data[:, :, :, :2], np.asfortranarray(np.tile(data, (1, 2, 1, 1)))):
        with pytest.raises(RuntimeError):
            built.set_input_arrays(wrong, np.zeros(len(wrong), np.float32))
    with pytest.raises(InputError, match=r"set_input_arrays needs MemoryData as the first layer, 'in' is Input"):
        net(_NET).set_input_arrays(data, np.zeros(4, np.float32))


def test_private_names_that_scripts_call(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(_NET.replace("dim: 1 dim: 3", "dim: 2 dim: 3"))
    net = caffe.Net(str(path), caffe.TEST)
    first, last = net._batch({"data": np.ones((3, 3, 8, 8), np.float32)})
    assert first["data"].shape == last["data"].shape == (2, 3, 8, 8)
    assert last["data"][0].all() and not last["data"][1].any()
    path.write_text(
        'layer { name: "m" type: "MemoryData" top: "x" top: "y" '
        "memory_data_param { batch_size: 1 channels: 1 height: 2 width: 2 } }"
    )
    net = caffe.Net(str(path), caffe.TEST)
    net._set_input_arrays(np.full((1, 1, 2, 2), 7, np.float32), np.zeros((1, 1, 1, 1), np.float32))
    assert (net.forward()["x"] == 7).all()


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_a_script_for_the_gpu_runs_on_the_cpu_where_there_is_none(capsys, monkeypatch):
    monkeypatch.setattr(mode, "_missed", False)
    for _ in range(2):
        caffe.set_mode_gpu()
    assert capsys.readouterr().err == "set_mode_gpu: PyTorch sees no CUDA device here: the CPU computes\n"
    assert mode.device().type == "cpu"
