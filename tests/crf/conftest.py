"""What the CRF tests share: fully connected mean field by brute force, and small scenes."""

from __future__ import annotations

import numpy as np
import pytest

from deeplab_caffe.crf import CRFParameters


@pytest.fixture(name="brute_force", scope="session")
def _brute_force_fixture():
    return _brute_force


@pytest.fixture(name="scene", scope="session")
def _scene_fixture():
    return _scene


def _brute_force(image: np.ndarray, unary: np.ndarray, parameters: CRFParameters) -> np.ndarray:
    """Q (C, H, W) with the exact Gaussian kernels, all pixel pairs, float64."""
    classes, height, width = unary.shape
    y, x = np.mgrid[:height, :width].reshape(2, -1)
    position = np.stack([x, y], 1).astype(float)
    colour = image.reshape(height * width, -1).astype(float)
    near = _kernel(position / parameters.sigma_gamma)
    alike = _kernel(np.hstack([position / parameters.sigma_alpha, colour / parameters.sigma_beta]))
    terms = [(parameters.w2, near), (parameters.w1, alike)]
    energy = unary.reshape(classes, -1).astype(float)
    q = _softmax(-energy)
    for _ in range(parameters.iterations):
        q = _softmax(-energy + sum(w * (q @ _normalized(k, parameters.normalization)) for w, k in terms))
    return q.reshape(unary.shape)


def _kernel(features: np.ndarray) -> np.ndarray:
    distance = ((features[:, None] - features[None]) ** 2).sum(-1)
    return np.exp(-0.5 * distance)


def _normalized(kernel: np.ndarray, normalization: str) -> np.ndarray:
    mass = kernel.sum(0)
    return kernel / np.sqrt(mass[:, None] * mass) if normalization == "symmetric" else kernel / mass


def _softmax(logits: np.ndarray) -> np.ndarray:
    e = np.exp(logits - logits.max(0))
    return e / e.sum(0)


def _scene(seed: int, height: int = 40, width: int = 52, classes: int = 4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image (H, W, 3) with flat noisy regions, coarse noisy scores (C, h, w) at stride 4, and labels (H, W)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    label = np.zeros((height, width), np.uint8)
    for c in range(1, classes):
        row, column, radius = rng.uniform(0, height), rng.uniform(0, width), rng.uniform(0.15, 0.4) * height
        label[(y - row) ** 2 + (x - column) ** 2 < radius**2] = c
    colours = rng.uniform(30, 225, (classes, 3))
    image = np.clip(colours[label] + rng.normal(0, 6, (height, width, 3)), 0, 255).astype(np.uint8)
    one_hot = (label[::4, ::4] == np.arange(classes)[:, None, None]).astype(np.float32)
    scores = 2 * one_hot + rng.normal(0, 0.8, one_hot.shape).astype(np.float32)
    return image, scores, label
