"""Reading training images: ImageSegData beside a plain OpenCV loop that does the same, interleaved in one run, medians.

    python bench/data.py                         # images and labels like VOC's, written to a temporary folder
    python bench/data.py --labels grey           # labels as 8-bit grey PNGs instead of palette PNGs
    python bench/data.py --list LIST --root DIR  # images of your own, '<image> <label>' per line

Both decode image and label, scale them by one of five factors, pad, crop 321×321, mirror, subtract the mean, and make
float32 batches of 10. The loop runs on one core, ours on one and on all; they take turns. Images per second, and the
milliseconds of processor time that an image took; the ratios are the figures that carry over, and where the machine has
other work only those of processor time.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from deeplab_caffe import caffe
from deeplab_caffe.caffe import log
from deeplab_caffe.data.labels import write_label
from timing import machine, table

CROP, BATCH = 321, 10
SCALES = (0.5, 0.75, 1.0, 1.25, 1.5)
MEAN = np.array([104.008, 116.669, 122.675], np.float32)
NET = """
layer {{ name: "data" type: "ImageSegData" top: "data" top: "label"
  image_data_param {{ source: "{source}" root_folder: "{root}" batch_size: {batch} shuffle: true label_type: PIXEL }}
  transform_param {{ crop_size: {crop} mirror: true scale_factors: {scales} mean_value: {mean} }} }}
