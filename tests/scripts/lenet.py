# A LeNet written with NetSpec, saved as prototxt with its solver, and trained for a few steps.
import os
import sys

import caffe
import h5py
import numpy as np
from caffe import layers as L, params as P
from caffe.proto import caffe_pb2
from google.protobuf import text_format

os.chdir(sys.argv[1])


def lenet(hdf5, batch_size):
    n = caffe.NetSpec()
    n.data, n.label = L.HDF5Data(batch_size=batch_size, source=hdf5, ntop=2)
    n.conv1 = L.Convolution(n.data, kernel_size=5, num_output=6, weight_filler=dict(type="xavier"))
    n.pool1 = L.Pooling(n.conv1, kernel_size=2, stride=2, pool=P.Pooling.MAX)
    n.conv2 = L.Convolution(n.pool1, kernel_size=3, num_output=12, weight_filler=dict(type="xavier"))
    n.pool2 = L.Pooling(n.conv2, kernel_size=2, stride=2, pool=P.Pooling.MAX)
    n.fc1 = L.InnerProduct(n.pool2, num_output=32, weight_filler=dict(type="xavier"))
    n.relu1 = L.ReLU(n.fc1, in_place=True)
    n.score = L.InnerProduct(n.relu1, num_output=3, weight_filler=dict(type="xavier"),
                             param=[dict(lr_mult=1), dict(lr_mult=2)])
    n.loss = L.SoftmaxWithLoss(n.score, n.label)
    return n.to_proto()


with open("list.txt", "w") as f:
    f.write("digits.h5")
labels = np.arange(24) % 3
images = np.random.RandomState(0).randn(24, 1, 16, 16) * 0.1
for image, label in zip(images, labels):
    image[0, 5 * label:5 * label + 4] += 1  # a bar whose place tells the class
with h5py.File("digits.h5", "w") as f:
    f["data"], f["label"] = images.astype("f"), labels.astype("f")

with open("lenet_train.prototxt", "w") as f:
    f.write(str(lenet("list.txt", 8)))
with open("lenet_test.prototxt", "w") as f:
    f.write(str(lenet("list.txt", 12)))
s = caffe_pb2.SolverParameter()
s.random_seed = 5
s.train_net = "lenet_train.prototxt"
s.test_net.append("lenet_test.prototxt")
s.test_interval, s.max_iter = 500, 100
s.test_iter.append(2)
s.type, s.base_lr, s.momentum, s.weight_decay = "Nesterov", 0.02, 0.9, 5e-4
s.lr_policy, s.gamma, s.power = "inv", 0.0001, 0.75
s.snapshot_prefix = "lenet"
s.solver_mode = caffe_pb2.SolverParameter.CPU
with open("lenet_solver.prototxt", "w") as f:
    f.write(str(s))

net = caffe_pb2.NetParameter()
text_format.Merge(open("lenet_train.prototxt").read(), net)
assert [l.name for l in net.layer] == [
    "data", "conv1", "pool1", "conv2", "pool2", "fc1", "relu1", "score", "loss"]
assert net.layer[6].bottom == net.layer[6].top and net.layer[7].param[1].lr_mult == 2

caffe.set_device(0)
caffe.set_mode_cpu()
solver = None  # ignore this workaround for lmdb data (can't instantiate two solvers on the same data)
solver = caffe.get_solver("lenet_solver.prototxt")
assert isinstance(solver, caffe.NesterovSolver)
print([(k, v.data.shape) for k, v in solver.net.blobs.items()])
print([(k, v[0].data.shape) for k, v in solver.net.params.items()])
assert solver.net.blobs["pool2"].data.shape == (8, 12, 2, 2)
solver.net.forward()
solver.test_nets[0].forward()
niter, test_interval = 40, 20
train_loss = np.zeros(niter)
for it in range(niter):
    solver.step(1)
    train_loss[it] = solver.net.blobs["loss"].data
    solver.test_nets[0].forward(start="conv1")
    if it % test_interval == 0:
        correct = 0
        for test_it in range(2):
            solver.test_nets[0].forward()
            correct += sum(solver.test_nets[0].blobs["score"].data.argmax(1) == solver.test_nets[0].blobs["label"].data)
        print("Iteration", it, "accuracy", correct / 24.0)
correct = 0
for test_it in range(2):
    solver.test_nets[0].forward()
    correct += sum(solver.test_nets[0].blobs["score"].data.argmax(1) == solver.test_nets[0].blobs["label"].data)
assert train_loss[-5:].mean() < 0.2 * train_loss[:5].mean(), train_loss
assert correct == 24, correct
