# Extracting features of an image with io.Transformer, as in Caffe's classification example.
import os
import sys

import numpy as np
from PIL import Image

os.environ["GLOG_minloglevel"] = "2"
import caffe

os.chdir(sys.argv[1])
rgb = np.random.RandomState(1).randint(0, 256, (10, 12, 3)).astype(np.uint8)
Image.fromarray(rgb).save("cat.png")
blob = caffe.proto.caffe_pb2.BlobProto()
blob.channels, blob.height, blob.width, blob.num = 3, 4, 4, 1
blob.data.extend(np.repeat([104.0, 117.0, 123.0], 16))
with open("mean.binaryproto", "wb") as f:
    f.write(blob.SerializeToString())
with open("deploy.prototxt", "w") as f:
    f.write("""input: "data" input_dim: 10 input_dim: 3 input_dim: 10 input_dim: 12
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1" convolution_param { num_output: 3 kernel_size: 1 } }
layer { name: "pool" type: "Pooling" bottom: "conv1" top: "pool" pooling_param { pool: AVE global_pooling: true } }
layer { name: "fc7" type: "InnerProduct" bottom: "pool" top: "fc7" inner_product_param { num_output: 2 } }""")

caffe.set_mode_cpu()
net = caffe.Net("deploy.prototxt", caffe.TEST)
net.params["conv1"][0].data[:, :, 0, 0] = np.eye(3)
net.params["fc7"][0].data[...] = [[1, 0, 0], [0, 1, 1]]

proto = caffe.proto.caffe_pb2.BlobProto()
proto.ParseFromString(open("mean.binaryproto", "rb").read())
mu = caffe.io.blobproto_to_array(proto)[0].mean(1).mean(1)
print("mean-subtracted values:", list(zip("BGR", mu)))

transformer = caffe.io.Transformer({"data": net.blobs["data"].data.shape})
transformer.set_transpose("data", (2, 0, 1))
transformer.set_mean("data", mu)
transformer.set_raw_scale("data", 255)
transformer.set_channel_swap("data", (2, 1, 0))

net.blobs["data"].reshape(2, 3, 10, 12)
image = caffe.io.load_image("cat.png")
net.blobs["data"].data[...] = transformer.preprocess("data", image)
output = net.forward()
feat = net.blobs["fc7"].data[0].copy()

means = rgb.reshape(-1, 3).mean(axis=0)[::-1] - [104, 117, 123]
assert output["fc7"].shape == (2, 2)
assert np.allclose(feat, [means[0], means[1] + means[2]], atol=1e-3), (feat, means)
back = transformer.deprocess("data", net.blobs["data"].data[1])
assert np.allclose(back, image, atol=1e-5)
for layer_name, param in net.params.items():
    print(layer_name + "\t" + str(param[0].data.shape), str(param[1].data.shape))
