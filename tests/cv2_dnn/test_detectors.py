"""Detectors and pose nets: the answers that OpenCV 4.12 gave."""

from __future__ import annotations

import numpy as np
import pytest

from deeplab_caffe import cv2_dnn
from opencv_nets import QUESTIONS, RECORDED, answers
from tolerances import assert_same_sums


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_answers_are_opencvs(name: str) -> None:
    ours = answers(QUESTIONS[name], cv2_dnn)
    with np.load(RECORDED) as recorded:
        theirs = [recorded[f"{name}/{i}"] for i in range(len(ours))]
    for mine, other in zip(ours, theirs, strict=True):
        if name == "faster_rcnn":  # OpenCV's regions are post_nms_topn: those that are missing are zeros
            other = other[: len(mine)]
        assert mine.shape == other.shape
        assert_same_sums(other, mine, tiny=0)
