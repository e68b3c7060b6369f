"""OpenCV's own reader of Caffe's files, as a stranger's check of what we write and of what we compute."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from cases import Case
from deeplab_caffe import caffe
from deeplab_caffe.data import read_dataset
from deeplab_caffe.nets import GeneratorOptions, generate
from layer_runs import build
from opencv_layers import RECORDED, compared
from tolerances import assert_same_sums

ROOT = Path(__file__).parent.parent.parent
#: two nets, and of what OpenCV 4.12 computed with them every fourth row and column
_RECORDED = ROOT / "tests" / "data" / "opencv_importer"
_SOME = np.s_[:, :, ::4, ::4]

RESNET = (
    """
name: "small_resnet"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 65 dim: 65 } } }
layer { name: "data_res05" type: "Interp" bottom: "data" top: "data_res05" interp_param { height: 33 width: 33 } }
"""
    + "".join(
        f"""
layer {{ name: "conv1{s}" type: "Convolution" bottom: "data{s}" top: "conv1{s}"
  param {{ name: "conv1_0" }}
  convolution_param {{ num_output: 8 kernel_size: 7 pad: 3 stride: 2 bias_term: false }} }}
layer {{ name: "bn_conv1{s}" type: "BatchNorm" bottom: "conv1{s}" top: "conv1{s}"
  param {{ name: "bn_0" lr_mult: 0 }} param {{ name: "bn_1" lr_mult: 0 }} param {{ name: "bn_2" lr_mult: 0 }}
  batch_norm_param {{ use_global_stats: true }} }}
layer {{ name: "scale_conv1{s}" type: "Scale" bottom: "conv1{s}" top: "conv1{s}"
  param {{ name: "s_0" }} param {{ name: "s_1" }} scale_param {{ bias_term: true }} }}
layer {{ name: "conv1_relu{s}" type: "ReLU" bottom: "conv1{s}" top: "conv1{s}" }}
layer {{ name: "pool1{s}" type: "Pooling" bottom: "conv1{s}" top: "pool1{s}"
  pooling_param {{ pool: MAX kernel_size: 3 stride: 2 pad: 1 }} }}
layer {{ name: "res2a_branch1{s}" type: "Convolution" bottom: "pool1{s}" top: "res2a_branch1{s}"
  param {{ name: "b1" }} convolution_param {{ num_output: 8 kernel_size: 1 bias_term: false }} }}
layer {{ name: "res2a_branch2{s}" type: "Convolution" bottom: "pool1{s}" top: "res2a_branch2{s}"
  param {{ name: "b2" }} convolution_param {{ num_output: 8 kernel_size: 3 pad: 2 dilation: 2 bias_term: false }} }}
layer {{ name: "res2a{s}" type: "Eltwise" bottom: "res2a_branch1{s}" bottom: "res2a_branch2{s}" top: "res2a{s}" }}
layer {{ name: "res2a_relu{s}" type: "ReLU" bottom: "res2a{s}" top: "res2a{s}" }}
"""
        for s in ("", "_res05")
    )
    + """
layer { name: "up" type: "Interp" bottom: "res2a_res05" top: "up" interp_param { height: 17 width: 17 } }
layer { name: "fusion" type: "Eltwise" bottom: "res2a" bottom: "up" top: "fusion" eltwise_param { operation: MAX } }
layer { name: "interp" type: "Interp" bottom: "fusion" top: "interp" interp_param { zoom_factor: 4 } }
"""
)


def _randomize(net: caffe.Net) -> None:
    """Weights that keep activations of one order through the net, and positive statistics."""
    random = np.random.default_rng(0)
    for name, blobs in net.params.items():
        for blob in blobs:
            spread = (2 / (blob.count / blob.shape[0])) ** 0.5 if len(blob.shape) > 1 else 0.1
            blob.data[...] = random.normal(0, spread, blob.shape)
        if name.startswith("bn_"):
            blobs[1].data[...] = random.uniform(0.5, 2, blobs[1].shape)
            blobs[2].data[...] = 1
        if name.startswith("scale_"):
            blobs[0].data[...] = random.uniform(0.5, 1.5, blobs[0].shape)


def _large_fov() -> str:
    dataset = read_dataset(ROOT / "datasets" / "voc12.toml")
    options = GeneratorOptions(width=0.125, test_crop=(65, 97), from_scratch=True)
    return generate("voc12/largefov", options, dataset)["deploy.prototxt"]


def _filled(prototxt: Path) -> tuple[caffe.Net, np.ndarray]:
    """A net with drawn weights, and a drawn image in its input; the same for the same net."""
    net = caffe.Net(str(prototxt), caffe.TEST)
    _randomize(net)
    image = np.random.default_rng(1).normal(0, 50, net.blobs["data"].shape).astype(np.float32)
    net.blobs["data"].data[...] = image
    return net, image


@pytest.mark.parametrize("name", ["largefov", "resnet"])
def test_we_compute_what_opencv_computed(name: str) -> None:
    """Against recorded answers of OpenCV 4; OpenCV 5 reads Caffe's files no more."""
    net, _ = _filled(_RECORDED / f"{name}.prototxt")
    (ours,) = net.forward().values()
    with np.load(_RECORDED / "answers.npz") as answers:
        assert_same_sums(answers[name], ours[_SOME], tiny=0)


@pytest.mark.parametrize("case", compared(), ids=lambda case: case.name)
def test_a_layer_of_another_caffe_gives_what_opencv_gave(case: Case) -> None:
    net = build(case)
    net.forward()
    ours = net.blobs[net.top_names["layer"][0]].data
    with np.load(RECORDED) as answers:
        theirs = answers[case.name]
    if case.type == "DetectionOutput":  # which has no order of classes there
        ours, theirs = (a.reshape(-1, 7)[np.lexsort(a.reshape(-1, 7).T[[2, 1]])] for a in (ours, theirs))
    if case.type == "Proposal":  # which has rows of zeros at the end there
        assert not theirs[len(ours) :].any()
        theirs = theirs[: len(ours)]
    assert theirs.size == ours.size
    assert_same_sums(ours, theirs.reshape(ours.shape))


@pytest.mark.skipif(not hasattr(cv2.dnn, "readNetFromCaffe"), reason="OpenCV 5 reads Caffe's files no more")
@pytest.mark.parametrize("text", [_large_fov(), RESNET], ids=["largefov", "resnet"])
def test_opencv_reads_our_files_and_agrees(text: str, tmp_path: Path) -> None:
    (tmp_path / "deploy.prototxt").write_text(text)
    net, image = _filled(tmp_path / "deploy.prototxt")
    net.save(str(tmp_path / "net.caffemodel"))
    (ours,) = net.forward().values()
    theirs = cv2.dnn.readNetFromCaffe(str(tmp_path / "deploy.prototxt"), str(tmp_path / "net.caffemodel"))
    theirs.setInput(image)
    result = theirs.forward()
    assert result.shape == ours.shape
    assert_same_sums(result, ours, tiny=0)
