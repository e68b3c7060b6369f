"""DeepLab v1's loss with weights of classes and several ignored labels, as a Python layer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bvlc.dialects import in_bvlc, net_of
from cases import values
from deeplab_caffe import caffe

_SCORES = values(2, 4, 3, 5, low=-3, high=3)
_LABELS = np.random.default_rng(0).integers(0, 4, (2, 1, 3, 5)).astype(float)
_LABELS[0, 0, 0] = 255


def _net(loss_param: str) -> caffe.Net:
    """A net of 2014 in the dialect of BVLC's Caffe, after a pass forward and backward."""
    text = f"""
    name: "v1" input: "x" input_dim: [2, 4, 3, 5] input: "label" input_dim: [2, 1, 3, 5]
    layers {{ name: "c" type: CONVOLUTION bottom: "x" top: "scores"
             convolution_param {{ num_output: 4 kernel_size: 1 }} }}
    layers {{ name: "p" type: SEG_ACCURACY bottom: "scores" bottom: "label" top: "accuracy"
             seg_accuracy_param {{ ignore_label: [255, 3] }} }}
    layers {{ name: "loss" type: SOFTMAX_LOSS bottom: "scores" bottom: "label"
             softmaxloss_param {{ {loss_param} }} }}"""
    net = net_of(in_bvlc(text), caffe.TRAIN)
    net.params["c"][0].data[...] = np.eye(4).reshape(4, 4, 1, 1)
    net.blobs["x"].data[...], net.blobs["label"].data[...] = _SCORES, _LABELS
    net.forward()
    net.clear_param_diffs()
    net.backward()
    return net


def _expected(ignored: list[int], weights: np.ndarray) -> tuple[float, np.ndarray]:
    """Loss and gradient in double precision, by the definition."""
    labels = _LABELS.astype(int)[:, 0]
    kept = ~np.isin(labels, ignored)
    index = np.where(kept, labels, 0)
    w = weights[index] * kept
    prob = np.exp(_SCORES) / np.exp(_SCORES).sum(1, keepdims=True)
    own = np.take_along_axis(prob, index[:, None], 1)[:, 0]
    onehot = np.eye(4)[index].transpose(0, 3, 1, 2)
    return float(-(w * np.log(own)).sum() / w.sum()), (prob - onehot) * (w / w.sum())[:, None]


def _check(net: caffe.Net, loss: float, gradient: np.ndarray) -> None:
    assert net.blobs["loss"].data == pytest.approx(loss, rel=1e-5)
    np.testing.assert_allclose(net.blobs["scores"].diff, gradient, atol=1e-7)


def test_weights_of_classes(tmp_path: Path) -> None:
    weights = np.array([1, 0.5, 0, 2])
    (tmp_path / "weights.txt").write_text("1\n0.5\n0\n2\n")
    net = _net(f'ignore_label: 255 weight_source: "{tmp_path}/weights.txt"')
    _check(net, *_expected([255], weights))


def test_several_labels_are_ignored() -> None:
    net = _net("ignore_label: 255 ignore_label: 3")
    _check(net, *_expected([255, 3], np.ones(4)))
    assert net.layer_dict["loss"].type == "Python"


def test_a_plain_one_stays_caffes_own() -> None:
    net = _net("ignore_label: 255")
    assert net.layer_dict["loss"].type == "SoftmaxWithLoss"
    with_layer = _net("ignore_label: 255 ignore_label: 254")
    assert net.params["c"][0].diff.any()
    np.testing.assert_allclose(with_layer.params["c"][0].diff, net.params["c"][0].diff, rtol=1e-5, atol=1e-7)


def test_nothing_but_ignored_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "_LABELS", np.full((2, 1, 3, 5), 255.0))
    net = _net("ignore_label: 255 ignore_label: 3")
    assert net.blobs["loss"].data == 0 and not net.params["c"][0].diff.any()
