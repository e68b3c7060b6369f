"""The objects of the synthetic sample: outline, surface colour and relief of six classes.

An object is drawn in its own frame: u to the right, v downwards, its outline about one unit from the centre.
A class has colours of its own and now and then another's (a red ball, a red cap, a red starfish): colour alone does
not tell the classes apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...arrays import NDArray
from ...lazy import imported_on_use
from .textures import Array, Rng, mix, noise, shift

if TYPE_CHECKING:
    import cv2
    import numpy as np
else:
    cv2 = imported_on_use("cv2")
    np = imported_on_use("numpy")

RED, ORANGE, YELLOW = (0.76, 0.14, 0.12), (0.88, 0.46, 0.14), (0.90, 0.76, 0.22)
GREEN, BLUE, PURPLE = (0.24, 0.50, 0.18), (0.16, 0.34, 0.70), (0.48, 0.24, 0.54)
WHITE, BLACK, BROWN, CREAM = (0.90, 0.89, 0.86), (0.13, 0.13, 0.14), (0.46, 0.29, 0.17), (0.86, 0.76, 0.60)
Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Frame:
    """Where an object is drawn: its coordinates (n, n), its random numbers, and the colour to differ from, (3,) RGB."""

    u: Array
    v: Array
    rng: Rng
    behind: Array

    def noise(self, size: float, octaves: int = 3, stretch: tuple[float, float] = (1, 1)) -> Array:
        """Noise whose largest blobs are `size` units."""
        n = self.u.shape[0]
        return noise((n, n), self.rng, max(2.0, size * n / (2 * REACH)), octaves, stretch)

    def sign(self) -> int:
        """1 or -1."""
        return 2 * int(self.rng.integers(2)) - 1

    def colour(self, *usual: Colour, rare: tuple[Colour, ...] = ()) -> Array:
        """One of the colours that stand out from what is behind, varied a little; one of the rare ones in four."""
        choices = rare if rare and self.rng.random() < 0.25 else usual
        contrast = [float(np.abs(np.asarray(c) - self.behind).sum()) for c in choices]
        good = [c for c, d in zip(choices, contrast, strict=True) if d > 0.55] or [choices[int(np.argmax(contrast))]]
        return shift(self.rng, good[self.rng.integers(len(good))], 0.04)


@dataclass(frozen=True)
class Surface:
    """inside: (n, n) bool; colour: (n, n, 3); height: relief in units, (n, n); gloss: strength of highlights, 0..1."""

    inside: NDArray[np.bool_]
    colour: Array
    height: Array
    gloss: float


REACH = 1.3  # half the side of an object's square, in units


def ball(f: Frame) -> Surface:
    radius2 = f.u**2 + f.v**2
    z = np.sqrt(np.clip(1 - radius2, 0, None))
    axes = np.linalg.qr(f.rng.standard_normal((3, 3)))[0].astype(np.float32)
    p, q, w = (a[0] * f.u + a[1] * f.v + a[2] * z for a in axes)
    first = f.colour(BLUE, PURPLE, (0.20, 0.56, 0.66), rare=(RED, ORANGE, YELLOW, GREEN, WHITE))
    second = f.colour(WHITE, YELLOW, CREAM, rare=(BLUE, RED))
    pattern = (np.zeros_like(w), _edge(0.27 - np.abs(w)), _edge(np.sin(3 * np.arctan2(p, q)), 4))
    return Surface(radius2 < 1, mix(first, second, pattern[f.rng.integers(3)]), z, 0.5)


def crate(f: Frame) -> Surface:
    tall = f.rng.uniform(0.7, 0.95)
    u, v = f.u * (1 + 0.14 * f.rng.uniform(-1, 1) * f.v) / 0.95, f.v / tall
    far = np.maximum(np.abs(u), np.abs(v))
    count = int(f.rng.integers(3, 6))
    gaps = np.exp(-((((v * count / 2 + 0.5 * (count % 2)) + 0.5) % 1 - 0.5) ** 2) / 0.003)
    frame = _edge(np.maximum(far - 0.76, 0.13 - np.abs(u - v * f.sign())), 40)
    grain = f.noise(0.2, 3, (0.25, 5)) + 0.5 * np.sin(26 * v + 3 * f.noise(0.9, 2))
    wood = f.colour((0.66, 0.48, 0.28), BROWN, CREAM, rare=((0.36, 0.46, 0.52), (0.58, 0.24, 0.18)))
    colour = mix(wood * 0.86, wood * 1.12, frame) * (1 + 0.09 * grain - 0.5 * gaps * (1 - frame))[..., None]
    return Surface(far < 1, colour.astype(np.float32), 0.07 * frame - 0.05 * _edge(far - 0.96, 30), 0.08)


def leaf(f: Frame) -> Surface:
    u, v = f.u / 1.15, f.v + 0.22 * (f.u**2 - 0.4) * f.sign()
    width = f.rng.uniform(0.55, 0.72) * np.clip(1 - u**2, 0, None) ** 0.8 * (1 - 0.35 * u)
    width = width * (1 + 0.07 * np.sin(f.rng.uniform(16, 30) * u))
    side = np.sin(f.rng.uniform(20, 28) * (u - 0.75 * np.abs(v)))
    veins = np.maximum(np.exp(-((v / 0.03) ** 2)), 0.55 * np.exp(-(((side - 1) / 0.12) ** 2)))
    edge = np.clip(np.abs(v) / (width + 1e-3), 0, 1)
    base = f.colour(GREEN, (0.44, 0.58, 0.16), (0.66, 0.70, 0.20), rare=(YELLOW, ORANGE, (0.62, 0.16, 0.12), BROWN))
    blotch = mix(base, f.colour(YELLOW, GREEN, rare=(BROWN, ORANGE)), 0.45 * edge**3 + 0.22 * f.noise(0.6))
    colour = mix(blotch, np.clip(base * 1.3 + 0.12, 0, 1), 0.55 * veins)
    return Surface(np.abs(v) < width, colour, 0.12 * (1 - edge**2) - 0.03 * veins + 0.02 * side, 0.15)


def ring(f: Frame) -> Surface:
    radius = np.hypot(f.u, f.v)
    thick = f.rng.uniform(0.2, 0.3)
    across = (radius - (1 - thick)) / thick
    angle = np.arctan2(f.v, f.u)
    height = thick * np.sqrt(np.clip(1 - across**2, 0, None))
    if f.rng.random() < 0.65:
        tread = _edge(np.sin(int(f.rng.integers(26, 40)) * angle + 5 * across), 3) * (np.abs(across) > 0.35)
        colour, gloss = f.colour(BLACK, (0.20, 0.20, 0.22), (0.34, 0.33, 0.32)) * (1 - 0.3 * tread)[..., None], 0.25
        height = height - 0.03 * tread
    else:
        sectors = _edge(np.sin(int(f.rng.integers(2, 5)) * angle), 12)
        colour, gloss = mix(f.colour(RED, BLUE, ORANGE, GREEN, YELLOW), f.colour(WHITE, CREAM, YELLOW), sectors), 0.45
    return Surface(np.abs(across) < 1, colour.astype(np.float32), height.astype(np.float32), gloss)


def starfish(f: Frame) -> Surface:
    radius, angle = np.hypot(f.u, f.v), np.arctan2(f.v, f.u)
    wobble = 0.1 * np.sin(2 * angle + f.rng.uniform(0, 6)) + 0.06 * np.sin(3 * angle + f.rng.uniform(0, 6))
    arms = np.cos(5 * angle + 2 * wobble)
    reach = f.rng.uniform(0.62, 0.68) + 0.36 * arms + 0.06 * np.cos(10 * angle) + 0.3 * wobble
    inner = np.clip(1 - radius / (1.1 * reach), 0, 1)
    bumps = np.clip(f.noise(0.12, 1) - 0.5, 0, 1)
    skin = f.colour(ORANGE, (0.84, 0.36, 0.10), rare=(RED, PURPLE, CREAM, YELLOW))
    colour = mix(skin, CREAM, 0.5 * bumps + 0.12 * f.noise(0.5))
    ridge = np.exp(-(((1 - arms) * radius / 0.12) ** 2))
    return Surface(radius < reach, colour, 0.5 * np.sqrt(inner) + 0.06 * ridge + 0.05 * bumps, 0.12)


def mushroom(f: Frame) -> Surface:
    high, wide = f.rng.uniform(0.75, 0.95), f.rng.uniform(0.85, 1.05)
    u, v = f.u / wide, f.v - 0.05
    rim = 0.12 - 0.22 * u**2
    dome = u**2 + (np.clip(rim - v, 0, None) / high) ** 2
    cap = (dome < 1) & (v < rim)
    half = f.rng.uniform(0.2, 0.3) * (1 + 0.35 * np.clip(v, 0, 1) ** 2)
    stem = (np.abs(f.u) < half) & (v > -0.1) & (v < 0.95 - 0.15 * (f.u / 0.3) ** 2)
    under = 0.35 * np.exp(-((v - rim) ** 2) / 0.02)
    pale = f.colour(CREAM, WHITE) * (1 + 0.06 * f.noise(0.12, 2, (6, 0.5)) - under)[..., None]
    red = f.colour(RED, (0.62, 0.10, 0.12), rare=(BROWN, ORANGE, (0.72, 0.56, 0.34)))
    red = red * (1 + 0.06 * f.noise(0.5))[..., None]
    dots = np.zeros_like(u)
    for x, y in f.rng.uniform((-0.75, -0.65), (0.75, 0.1), (9, 2)).tolist():
        dots = np.maximum(dots, _edge(f.rng.uniform(0.07, 0.13) - np.hypot(u - x, (v - y) * 1.2), 60))
    dots = dots * np.float32(f.rng.random() < 0.7)
    dome_height = 0.75 * np.sqrt(np.clip(1 - dome, 0, None)) + 0.03 * dots
    stem_height = np.sqrt(np.clip(half**2 - f.u**2, 0, None))
    colour = np.where(cap[..., None], mix(red, WHITE, 0.85 * dots), pale).astype(np.float32)
    return Surface(cap | stem, colour, np.where(cap, dome_height, stem_height).astype(np.float32), 0.25)


def draw(kind: int, radius: float, tilt: float, squash: float, rng: Rng, behind: Array) -> Surface:
    """Draw an object of class `kind` (1..6) on a square of 2.6 radii.

    Args:
        radius: pixels per unit.
        tilt: rotation in radians.
        squash: factor on its height, below 1 for an object seen at a slant.
    """
    n = int(2 * REACH * radius)
    line = np.linspace(-REACH, REACH, n, dtype=np.float32)
    x, y = line[None, :], line[:, None] / np.float32(squash)
    cos, sin = np.float32(np.cos(tilt)), np.float32(np.sin(tilt))
    return SHAPES[kind - 1](Frame(cos * x + sin * y, cos * y - sin * x, rng, behind))


def shade(surface: Surface, radius: float, light: Array) -> Array:
    """Colour under a light from direction `light` (x, y, z towards the viewer), (n, n, 3)."""
    height = cv2.GaussianBlur(surface.height.astype(np.float32) * np.float32(radius), (0, 0), 1.0)
    dx, dy = cv2.Sobel(height, cv2.CV_32F, 1, 0, scale=1 / 8), cv2.Sobel(height, cv2.CV_32F, 0, 1, scale=1 / 8)
    length = np.sqrt(dx**2 + dy**2 + 1)
    facing = (light[2] - light[0] * dx - light[1] * dy) / length
    halfway = light + np.array([0, 0, 1], np.float32)
    halfway = halfway / np.linalg.norm(halfway)
    shine = np.clip((halfway[2] - halfway[0] * dx - halfway[1] * dy) / length, 0, 1) ** 24
    lit = 0.38 + 0.75 * np.clip(facing, 0, None)
    return surface.colour * lit[..., None] + (surface.gloss * shine)[..., None]


def _edge(value: Array, sharpness: float = 20) -> Array:
    """0 where value is below zero, 1 above, with a soft step."""
    return np.asarray(0.5 + 0.5 * np.tanh(sharpness * value), np.float32)


SHAPES: tuple[Callable[[Frame], Surface], ...] = (ball, crate, leaf, ring, starfish, mushroom)
