"""One image of the synthetic sample with its labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...arrays import NDArray
from ...lazy import imported_on_use
from .objects import REACH, SHAPES, Surface, draw, shade
from .textures import FARS, GROUNDS, Array, Rng, noise

if TYPE_CHECKING:
    import cv2
    import numpy as np
else:
    cv2 = imported_on_use("cv2")
    np = imported_on_use("numpy")

CLASSES = ("background", *(shape.__name__ for shape in SHAPES))
BORDER = 255

_SIZE = {"leaf": 1.15, "starfish": 1.25, "mushroom": 1.2}  # slender ones larger: no class gets too few pixels
_FINE = 2  # the scene is drawn at twice its size and reduced, for soft edges and exact labels


def draw_image(seed: int, index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Image number `index` (H, W, 3) RGB and its labels (H, W): 0 background, 1..6 objects, 255 their outlines.

    The same seed and index always give the same image. Sides are 200 to 321 pixels.
    """
    rng = np.random.default_rng([seed, index])
    shape = _image_shape(rng)
    canvas, horizon = _background(shape, rng)
    light = _light(rng)
    owner = np.zeros((shape[0] * _FINE, shape[1] * _FINE), np.uint8)
    kinds = [0]
    for x, y, radius in _places(shape, horizon, rng):
        kinds.append(int(rng.integers(1, len(CLASSES))))
        _put_object(canvas, owner, kinds, (x, y), radius, light, horizon > 0, rng)
    image = cv2.resize(canvas, shape[::-1], interpolation=cv2.INTER_AREA)
    return _photograph(image, rng), _labels(owner, np.array(kinds, np.uint8), shape)


def _image_shape(rng: Rng) -> tuple[int, int]:
    long, short = int(rng.integers(290, 322)), int(rng.integers(200, 256))
    return (short, long) if rng.random() < 0.7 else (long, short)


def _light(rng: Rng) -> Array:
    light = np.array([rng.uniform(-0.6, 0.6), rng.uniform(-0.7, -0.3), 0.75], np.float32)
    return np.asarray(light / np.linalg.norm(light), np.float32)


def _background(shape: tuple[int, int], rng: Rng) -> tuple[Array, int]:
    """The empty scene at drawing size, a little out of focus, and the row of its horizon (0: seen from above)."""
    height, width = shape
    image = GROUNDS[rng.integers(len(GROUNDS))](shape, rng)
    horizon = int(height * rng.uniform(0.2, 0.45)) if rng.random() < 0.5 else 0
    if horizon:
        image = _slanted(image, horizon)
        far = FARS[rng.integers(len(FARS))]((horizon, width), rng)
        image[:horizon] = cv2.GaussianBlur(far, (0, 0), 1.5)
        image[horizon - 3 : horizon + 3] = cv2.GaussianBlur(image, (0, 0), 1.5)[horizon - 3 : horizon + 3]
    dapple = 1 + rng.uniform(0, 0.14) * noise(shape, rng, 120, 2)
    image = cv2.GaussianBlur(image * dapple[..., None], (0, 0), rng.uniform(0.5, 1.1))
    return np.asarray(cv2.resize(image, None, fx=_FINE, fy=_FINE, interpolation=cv2.INTER_LINEAR), np.float32), horizon


