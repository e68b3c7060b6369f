# Casting the fully connected layer of a classifier into a convolution, as in Caffe's net surgery example.
import os
import sys

import caffe
import numpy as np

folder = sys.argv[1]

HEAD = """
name: "classifier"
input: "data"
input_shape { dim: 1 dim: 1 dim: %d dim: %d }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 3 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1" pooling_param { kernel_size: 2 stride: 2 } }
"""
FC = """
layer { name: "fc2" type: "InnerProduct" bottom: "pool1" top: "fc2"
  inner_product_param { num_output: 4 weight_filler { type: "xavier" } } }
layer { name: "prob" type: "Softmax" bottom: "fc2" top: "prob" }
"""
CONV = """
layer { name: "fc2-conv" type: "Convolution" bottom: "pool1" top: "fc2-conv"
  convolution_param { num_output: 4 kernel_size: 3 } }
layer { name: "prob" type: "Softmax" bottom: "fc2-conv" top: "prob" }
"""

with open(os.path.join(folder, "fc.prototxt"), "w") as f:
    f.write(HEAD % (8, 8) + FC)
with open(os.path.join(folder, "conv.prototxt"), "w") as f:
    f.write(HEAD % (12, 10) + CONV)

caffe.set_mode_cpu()
net = caffe.Net(os.path.join(folder, "fc.prototxt"), caffe.TEST)
net.params["fc2"][1].data[...] = [0.5, -0.5, 1, 0]
net.save(os.path.join(folder, "fc.caffemodel"))

print("blobs {}\nparams {}".format(list(net.blobs.keys()), list(net.params.keys())))
params = ["fc2"]
fc_params = {pr: (net.params[pr][0].data, net.params[pr][1].data) for pr in params}
for fc in params:
    print("{} weights are {} dimensional and biases are {} dimensional".format(
        fc, fc_params[fc][0].shape, fc_params[fc][1].shape))

net_full_conv = caffe.Net(
    os.path.join(folder, "conv.prototxt"), os.path.join(folder, "fc.caffemodel"), caffe.TEST)
params_full_conv = ["fc2-conv"]
conv_params = {pr: (net_full_conv.params[pr][0].data, net_full_conv.params[pr][1].data) for pr in params_full_conv}
for pr, pr_conv in zip(params, params_full_conv):
    conv_params[pr_conv][0].flat = fc_params[pr][0].flat  # flat unrolls the arrays
    conv_params[pr_conv][1][...] = fc_params[pr][1]
net_full_conv.save(os.path.join(folder, "conv.caffemodel"))

im = np.random.RandomState(0).rand(1, 1, 12, 10).astype(np.float32)
out = net_full_conv.forward_all(data=im)
dense = out["prob"][0].copy()
assert dense.shape == (4, 3, 2), dense.shape
assert np.allclose(dense.sum(axis=0), 1)
for y in range(3):
    for x in range(2):
        net.blobs["data"].data[...] = im[:, :, 2 * y:2 * y + 8, 2 * x:2 * x + 8]
        prob = net.forward()["prob"][0]
        assert np.allclose(prob, dense[:, y, x], atol=1e-6), (prob, dense[:, y, x])

# any other size of image, and the whole map at once
net_full_conv.blobs["data"].reshape(1, 1, 20, 20)
net_full_conv.reshape()
assert net_full_conv.blobs["prob"].data.shape == (1, 4, 7, 7)
print("classification map of shape {}".format(dense.shape))
