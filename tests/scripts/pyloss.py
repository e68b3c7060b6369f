import caffe
import numpy as np


class EuclideanLossLayer(caffe.Layer):
    """The Euclidean loss in numpy, to show what a layer in Python looks like."""

    def setup(self, bottom, top):
        if len(bottom) != 2:
            raise Exception("Need two inputs to compute distance.")

    def reshape(self, bottom, top):
        if bottom[0].count != bottom[1].count:
            raise Exception("Inputs must have the same dimension.")
        self.diff = np.zeros_like(bottom[0].data, dtype=np.float32)
        top[0].reshape(1)

    def forward(self, bottom, top):
        self.diff[...] = bottom[0].data - bottom[1].data
        top[0].data[...] = np.sum(self.diff**2) / bottom[0].num / 2.

    def backward(self, top, propagate_down, bottom):
        for i in range(2):
            if not propagate_down[i]:
                continue
            sign = 1 if i == 0 else -1
            bottom[i].diff[...] = sign * self.diff / bottom[i].num


class LineDataLayer(caffe.Layer):
    """Points (x, 3 x + 1) with x from a seeded generator."""

    def setup(self, bottom, top):
        params = eval(self.param_str)
        self.batch, self.random = params["batch"], np.random.RandomState(params["seed"])
        if len(top) != 2:
            raise Exception("Need to define two tops: data and label.")
        if len(bottom) != 0:
            raise Exception("Do not define a bottom.")

    def reshape(self, bottom, top):
        self.data = self.random.uniform(-1, 1, (self.batch, 1))
        top[0].reshape(*self.data.shape)
        top[1].reshape(*self.data.shape)

    def forward(self, bottom, top):
        top[0].data[...] = self.data
        top[1].data[...] = 3 * self.data + 1

    def backward(self, top, propagate_down, bottom):
        pass