def _slanted(ground: Array, horizon: int) -> Array:
    """The ground seen at a slant: its far edge at the row `horizon`, shrunk."""
    height, width = ground.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    seen = np.array([[0.0, horizon], [width, horizon], [1.6 * width, height], [-0.6 * width, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(corners, seen)
    return np.asarray(cv2.warpPerspective(ground, matrix, (width, height), borderMode=cv2.BORDER_REFLECT), np.float32)


def _places(shape: tuple[int, int], horizon: int, rng: Rng) -> list[tuple[float, float, float]]:
    """Centres and radii in pixels of one to five objects, the nearest last; some hide parts of others."""
    height, width = shape
    places: list[tuple[float, float, float]] = []
    wanted = int(rng.choice([1, 2, 3, 4, 5], p=[0.08, 0.22, 0.32, 0.24, 0.14]))
    for _ in range(30):
        depth = rng.random()
        radius = 30 + 58 * (0.5 * depth + 0.5 * rng.random() ** 1.5) * (1.25 if wanted < 3 else 0.85)
        x = rng.uniform(0.5 * radius, width - 0.5 * radius)
        y = rng.uniform(0.5 * radius, height - 0.5 * radius)
        if horizon:
            y = horizon + (height - horizon) * (0.1 + 0.85 * depth) - 0.6 * radius
        if all(np.hypot(x - a, y - b) > 0.66 * (radius + r) for a, b, r in places):
            places.append((x, y, radius))
        if len(places) == wanted:
            break
    return sorted(places, key=lambda place: place[1] + place[2])


def _put_object(
    canvas: Array,
    owner: NDArray[np.uint8],
    kinds: list[int],
    centre: tuple[float, float],
    radius: float,
    light: Array,
    standing: bool,
    rng: Rng,
) -> None:
    """Draw the last of `kinds` with its shadow into the canvas, and its number into `owner`, where it covers them."""
    name = CLASSES[kinds[-1]]
    upright = name == "mushroom" or (standing and name == "crate")
    tilt = rng.uniform(-0.35, 0.35) if upright else rng.uniform(-np.pi, np.pi)
    squash = 1.0 if name in ("ball", "mushroom") else rng.uniform(0.72, 1)
    fine = radius * _FINE * _SIZE.get(name, 1.0)
    left, top = (int(c * _FINE - REACH * fine) for c in centre)
    near, _ = _window(canvas, top, left, int(2 * REACH * fine))
    surface = draw(kinds[-1], fine, tilt, squash, rng, near[::8, ::8].mean((0, 1)))
    colour = shade(surface, fine, light)
    _cast_shadow(canvas, surface, (top, left), fine, light, standing)
    target, (rows, columns) = _window(canvas, top, left, surface.inside.shape[0])
    inside = surface.inside[rows, columns]
    target[inside] = colour[rows, columns][inside]
    _window(owner, top, left, surface.inside.shape[0])[0][inside] = len(kinds) - 1


def _cast_shadow(
    canvas: Array, surface: Surface, corner: tuple[int, int], radius: float, light: Array, standing: bool
) -> None:
    """Darken where the object keeps the light away: beside it if it lies, below it if it stands."""
    pad = int(0.7 * radius)
    mask: Array = np.pad(surface.inside.astype(np.float32), pad)
    n = mask.shape[0]
    if standing:
        mask = cv2.warpAffine(mask, np.array([[1, 0, 0], [0, 0.3, 0.585 * n]], np.float32), (n, n))
        move = (-0.3 * light[0] * radius, 0.0)
    else:
        move = (-0.45 * light[0] * radius, -0.45 * light[1] * radius)
    small = cv2.resize(mask, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    soft = cv2.resize(cv2.GaussianBlur(small, (0, 0), max(0.8, 0.022 * radius)), (n, n), interpolation=cv2.INTER_LINEAR)
    top, left = corner[0] - pad + int(move[1]), corner[1] - pad + int(move[0])
    target, (rows, columns) = _window(canvas, top, left, n)
    keep = 1 - np.float32(0.55) * soft[rows, columns]
    target *= keep[..., None]


def _window(array: NDArray[Any], top: int, left: int, size: int) -> tuple[NDArray[Any], tuple[slice, slice]]:
    """The part of `array` under a square that may stick out, and the square's rows and columns over it."""
    bottom, right = min(top + size, array.shape[0]), min(left + size, array.shape[1])
    first, start = max(top, 0), max(left, 0)
    view = array[first : max(bottom, first), start : max(right, start)]
    return view, (slice(first - top, first - top + view.shape[0]), slice(start - left, start - left + view.shape[1]))


def _labels(owner: NDArray[np.uint8], kinds: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Labels at picture size: the class that covers most of a pixel; outlines, 3 pixels wide, get 255 as in VOC."""
    kind = kinds[owner]
    cover = [cv2.resize((kind == k).astype(np.float32), shape[::-1], interpolation=cv2.INTER_AREA) for k in range(7)]
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3 * _FINE + 1, 3 * _FINE + 1))
    outline = (cv2.morphologyEx(owner, cv2.MORPH_GRADIENT, disc) > 0).astype(np.float32)
    label = np.argmax(cover, 0).astype(np.uint8)
    label[cv2.resize(outline, shape[::-1], interpolation=cv2.INTER_AREA) > 0.5] = BORDER
    return label


def _photograph(image: Array, rng: Rng) -> NDArray[np.uint8]:
    """What a camera adds: exposure, white balance, vignette, a slight blur, sensor noise; (H, W, 3) uint8."""
    height, width = image.shape[:2]
    rows, columns = (np.linspace(-1, 1, side, dtype=np.float32) for side in (height, width))
    rows, slope = rows[:, None], rng.uniform(-0.14, 0.14, 2).tolist()
    light = rng.uniform(0.85, 1.15) * (1 - 0.09 * (rows**2 + columns**2)) + slope[0] * rows + slope[1] * columns
    image = image * (light[..., None] * rng.normal(1, 0.022, 3)).astype(np.float32)
    image = np.clip(image, 0, 1.6) / (1 + 0.18 * np.clip(image, 0, 1.6) ** 3)
    image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.35, 0.6)) * 255
    grain = rng.standard_normal((height, width, 1), dtype=np.float32) * 0.8
    grain = grain + rng.standard_normal((height, width, 3), dtype=np.float32) * 0.6
    return np.clip(image + rng.uniform(1.5, 4) * grain, 0, 255).astype(np.uint8)
