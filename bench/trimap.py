"""Trimaps at 40 widths: one distance transform an image beside a dilation for each width, and a whole run over files.

    python bench/trimap.py                 # VOC val: 1,449 images of 500×375, 21 classes
    python bench/trimap.py --images 200    # fewer

Labels and results are drawn (ellipses with VOC's border of 255 around them), so nothing has to be downloaded. Three
ways to the same matrices take turns on a few labels in memory: ours, 40 dilations by OpenCV, and 40 by SciPy; then our
whole scoring, from PNG files to curves, is timed once on all cores.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from scipy import ndimage

from deeplab_caffe.data import read_label, write_label
from deeplab_caffe.evaluation import Pair, Trimap, confusion_matrices, confusion_matrix, count_pairs
from deeplab_caffe.files import cpus
from timing import interleaved, machine, table

CLASSES, IGNORED = 21, 255
TRIMAP = Trimap.parse("1:40")


def drawn(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A label and a result (375, 500): the same ellipses, shifted."""
    rng = np.random.default_rng(seed)
    label, result = np.zeros((2, 375, 500), np.uint8)
    for _ in range(4):
        centre, axes = rng.integers((500, 375)), rng.integers(20, 110, 2).tolist()
        turn, name, moved = float(rng.uniform(0, 180)), int(rng.integers(1, CLASSES)), centre + rng.integers(-6, 7, 2)
        cv2.ellipse(label, centre.tolist(), axes, turn, 0, 360, name, -1)
        cv2.ellipse(label, centre.tolist(), axes, turn, 0, 360, IGNORED, 5)
        cv2.ellipse(result, moved.tolist(), axes, turn, 0, 360, name, -1)
    return label, result


def ours(label: np.ndarray, result: np.ndarray) -> np.ndarray:
    groups = TRIMAP.groups(label, IGNORED)
    counts = confusion_matrices(label, result, CLASSES, IGNORED, groups, len(TRIMAP.widths) + 1)
    return counts[:-1].cumsum(0)


def dilations(dilate: Callable[[np.ndarray, int], np.ndarray]) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """The same by dilating the mask once for each width."""

    def count(label: np.ndarray, result: np.ndarray) -> np.ndarray:
        mask = label == IGNORED
        bands = (dilate(mask, width) & ~mask for width in TRIMAP.widths)
        return np.stack([confusion_matrix(label[band], result[band], CLASSES, IGNORED) for band in bands])

    return count


def by_opencv(mask: np.ndarray, width: int) -> np.ndarray:
    return cv2.dilate(mask.astype(np.uint8), np.ones((2 * width + 1,) * 2, np.uint8)) > 0


def by_scipy(mask: np.ndarray, width: int) -> np.ndarray:
    return ndimage.maximum_filter(mask, 2 * width + 1)


def write_files(folder: Path, images: int) -> list[Pair]:
    pairs = [Pair(str(i), folder / f"label{i}.png", folder / f"result{i}.png") for i in range(images)]
    for i, pair in enumerate(pairs):
        for path, values in zip(pair[1:], drawn(i), strict=True):
            write_label(path, values)
    return pairs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1449)
    parser.add_argument("--repeat", type=int, default=5)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    samples = [drawn(seed) for seed in range(4)]
    ways = {"ours": ours, "40 dilations, OpenCV": dilations(by_opencv), "40 dilations, SciPy": dilations(by_scipy)}
    assert all(np.array_equal(way(*pair), ours(*pair)) for way in ways.values() for pair in samples)
    tasks = {name: (lambda way=way: [way(*pair) for pair in samples]) for name, way in ways.items()}
    times = interleaved(tasks, arguments.repeat, time.process_time)
    print(machine(1, "cpu"), "processor time of one thread, 500×375, 40 widths", sep="\n")
    rows = [[name, f"{ms / len(samples):.1f}", f"{ms / times['ours']:.1f}"] for name, ms in times.items()]
    print(table(("", "ms per image", "to ours"), rows))
    with tempfile.TemporaryDirectory() as folder:
        pairs = write_files(Path(folder), arguments.images)
        for name, trimap in (("scores alone", None), ("with the trimap", TRIMAP)):
            wall, cpu = time.perf_counter(), time.process_time()
            count_pairs(pairs, lambda pair: (read_label(pair.label), read_label(pair.result)), CLASSES, IGNORED, trimap)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            title = f"{arguments.images} images from PNG files, {cpus()} cores, {name}"
            print(f"{title}: {wall:.1f} s ({cpu:.1f} s of processor time)")


if __name__ == "__main__":
    main()
