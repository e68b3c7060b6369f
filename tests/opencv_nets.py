"""Detectors and pose nets for OpenCV's dnn and for our module of its names: what both answer is compared.

PYTHONPATH=tests/porting python tests/opencv_nets.py

writes what the installed OpenCV answers; it must be OpenCV 4, since OpenCV 5 reads Caffe's files no more.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
from random_nets import randomised

from deeplab_caffe import caffe
from family_nets import faster_rcnn, pose, ssd

RECORDED = Path(__file__).parent / "data" / "opencv_importer" / "nets.npz"


def _images(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 1, shape).astype(np.float32)


@dataclass(frozen=True)
class Question:
    """A net, what goes in, and the layers whose outputs are asked for; the last layer's if none is named."""

    prototxt: str
    inputs: Mapping[str, np.ndarray]
    outputs: Sequence[str] = ()


_PROPOSAL = """Proposal proposal_param { feat_stride: 16 base_size: 16 min_size: 16 ratio: [0.5, 1, 2]
  scale: [8, 16, 32] pre_nms_topn: 6000 post_nms_topn: 12 nms_thresh: 0.7 }"""
_ONE = {"data": _images(1, 3, 64, 64)}


def _ssd(confidence: float) -> str:
    """OpenCV knows no DepthwiseConvolution: its nets say Convolution with groups."""
    return ssd("Convolution", "ReLU", confidence)


QUESTIONS = {
    "ssd": Question(_ssd(0.01), _ONE),
    "ssd, convolutions of a type of their own": Question(ssd("ConvolutionDepthwise"), _ONE),
    "ssd, two images": Question(_ssd(0.01), {"data": _images(2, 3, 64, 64)}),
    "ssd, few detections": Question(_ssd(0.998), _ONE),
    "ssd, few detections in two images": Question(_ssd(0.998), {"data": _images(2, 3, 64, 64)}),
    "ssd, no detection": Question(_ssd(0.999999), _ONE),
    "ssd, no detection in two images": Question(_ssd(0.999999), {"data": _images(2, 3, 64, 64)}),
    "ssd, inner layers": Question(_ssd(0.01), _ONE, ("mbox_priorbox", "mbox_conf_flatten", "conv1/sep/relu")),
    "pose": Question(pose(), {"image": _images(1, 3, 24, 32)}),
    "pose, both branches": Question(
        pose(), {"image": _images(2, 3, 24, 32)}, ("Mconv2_stage2_L2", "Mconv2_stage2_L1")
    ),
    "faster_rcnn": Question(
        faster_rcnn(_PROPOSAL),
        {"data": _images(1, 3, 96, 96), "im_info": np.array([[96, 96, 1]], np.float32)},
        ("cls_prob", "bbox_pred", "proposal"),
    ),
}


def answers(question: Question, dnn: ModuleType) -> list[np.ndarray]:
    """What a module under OpenCV's names answers; the weights are random, and the same for the same net."""
    with tempfile.TemporaryDirectory() as folder:
        prototxt, weights = Path(folder, "net.prototxt"), Path(folder, "net.caffemodel")
        prototxt.write_text(question.prototxt)
        randomised(caffe.Net(str(prototxt), caffe.TEST)).save(str(weights))
        net = dnn.readNetFromCaffe(str(prototxt), str(weights))
    for name, values in question.inputs.items():
        net.setInput(values, name)
    return list(net.forward(list(question.outputs))) if question.outputs else [net.forward()]


if __name__ == "__main__":
    found = {name: answers(question, cv2.dnn) for name, question in QUESTIONS.items()}
    arrays = {f"{name}/{i}": array for name, several in found.items() for i, array in enumerate(several)}
    np.savez_compressed(RECORDED, **arrays)
