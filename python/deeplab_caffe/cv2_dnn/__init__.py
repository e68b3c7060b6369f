"""Caffe nets under the names of OpenCV's `cv2.dnn`, for scripts that read them with OpenCV, which no longer does.

A script runs after one line is changed: `from deeplab_caffe import cv2_dnn as dnn` for `from cv2 import dnn`, or
`cv2.dnn = deeplab_caffe.cv2_dnn` behind its imports. What has nothing to do with Caffe (blobFromImage, NMSBoxes, the
readers of other formats, …) is the installed OpenCV's own.

Example:
    net = cv2_dnn.readNetFromCaffe("deploy.prototxt", "ssd.caffemodel")
    net.setInput(cv2_dnn.blobFromImage(image, 0.007843, (300, 300), 127.5))
    detections = net.forward()  # (1, 1, n, 7)
"""

from typing import Any

import cv2
from cv2 import dnn as _opencvs  # now: a script may put this module in its place

from .layer import Layer
from .net import Net, error
from .read import readNet, readNetFromCaffe

__all__ = [
    "Layer",
    "Net",
    "error",
    "readNet",
    "readNetFromCaffe",
]


def __getattr__(name: str) -> Any:
    try:
        return getattr(_opencvs, name)
    except AttributeError:
        raise AttributeError(f"neither {__name__} nor OpenCV {cv2.__version__} has '{name}' in dnn") from None
