"""What bench/crf.py works on: photographs of 500 x 375 pixels and score maps such as a DeepLab net gives."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from deeplab_caffe.crf import resize_scores, unary_from_scores

HEIGHT, WIDTH, CLASSES, PRESENT = 375, 500, 21, 5
PHOTOGRAPHS = ("astronaut.png", "coffee.png", "rocket.jpg", "chelsea.png")


def scenes(paths: list[str]) -> dict[str, NDArray[np.uint8]]:
    """RGB images by name: those at `paths`, else four photographs of scikit-image if it is there; and a busy one."""
    found = [Path(path) for path in paths] or _photographs()
    images = {path.stem: _fitted(path) for path in found}
    return {**images, "busy (drawn)": busy_image()}


def _photographs() -> list[Path]:
    spec = importlib.util.find_spec("skimage")
    folder = Path(spec.origin).parent / "data" if spec and spec.origin else Path()
    found = [folder / name for name in PHOTOGRAPHS if (folder / name).is_file()]
    if not found:
        print("scikit-image is not installed (pip install scikit-image), and there is no --image: the drawn one only")
    return found


def _fitted(path: Path) -> NDArray[np.uint8]:
    """The middle of an image, scaled so that it fills 500 x 375 pixels."""
    image = cv2.imread(str(path))
    if image is None:
        raise SystemExit(f"{path}: not an image")
    scale = max(HEIGHT / image.shape[0], WIDTH / image.shape[1])
    size = max(WIDTH, round(image.shape[1] * scale)), max(HEIGHT, round(image.shape[0] * scale))
    image = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    top, left = (image.shape[0] - HEIGHT) // 2, (image.shape[1] - WIDTH) // 2
    return cv2.cvtColor(image[top : top + HEIGHT, left : left + WIDTH], cv2.COLOR_BGR2RGB)


def busy_image() -> NDArray[np.uint8]:
    """Shading, flat shapes, and noise at several scales: as many lattice vertices as pixels at 60/5."""
    rng = np.random.default_rng(0)
    image = cv2.resize(rng.uniform(50, 200, (6, 8, 3)), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    for _ in range(12):
        centre = int(rng.integers(WIDTH)), int(rng.integers(HEIGHT))
        axes = int(rng.integers(15, WIDTH // 4)), int(rng.integers(15, HEIGHT // 4))
        cv2.ellipse(image, centre, axes, float(rng.uniform(0, 180)), 0, 360, rng.uniform(10, 245, 3).tolist(), -1)
    for scale in (1, 2, 4, 8):
        noise = rng.normal(0, 5, (HEIGHT // scale + 1, WIDTH // scale + 1, 3))
        image += cv2.resize(noise, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
    return np.clip(cv2.GaussianBlur(image, (0, 0), 0.7), 0, 255).astype(np.uint8)


def unary_of(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Energies (21, H, W) of noisy scores at stride 8: five classes that follow the colours, the others absent."""
    rng = np.random.default_rng(0)
    height, width = HEIGHT // 8 + 2, WIDTH // 8 + 2
    small = cv2.GaussianBlur(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), (0, 0), 1.5)
    colours = small.reshape(-1, 3).astype(np.float32)
    criteria = (cv2.TERM_CRITERIA_MAX_ITER, 20, 0)
    cv2.setRNGSeed(0)
    _, label, _ = cv2.kmeans(colours, PRESENT, None, criteria, 1, cv2.KMEANS_PP_CENTERS)
    scores = rng.normal(0, 1, (CLASSES, height, width)).astype(np.float32)
    scores[PRESENT:] -= 6
    for c in range(PRESENT):
        scores[c] += 5 * cv2.GaussianBlur((label.reshape(height, width) == c).astype(np.float32), (0, 0), 0.8)
    return unary_from_scores(resize_scores(scores, (HEIGHT + 8, WIDTH + 8), (HEIGHT, WIDTH)))
