"""By which algorithm a plan computes a convolution on the CPU: the fastest one on this machine, each measured once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from math import prod

import torch

from . import winograd
from .direct import Direct
from .folded import Folded, Geometry
from .timings import timings

DIRECT = "direct"
#: the algorithms of float32 besides, with the size of their tiles
_WINOGRAD = {f"winograd {m}": m for m in winograd.SIZES}
_LEAST = 30e6  # multiplications below which none can be much faster than another
_PROMISING = 1.3  # times the products of the best tiles: larger tiles, more outputs beyond the border
_GAIN = 0.95  # of the direct sum's time: what counts as faster
_ROUNDS, _SECONDS = 3, 0.3  # of measuring an algorithm, after a first call
_measuring = threading.Lock()

Algorithm = winograd.Winograd | Direct


class Algorithms:
    """A convolution on the CPU, of inputs (N, C, H, W) in channels_last.

    Args:
        fold: gives the convolution in a type.
        geometry: of it.
        dtype: what to compute in. In bfloat16 there is the direct sum alone.
        exact: whether float32 must be computed by the direct sum.
    """

    def __init__(
        self, fold: Callable[[torch.dtype], Folded], geometry: Geometry, dtype: torch.dtype, exact: bool
    ) -> None:
        self._fold, self._geometry, self._dtype = fold, geometry, dtype
        self._winograd = not exact and winograd.fits(geometry)
        self._made: dict[str, Algorithm] = {}
        self._chosen: dict[tuple[int, ...], str] = {}
        #: in bfloat16, the seconds that the latest new input takes, and those that it would take in float32
        self.compared = (0.0, 0.0)

    def forget(self) -> None:
        """The weights have changed."""
        self._made.clear()

    def __call__(self, x: torch.Tensor, bound: float | None = None) -> tuple[torch.Tensor, float | None]:
        """The result for x, and what no absolute value of it is greater than, if known; bound: the same of x."""
        algorithm = self._get(self._choose(x), x.shape)
        found = algorithm(x, bound)
        if found is None:  # what is not finite; tiles spread it to their other outputs
            algorithm = self._get(DIRECT, x.shape)
            found = algorithm(x, bound)
        assert found is not None
        return found, algorithm.bound

    def _get(self, name: str, shape: Sequence[int]) -> Algorithm:
        if name not in self._made:
            self._made[name] = _make(self._fold(self._dtype), name, shape)
        return self._made[name]

    def _choose(self, x: torch.Tensor) -> str:
        situation = *x.shape, torch.get_num_threads()
        if situation not in self._chosen:
            seconds = self._seconds(x, self._dtype)
            best = min(seconds, key=seconds.__getitem__)
            self._chosen[situation] = best if seconds[best] < _GAIN * seconds[DIRECT] else DIRECT
            self._made = {name: made for name, made in self._made.items() if name in self._chosen.values()}
            if self._dtype != torch.float32:
                self.compared = seconds[DIRECT], min(self._seconds(x, torch.float32).values())
        return self._chosen[situation]

    def _seconds(self, x: torch.Tensor, precision: torch.dtype) -> dict[str, float]:
        """How long algorithms take in a precision for an input; 0 for the direct sum where nothing is to be chosen."""
        names = self._candidates(x.shape, precision)
        if not self._is_large(x.shape) or (names == [DIRECT] and self._dtype == torch.float32):
            return {DIRECT: 0.0}
        key = f"{_key(self._geometry, x.shape)} {precision} threads {torch.get_num_threads()}"
        pixels = self._work(x.shape, DIRECT)
        rates = timings.find(key, pixels)
        if rates is None or not rates.keys() >= set(names):
            found = self._measure(names, x, precision)
            rates = {name: seconds / self._work(x.shape, name) for name, seconds in found.items()}
            timings.add(key, pixels, rates)
        return {name: rates[name] * self._work(x.shape, name) for name in names}

    def _is_large(self, shape: Sequence[int]) -> bool:
        """Whether the time for an input is worth a choice."""
        g = self._geometry
        return prod((shape[0], *g.out_size(shape[2:]), g.outputs, g.channels // g.group, *g.kernel)) >= _LEAST

    def _candidates(self, shape: Sequence[int], precision: torch.dtype) -> list[str]:
        if not self._winograd or precision != torch.float32 or not self._is_large(shape):
            return [DIRECT]
        products = {name: (m + 2) ** 2 * self._work(shape, name) for name, m in _WINOGRAD.items()}
        most = _PROMISING * min(products.values())
        return [DIRECT, *(name for name, count in products.items() if count <= most)]

    def _work(self, shape: Sequence[int], name: str) -> int:
        """What the time is proportional to: tiles, or pixels of the direct sum."""
        if name in _WINOGRAD:
            return winograd.tile_count(self._geometry, shape, _WINOGRAD[name])
        return shape[0] * prod(self._geometry.out_size(shape[2:]))

    def _measure(self, names: Sequence[str], x: torch.Tensor, precision: torch.dtype) -> dict[str, float]:
        """The least seconds of each algorithm; they take turns."""
        convolution, x = self._fold(precision), x.to(precision)
        with _measuring:
            algorithms = {name: _make(convolution, name, x.shape) for name in names}
            for algorithm in algorithms.values():
                algorithm(x)
            found = dict.fromkeys(names, float("inf"))
            end = time.perf_counter() + _SECONDS * len(names)
            for turn in range(_ROUNDS):
                if turn and time.perf_counter() > end:
                    break
                for name, algorithm in algorithms.items():
                    began = time.perf_counter()
                    algorithm(x)
                    found[name] = min(found[name], time.perf_counter() - began)
        return found


def _make(convolution: Folded, name: str, shape: Sequence[int]) -> Algorithm:
    if name in _WINOGRAD:
        return winograd.Winograd(convolution, _WINOGRAD[name])
    return Direct(convolution, shape)


def _key(geometry: Geometry, shape: Sequence[int]) -> str:
    """A convolution apart from its input's size, which times are proportional to."""
    g = geometry
    pairs = " ".join(f"{name} {y},{x}" for name, (y, x) in zip(g._fields[2:6], g[2:6], strict=True))
    return f"{g.channels} to {g.outputs} {pairs} group {g.group}"
