"""Surfaces for the synthetic sample: noise and the backgrounds made of it. Colours are RGB, 0..1."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...arrays import NDArray
from ...lazy import imported_on_use

if TYPE_CHECKING:
    import cv2
    import numpy as np

    Array = NDArray[Any]  # float32 wherever it is large
    Rng = np.random.Generator
else:
    cv2 = imported_on_use("cv2")
    np = imported_on_use("numpy")
    Array = Rng = Any


def noise(
    shape: tuple[int, int], rng: Rng, cell: float, octaves: int = 4, stretch: tuple[float, float] = (1, 1)
) -> Array:
    """Smooth random field (H, W), about zero mean and unit deviation.

    Args:
        cell: size in pixels of the largest blobs; each octave halves size and amplitude.
        stretch: factors on the blobs' height and width.
    """
    height, width = shape
    total = np.zeros(shape, np.float32)
    power = 0.0
    for octave in range(octaves):
        rows, columns = (
            max(2, int(np.ceil(side * 2**octave / (cell * factor))) + 1)
            for side, factor in ((height, stretch[0]), (width, stretch[1]))
        )
        rows, columns = min(rows, height), min(columns, width)
        coarse = rng.standard_normal((rows, columns), dtype=np.float32)
        total += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC) * np.float32(0.5**octave)
        power += 0.25**octave
    return total / np.float32(0.75 * np.sqrt(power))


def mix(first: object, second: object, share: Array | float) -> Array:
    """Blend two colours (3,) or images (H, W, 3) by `share` (H, W) of the second."""
    weight = np.clip(np.asarray(share, np.float32), 0, 1)[..., None]
    start, end = np.asarray(first, np.float32), np.asarray(second, np.float32)
    return start + (end - start) * weight


def shift(rng: Rng, colour: object, amount: float = 0.03) -> Array:
    """A colour near the given one."""
    return np.clip(np.asarray(colour) + rng.normal(0, amount, 3), 0.02, 0.98).astype(np.float32)


def pick(rng: Rng, *colours: tuple[float, float, float]) -> Array:
    """One of the colours, varied a little."""
    return shift(rng, colours[rng.integers(len(colours))])


def grass(shape: tuple[int, int], rng: Rng) -> Array:
    blades = noise(shape, rng, 9, 3, (2.2, 0.5))
    ground = mix(pick(rng, (0.22, 0.36, 0.12), (0.30, 0.42, 0.16)), pick(rng, (0.48, 0.50, 0.22), (0.40, 0.33, 0.18)),
                 0.35 + 0.3 * noise(shape, rng, 90, 3))  # fmt: skip
    return ground * (1 + 0.26 * blades)[..., None]


def sand(shape: tuple[int, int], rng: Rng) -> Array:
    rows = np.arange(shape[0], dtype=np.float32)[:, None]
    waves = np.sin(rows / rng.uniform(3, 7) + 2.5 * noise(shape, rng, 80, 2, (1, 2)))
    light = 1 + rng.uniform(0, 0.07) * waves + 0.05 * noise(shape, rng, 3, 1) + 0.06 * noise(shape, rng, 70)
    return pick(rng, (0.76, 0.67, 0.50), (0.66, 0.58, 0.46), (0.82, 0.77, 0.66)) * light[..., None]


def planks(shape: tuple[int, int], rng: Rng) -> Array:
    board = int(rng.integers(32, 70))
    rows = np.arange(shape[0], dtype=np.float32)[:, None] + np.float32(rng.uniform(0, board))
    tone = rng.normal(1, 0.09, int(rows.max()) // board + 2).astype(np.float32)[(rows // board).astype(int)]
    grain = noise(shape, rng, 14, 3, (0.35, 12)) + 0.6 * np.sin(rows / 2.2 + 3 * noise(shape, rng, 60, 2, (0.5, 5)))
    gap = 1 - 0.55 * np.exp(-(((rows % board) - 1.5) ** 2) / 2)
    colour = pick(rng, (0.62, 0.46, 0.31), (0.72, 0.60, 0.46), (0.45, 0.36, 0.30), (0.58, 0.56, 0.54))
    return colour * (tone * gap * (1 + 0.08 * grain))[..., None]


def stone(shape: tuple[int, int], rng: Rng) -> Array:
    veins = np.exp(-((noise(shape, rng, 80, 4) / 0.035) ** 2))
    light = 1 + 0.13 * noise(shape, rng, 60, 5) + 0.05 * noise(shape, rng, 3, 1) - 0.3 * veins
    return pick(rng, (0.56, 0.55, 0.53), (0.42, 0.43, 0.46), (0.66, 0.62, 0.57)) * light[..., None]


def cloth(shape: tuple[int, int], rng: Rng) -> Array:
    period = rng.uniform(14, 34)
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    folds = noise(shape, rng, 110, 2)
    checks = sum(np.tanh(3 * np.sin(2 * np.pi * (axis + 3 * folds) / period)) for axis in (rows, columns))
    first = pick(rng, (0.30, 0.40, 0.62), (0.62, 0.28, 0.30), (0.36, 0.50, 0.44), (0.55, 0.50, 0.62))
    second = pick(rng, (0.86, 0.84, 0.80), (0.74, 0.76, 0.80))
    weave = 1 + 0.04 * noise(shape, rng, 2.5, 1) + 0.10 * folds
    return mix(first, second, 0.5 + 0.25 * checks) * weave[..., None]


def water(shape: tuple[int, int], rng: Rng) -> Array:
    waves = noise(shape, rng, 26, 3, (0.45, 2.2))
    deep = pick(rng, (0.16, 0.34, 0.44), (0.20, 0.44, 0.48), (0.24, 0.34, 0.42))
    return mix(deep, (0.72, 0.84, 0.90), 0.22 + 0.15 * waves + 0.5 * np.clip(waves - 1.3, 0, 1))


def sky(shape: tuple[int, int], rng: Rng) -> Array:
    high = pick(rng, (0.36, 0.56, 0.82), (0.50, 0.64, 0.80), (0.66, 0.70, 0.76))
    fall = np.linspace(0, 1, shape[0], dtype=np.float32)[:, None] + np.zeros(shape, np.float32)
    clouds = 0.8 * np.clip(noise(shape, rng, 110, 5, (0.6, 1.6)) - 0.4, 0, 1)
    return mix(mix(high, (0.84, 0.88, 0.92), 0.8 * fall), (0.96, 0.96, 0.96), clouds)


def wall(shape: tuple[int, int], rng: Rng) -> Array:
    light = 1 + 0.05 * noise(shape, rng, 90, 3) + 0.03 * noise(shape, rng, 4, 2)
    return pick(rng, (0.78, 0.74, 0.66), (0.58, 0.64, 0.66), (0.74, 0.62, 0.58), (0.50, 0.54, 0.50)) * light[..., None]


def foliage(shape: tuple[int, int], rng: Rng) -> Array:
    leaves = noise(shape, rng, 44, 4)
    image = mix(pick(rng, (0.10, 0.18, 0.10), (0.14, 0.20, 0.14)), pick(rng, (0.38, 0.50, 0.24), (0.46, 0.50, 0.30)),
                0.45 + 0.3 * leaves)  # fmt: skip
    return cv2.GaussianBlur(image, (0, 0), rng.uniform(1, 3)).astype(np.float32)


GROUNDS: tuple[Callable[[tuple[int, int], Rng], Array], ...] = (grass, sand, planks, stone, cloth, water)
FARS: tuple[Callable[[tuple[int, int], Rng], Array], ...] = (sky, wall, foliage)
