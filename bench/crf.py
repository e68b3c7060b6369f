"""Dense CRF: ours beside pydensecrf on the same images, interleaved in one run, medians.

    python bench/crf.py                          # synthetic photographs of VOC's size, 21 classes
    python bench/crf.py --image a.jpg b.jpg      # your own images, with synthetic scores

Both do everything from image and unary to labels, on one core. Run it on an idle machine; the ratio is the figure that
carries over, because the two take turns.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from deeplab_caffe.crf import CRFParameters, bilateral_lattice, crf_labels, resize_scores

SETTINGS = [CRFParameters(4, 30, 3), CRFParameters(5, 60, 5), CRFParameters(3, 100, 6)]


def synthetic_photo(seed: int, height: int, width: int, texture: float) -> NDArray[np.uint8]:
    """Smooth shading, a few flat shapes, and noise at several scales of strength `texture` (levels)."""
    rng = np.random.default_rng(seed)
    image = cv2.resize(rng.uniform(50, 200, (6, 8, 3)), (width, height), interpolation=cv2.INTER_CUBIC)
    for _ in range(12):
        centre = int(rng.integers(width)), int(rng.integers(height))
        axes = int(rng.integers(15, width // 4)), int(rng.integers(15, height // 4))
        cv2.ellipse(image, centre, axes, float(rng.uniform(0, 180)), 0, 360, rng.uniform(10, 245, 3).tolist(), -1)
    for scale in (1, 2, 4, 8):
        noise = rng.normal(0, texture, (height // scale + 1, width // scale + 1, 3))
        image += cv2.resize(noise, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.clip(cv2.GaussianBlur(image, (0, 0), 0.7), 0, 255).astype(np.uint8)


def synthetic_unary(image: NDArray[np.uint8], classes: int) -> NDArray[np.float32]:
    """Scores at stride 8 that follow the image's colours, with noise, upsampled: (C, H, W) energies."""
    rng = np.random.default_rng(0)
    height, width = image.shape[:2]
    small = cv2.resize(image, (width // 8 + 1, height // 8 + 1), interpolation=cv2.INTER_AREA).astype(np.float32)
    colours = rng.uniform(20, 235, (min(classes, 6), 3))
    distance = np.linalg.norm(small[None] - colours[:, None, None], axis=-1)
    scores = rng.normal(0, 1, (classes, *small.shape[:2]))
    scores[: len(colours)] += 8 * np.exp(-distance / 40) + 1
    return -resize_scores(scores.astype(np.float32), (height, width))


def interleaved(tasks: dict[str, Callable[[], object]], repeat: int) -> dict[str, float]:
    """Median milliseconds of each task; the tasks take turns, after one turn that is not counted."""
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for turn in range(repeat + 1):
        for name, task in tasks.items():
            began = time.perf_counter()
            task()
            if turn:
                times[name].append(1e3 * (time.perf_counter() - began))
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    """Print one line per image and setting, and the median ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image", nargs="*", default=[], help="image files; without any, synthetic ones")
    parser.add_argument("--classes", type=int, default=21)
    parser.add_argument("--size", type=int, nargs=2, default=(375, 500), metavar=("H", "W"), help="of synthetic images")
    parser.add_argument("--repeat", type=int, default=5)
    arguments = parser.parse_args()
    images = {path: cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2RGB) for path in arguments.image}
    if not images:
        images = {name: synthetic_photo(0, *arguments.size, level) for name, level in TEXTURES.items()}
    print(f"{'image':24} {'alpha/beta':>10} {'M/N':>5} {'ours':>8} {'pydensecrf':>10} {'ratio':>6} {'differ':>7}")
    ratios = [compare(name, image, arguments) for name, image in images.items()]
    ratios = [ratio for row in ratios for ratio in row]
    print(f"median ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}), times in ms")


TEXTURES = {"smooth": 1.0, "textured": 3.0, "busy": 8.0}


def compare(name: str, image: NDArray[np.uint8], arguments: argparse.Namespace) -> list[float]:
    """The ratios pydensecrf / ours for all settings on one image."""
    unary = synthetic_unary(image, arguments.classes)
    ratios = []
    for setting in SETTINGS:
        labels: dict[str, NDArray] = {}

        def run(backend: str, setting: CRFParameters = setting, labels: dict[str, NDArray] = labels) -> None:
            labels[backend] = crf_labels(image, unary, setting, backend)

        times = interleaved(
            {"native": lambda run=run: run("native"), "pydensecrf": lambda run=run: run("pydensecrf")}, arguments.repeat
        )
        ratios.append(times["pydensecrf"] / times["native"])
        vertices = bilateral_lattice(image, setting.sigma_alpha, setting.sigma_beta).size
        print(
            f"{name[-24:]:24} {setting.sigma_alpha:>6g}/{setting.sigma_beta:<3g} {vertices / unary[0].size:5.2f} "
            f"{times['native']:8.1f} {times['pydensecrf']:10.1f} {ratios[-1]:6.2f} "
            f"{int((labels['native'] != labels['pydensecrf']).sum()):>4} px",
            flush=True,
        )
    return ratios


if __name__ == "__main__":
    main()
