"""A tiny PASCAL VOC 2012: photos, palette labels, the lists of the real one, and images of the test server alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np

from deeplab_caffe.data import write_label

ROOT = Path(__file__).parent.parent.parent
#: list to the numbers of its images
LISTS = {"train_aug": range(6), "val": range(6, 9), "trainval_aug": range(9), "test": range(9, 12)}


def make_fake_voc(folder: Path) -> None:
    """Write datasets/voc12.toml and what it describes, images of sizes between 38 x 44 and 49 x 55."""
    (folder / "datasets").mkdir()
    shutil.copy(ROOT / "datasets" / "voc12.toml", folder / "datasets")
    root = folder / "data" / "VOCdevkit" / "VOC2012"
    for name in ("JPEGImages", "SegmentationClass", "list"):
        (root / name).mkdir(parents=True)
    random = np.random.default_rng(0)
    for i in range(12):
        label = np.zeros((38 + i, 44 + i), np.uint8)
        label[8:30, 4 + i : 24 + i] = 8 + 7 * (i % 2)
        label[8:30, 24 + i] = 255
        colours = np.full((256, 3), 255, np.float64)
        colours[[0, 8, 15]] = (40, 90, 60), (200, 60, 30), (30, 80, 220)
        noisy = np.clip(colours[label] + random.integers(-20, 20, (*label.shape, 3)), 0, 255)
        cv2.imwrite(str(root / "JPEGImages" / f"2007_{i:06d}.jpg"), noisy.astype(np.uint8))
        if i not in LISTS["test"]:
            write_label(root / "SegmentationClass" / f"2007_{i:06d}.png", label)
    for name, numbers in LISTS.items():
        label = "" if name == "test" else " /SegmentationClass/2007_{0:06d}.png"
        lines = [f"/JPEGImages/2007_{{0:06d}}.jpg{label}\n".format(i) for i in numbers]
        (root / "list" / f"{name}.txt").write_text("".join(lines))
