"""MS COCO with all of its 80 classes, from the same files as `coco`."""

from __future__ import annotations

from . import coco
from .coco_labels import ALL_CLASSES
from .request import Builder

#: Attention to Scale trains on 10,000 images and tests on 1,500; it does not say which, so they are spread evenly
_KIND = coco.Kind(
    "coco80",
    ALL_CLASSES,
    "SegmentationClass80",
    "train80",
    "val80",
    {"train80_10000": ("train80", 10_000), "val80_1500": ("val80", 1_500)},
)

BUILDER = Builder(
    "coco80",
    "MS COCO, 80 classes",
    coco.FETCHES,
    lambda request: coco.build(_KIND, request),
    {"train80": 118287, "val80": 5000, "train80_10000": 10_000, "val80_1500": 1_500},
    coco.options(0),
)