"""


def write_sample(folder: Path, count: int, labels: str) -> Path:
    """Photographs of 500×375 pixels as JPEGs of about 90 KB, labels with outlines of 255; returns their list."""
    lines = []
    for i in range(count):
        rng = np.random.default_rng(i)
        image = cv2.resize(rng.uniform(30, 220, (9, 12, 3)), (500, 375), interpolation=cv2.INTER_CUBIC)
        label = np.zeros((375, 500), np.uint8)
        for _ in range(8):
            centre, axes = rng.integers((500, 375)).tolist(), rng.integers(15, 90, 2).tolist()
            turn, colour, name = float(rng.uniform(0, 180)), rng.uniform(10, 245, 3).tolist(), int(rng.integers(1, 21))
            cv2.ellipse(image, centre, axes, turn, 0, 360, colour, -1)
            cv2.ellipse(label, centre, axes, turn, 0, 360, name, -1)
            cv2.ellipse(label, centre, axes, turn, 0, 360, 255, 3)
        for scale, level in ((1, 9), (2, 9), (4, 9)):
            noise = rng.normal(0, level, (375 // scale + 1, 500 // scale + 1, 3))
            image += cv2.resize(noise, (500, 375), interpolation=cv2.INTER_LINEAR)
        image = cv2.GaussianBlur(np.clip(image, 0, 255).astype(np.uint8), (0, 0), 0.6)
        cv2.imwrite(str(folder / f"{i}.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, 95])
        if labels == "grey":
            Image.fromarray(label).save(folder / f"{i}.png")
        else:
            write_label(folder / f"{i}.png", label)
        lines.append(f"/{i}.jpg /{i}.png\n")
    path = folder / "list.txt"
    path.write_text("".join(lines))
    return path


class PlainLoop:
    """What one writes with OpenCV and numpy, and Pillow for palettes."""

    def __init__(self, source: Path, root: str) -> None:
        pairs = [line.split()[:2] for line in source.read_text().splitlines()]
        self.items = [(root + image, root + label) for image, label in pairs]
        self.palette = Image.open(self.items[0][1]).mode == "P"
        self.random = random.Random(0)

    def batch(self) -> tuple[np.ndarray, np.ndarray]:
        """(N, 3, h, w) and (N, 1, h, w) float32."""
        data = np.empty((BATCH, 3, CROP, CROP), np.float32)
        labels = np.empty((BATCH, 1, CROP, CROP), np.float32)
        for i in range(BATCH):
            image, label = self.item(*self.random.choice(self.items))
            data[i] = (image.astype(np.float32) - MEAN).transpose(2, 0, 1)
            labels[i, 0] = label
        return data, labels

    def item(self, image_path: str, label_path: str) -> tuple[np.ndarray, np.ndarray]:
        """(h, w, 3) and (h, w) uint8, scaled, cropped and mirrored."""
        image = cv2.imread(image_path)
        label = np.array(Image.open(label_path)) if self.palette else cv2.imread(label_path, cv2.IMREAD_GRAYSCALE)
        scale = self.random.choice(SCALES)
        image = cv2.resize(image, None, fx=scale, fy=scale)
        label = cv2.resize(label, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
        down, right = (max(0, CROP - size) for size in label.shape)
        if down or right:
            image = cv2.copyMakeBorder(image, 0, down, 0, right, cv2.BORDER_CONSTANT, value=MEAN.tolist())
            label = cv2.copyMakeBorder(label, 0, down, 0, right, cv2.BORDER_CONSTANT, value=255)
        top, left = (self.random.randint(0, size - CROP) for size in label.shape)
        image, label = image[top : top + CROP, left : left + CROP], label[top : top + CROP, left : left + CROP]
        if self.random.random() < 0.5:
            image, label = image[:, ::-1], label[:, ::-1]
        return image, label


class Ours:
    """A net of one ImageSegData layer; its threads run on the cores that are free when it is made."""

    def __init__(self, source: Path, root: str) -> None:
        means = ", ".join(f"{m:g}" for m in MEAN)
        text = NET.format(source=source, root=root, batch=BATCH, crop=CROP, scales=list(SCALES), mean=f"[{means}]")
        path = source.with_suffix(".bench.prototxt")
        path.write_text(text)
        self.net = caffe.Net(str(path), caffe.TRAIN)

    def batch(self) -> None:
        self.net.forward_range(0, 0)


class Speed(NamedTuple):
    """Images per second, and milliseconds of processor time per image."""

    rate: float
    cost: float


def speed(batch: Callable[[], object], count: int) -> Speed:
    """Over `count` batches, after as many that fill what is read ahead as there are in it."""
    for _ in range(6):
        batch()
    began, work = time.perf_counter(), time.process_time()
    for _ in range(count):
        batch()
    images = count * BATCH
    return Speed(images / (time.perf_counter() - began), 1e3 * (time.process_time() - work) / images)


def measure(source: Path, root: str, batches: int, turns: int) -> dict[str, list[Speed]]:
    """The speed in each turn: the loop on one core, ours on one, ours on all."""
    cores = sorted(os.sched_getaffinity(0))
    speeds: dict[str, list[Speed]] = {"loop": [], "ours": [], "all": []}
    loop = PlainLoop(source, root)
    for turn in range(turns):
        os.sched_setaffinity(0, {cores[turn % len(cores)]})
        speeds["loop"].append(speed(loop.batch, batches))
        for name, own in (("ours", {cores[turn % len(cores)]}), ("all", set(cores))):
            os.sched_setaffinity(0, own)
            ours = Ours(source, root)
            speeds[name].append(speed(ours.batch, batches))
            ours.net.close()
        os.sched_setaffinity(0, cores)
    return speeds


def main() -> None:
    """Print medians of rates and of the ratios of each turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", choices=("palette", "grey"), default="palette", help="of the sample")
    parser.add_argument("--images", type=int, default=64, help="of the sample")
    parser.add_argument("--list", type=Path, help="'<image> <label>' per line, instead of the sample")
    parser.add_argument("--root", default="", help="what goes before the names of the list")
    parser.add_argument("--batches", type=int, default=40, help=f"of {BATCH} images, in each turn")
    parser.add_argument("--turns", type=int, default=7)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    log.set_stderr(False)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "list.txt"
        if arguments.list:
            source.write_text(arguments.list.read_text())
        else:
            write_sample(folder, arguments.images, arguments.labels)
        root = arguments.root if arguments.list else name
        speeds = measure(source, root, arguments.batches, arguments.turns)
    report(speeds, len(os.sched_getaffinity(0)))


def report(speeds: dict[str, list[Speed]], cores: int) -> None:
    """The medians; of each ratio the median, least and most over the turns."""
    loop, ours, everywhere = speeds["loop"], speeds["ours"], speeds["all"]
    per_core = ratio([b.rate / a.rate for a, b in zip(loop, ours, strict=True)])
    cost = ratio([a.cost / b.cost for a, b in zip(loop, ours, strict=True)])
    scaling = ratio([b.rate / a.rate for a, b in zip(ours, everywhere, strict=True)])
    rows = [
        row("plain loop, 1 core", loop),
        row("ImageSegData, 1 core", ours, f"{per_core} of the loop; by processor time {cost}"),
        row(f"ImageSegData, {cores} cores", everywhere, f"{scaling} of 1 core"),
    ]
    print(machine(cores, "cpu"))
    print(table(["", "images/s", "ms of processor time", "ratio"], rows))


def row(name: str, speeds: Sequence[Speed], against: str = "") -> list[str]:
    rate, cost = (statistics.median(values) for values in zip(*speeds, strict=True))
    return [name, f"{rate:.0f}", f"{cost:.2f}", against]


def ratio(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


if __name__ == "__main__":
    main()
