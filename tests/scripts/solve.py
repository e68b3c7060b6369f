# The solve.py of an FCN: surgery on upsampling layers, a loop of solver.step, scores of the test net.
import os
import sys

import caffe
import h5py
import numpy as np

os.chdir(sys.argv[1])

NET = """
layer { name: "data" type: "HDF5Data" top: "data" top: "label" hdf5_data_param { source: "list.txt" batch_size: 2 } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1" param { lr_mult: 1 } param { lr_mult: 2 }
  convolution_param { num_output: 8 kernel_size: 3 stride: 2 pad: 1 weight_filler { type: "msra" } } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "score_fr" type: "Convolution" bottom: "conv1" top: "score_fr"
  convolution_param { num_output: 2 kernel_size: 1 weight_filler { type: "xavier" } } }
layer { name: "upscore" type: "Deconvolution" bottom: "score_fr" top: "upscore" param { lr_mult: 0 }
  convolution_param { num_output: 2 bias_term: false kernel_size: 4 stride: 2 } }
layer { name: "score" type: "Crop" bottom: "upscore" bottom: "data" top: "score" crop_param { axis: 2 offset: 1 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss" }
"""
SOLVER = """
train_net: "train.prototxt" test_net: "train.prototxt" test_iter: 3 test_interval: 1000000
base_lr: 0.3 lr_policy: "fixed" momentum: 0.9 weight_decay: 0.0005 max_iter: 100 test_initialization: false
snapshot: 20 snapshot_prefix: "snap" display: 0 random_seed: 1
"""


def upsample_filt(size):
    factor = (size + 1) // 2
    center = factor - 1 if size % 2 == 1 else factor - 0.5
    og = np.ogrid[:size, :size]
    return (1 - abs(og[0] - center) / factor) * (1 - abs(og[1] - center) / factor)


def interp(net, layers):
    for l in layers:
        m, k, h, w = net.params[l][0].data.shape
        assert m == k and h == w
        net.params[l][0].data[range(m), range(k), :, :] = upsample_filt(h)


def fast_hist(a, b, n):
    k = (a >= 0) & (a < n)
    return np.bincount(n * a[k].astype(int) + b[k], minlength=n**2).reshape(n, n)


def seg_tests(solver, count):
    net = solver.test_nets[0]
    net.share_with(solver.net)
    hist, loss = np.zeros((2, 2)), 0
    for _ in range(count):
        net.forward()
        hist += fast_hist(net.blobs["label"].data.flatten(), net.blobs["score"].data.argmax(1).flatten(), 2)
        loss += net.blobs["loss"].data.flat[0]
    print(">>> Iteration", solver.iter, "loss", loss / count, "overall accuracy", np.diag(hist).sum() / hist.sum())
    return loss / count, np.diag(hist).sum() / hist.sum()


rng = np.random.RandomState(0)
data = rng.randn(6, 1, 8, 8).astype("f")
data = (data + np.roll(data, 1, 2) + np.roll(data, 1, 3)) / 3
with h5py.File("train.h5", "w") as f:
    f["data"] = data
    f["label"] = (data > 0).astype("f")
with open("list.txt", "w") as f:
    f.write("train.h5\n")
with open("train.prototxt", "w") as f:
    f.write(NET)
with open("solver.prototxt", "w") as f:
    f.write(SOLVER)

caffe.set_random_seed(0)
solver = caffe.SGDSolver("solver.prototxt")
interp_layers = [k for k in solver.net.params.keys() if "up" in k]
assert interp_layers == ["upscore"]
interp(solver.net, interp_layers)
first_loss, _ = seg_tests(solver, 3)
for _ in range(3):
    solver.step(20)
    last_loss, accuracy = seg_tests(solver, 3)
assert solver.iter == 60
assert last_loss < 0.7 * first_loss and accuracy > 0.7, (first_loss, last_loss, accuracy)
assert (solver.net.params["upscore"][0].data[0, 1] == 0).all()  # lr_mult 0
assert sorted(n for n in os.listdir(".") if n.endswith("solverstate")) == [
    "snap_iter_20.solverstate", "snap_iter_40.solverstate", "snap_iter_60.solverstate"]

again = caffe.get_solver("solver.prototxt")
again.restore("snap_iter_40.solverstate")
again.step(20)
assert np.allclose(again.net.params["conv1"][0].data, solver.net.params["conv1"][0].data)
