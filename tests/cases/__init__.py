"""One case or more for every layer type: what the registry-wide tests run. A module per family of layers."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

#: types whose tops have as many rows as there are boxes, which only the values of the bottoms tell
ROWS_FOLLOW_THE_VALUES = ("Proposal", "DetectionOutput")


@dataclass(frozen=True)
class Case:
    """A layer on its own: its prototxt, and a value for each of its bottoms.

    text: one `layer { … }` named 'layer', whose bottoms are keys of `bottoms`. phase: TRAIN or TEST.
    differentiable: the bottoms whose gradient is checked (all float bottoms of most layers; none for accuracies).
    params: whether the gradient of its parameters is checked too. random: the result depends on random numbers.
    """

    name: str
    text: str
    bottoms: Mapping[str, np.ndarray]
    phase: str = "TEST"
    differentiable: tuple[str, ...] = ()
    params: bool = True
    random: bool = False

    @property
    def type(self) -> str:
        """The layer type that the text states."""
        return self.text.split('type: "', 1)[1].split('"', 1)[0]


def simple(
    name: str, kind: str, more: str, *arrays: np.ndarray, tops: int = 1, checked: int | None = None, **fields
) -> Case:
    """A case with bottoms x0, x1, … and tops y0, y1, …; the first `checked` bottoms (all, unless stated) get gradient.

    more: the layer's own parameters; fields: what else a Case has.
    """
    bottoms = {f"x{i}": array for i, array in enumerate(arrays)}
    ends = [f'bottom: "{b}"' for b in bottoms] + [f'top: "y{i}"' for i in range(tops)]
    text = f'layer {{ name: "layer" type: "{kind}" {" ".join(ends)} {more} }}'
    return Case(name, text, bottoms, differentiable=tuple(bottoms)[:checked], **fields)


def collect() -> list[Case]:
    """The CASES of every module in this folder."""
    modules = [importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__)]
    return [case for module in modules for case in module.CASES]


def values(*shape: int, seed: int = 0, low: float = -1.0, high: float = 1.0) -> np.ndarray:
    """Uniform float64 values, the same for the same arguments, no two equal in practice."""
    return np.random.default_rng([seed, *shape]).uniform(low, high, shape)
