"""The grid of CRF parameters: ranges as the paper writes them, a coarse round and a finer one around its best."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ...errors import InputError
from ..params import CRFParameters

Range = str | Sequence[float] | float


class Setting(NamedTuple):
    """One point of the grid: the three parameters of the bilateral term that are searched."""

    w1: float
    sigma_alpha: float
    sigma_beta: float


def parse_range(values: Range) -> tuple[float, ...]:
    """The values of a range in MATLAB's form, "start:stop" (step 1) or "start:step:stop", with stop included.

    A list with commas, a number and a sequence are ranges too. Raises InputError for text that is not a range, for a
    step of 0 and for a range without values.

    Example:
        >>> parse_range("30:10:60")
        (30.0, 40.0, 50.0, 60.0)
    """
    if not isinstance(values, str):
        numbers = [values] if isinstance(values, int | float) else list(values)
        return tuple(_finite(number, str(values)) for number in numbers)
    if ":" not in values:
        return tuple(_finite(part, values) for part in values.split(",") if part.strip())
    parts = [_finite(part, values) for part in values.split(":")]
    if len(parts) not in (2, 3):
        raise InputError(f"CRF search: range {values!r}: wanted start:stop or start:step:stop")
    start, step, stop = parts if len(parts) == 3 else (parts[0], 1.0, parts[1])
    if step == 0 or (stop - start) / step < 0:
        raise InputError(f"CRF search: range {values!r} has no values; wanted start:step:stop, as in 30:10:100")
    count = math.floor((stop - start) / step + 1e-9) + 1
    return tuple(round(start + i * step, 9) for i in range(count))


def _finite(value, text: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"CRF search: {value!r} in range {text!r} is not a number")
    return number


@dataclass(frozen=True)
class SearchSpace:
    """The ranges to search and the fixed parameters; the defaults are those of DeepLab v2, section 4.1.1.

    The coarse round scores every combination of `w1`, `sigma_alpha` and `sigma_beta` (128 with the defaults).
    The fine round scores every combination of the best plus the offsets `fine_*`: with the defaults sigma_alpha
    within 8 pixels in steps of 2, which fills the gap to the next coarse values, and w1 and sigma_beta half a step
    to either side (81 in all, the best among them). Values of 0 or less are omitted; an empty range of offsets keeps
    the parameter at its best value. The paper says that the steps are refined, but not how: this rule is our own.
    Raises InputError for ranges that are empty or contain values of 0 or less.
    """

    w1: Range = "3:6"
    sigma_alpha: Range = "30:10:100"
    sigma_beta: Range = "3:6"
    fine_w1: Range = "-0.5:0.5:0.5"
    fine_sigma_alpha: Range = "-8:2:8"
    fine_sigma_beta: Range = "-0.5:0.5:0.5"
    w2: float = 3.0
    sigma_gamma: float = 3.0
    iterations: int = 10
    normalization: str = "after"

    def __post_init__(self) -> None:
        for name in Setting._fields:
            values = parse_range(getattr(self, name))
            if not values or min(values) <= 0:
                raise InputError(f"CRF search: {name} is {getattr(self, name)!r}, wanted one or more values above 0")
            object.__setattr__(self, name, tuple(sorted(set(values))))
            object.__setattr__(self, f"fine_{name}", tuple(sorted({0.0, *parse_range(getattr(self, f"fine_{name}"))})))
        self.parameters(self.coarse()[0])

    def coarse(self) -> list[Setting]:
        """The settings of the first round."""
        return _grid(*(parse_range(getattr(self, name)) for name in Setting._fields))

    def fine(self, best: Setting) -> list[Setting]:
        """The settings of the second round, around the first round's best."""
        axes = []
        for name, value in zip(Setting._fields, best, strict=True):
            values = (round(value + offset, 9) for offset in parse_range(getattr(self, f"fine_{name}")))
            axes.append(tuple(number for number in values if number > 0))
        return _grid(*axes)

    def around(self, best: Setting, tried: Iterable[Setting]) -> list[Setting]:
        """The settings one step of the ranges to every side of the best, beyond their ends too: at most 27.

        Beyond an end the last step of the range is repeated, as far as `WIDEST`; where the smallest value is no larger
        than the step it is halved. A parameter that has one value keeps it.

        Args:
            best: a setting of the coarse grid, or of an earlier call.
            tried: the settings so far, whose values are those that the sides are taken from.
        """
        values = {name: sorted({getattr(setting, name) for setting in tried}) for name in Setting._fields}
        return _grid(*(_beside(name, values[name], getattr(best, name)) for name in Setting._fields))

    def parameters(self, setting: Setting) -> CRFParameters:
        """All CRF parameters at one point of the grid."""
        return CRFParameters(*setting, self.w2, self.sigma_gamma, self.iterations, self.normalization)


#: the smallest and the largest value that a search goes to by itself
WIDEST = {"w1": (0.25, 40.0), "sigma_alpha": (2.0, 300.0), "sigma_beta": (1.0, 40.0)}


def _beside(name: str, values: Sequence[float], best: float) -> tuple[float, ...]:
    """The best value of a parameter with those before and after it, of which one may be new."""
    place = values.index(best)
    found = list(values[max(0, place - 1) : place + 2])
    if len(values) > 1:
        low, high = WIDEST[name]
        if best == values[0]:
            below = best - (values[1] - best)
            found.append(round(below if below > 0 else best / 2, 9))
        if best == values[-1]:
            found.append(round(best + (best - values[-2]), 9))
        found = [value for value in found if value in values or low <= value <= high]
    return tuple(sorted(found))


def within_bounds(setting: Setting) -> bool:
    """Whether a search may go to a setting by itself."""
    return all(low <= value <= high for value, (low, high) in zip(setting, WIDEST.values(), strict=True))


#: the coarse ranges of the papers: DeepLab v1, section 5.1, and DeepLab v2, section 4.1.1
PAPERS = {
    "v1": {"w1": "5,10", "sigma_alpha": "50:10:100", "sigma_beta": "3:10"},
    "v2": {"w1": "3:6", "sigma_alpha": "30:10:100", "sigma_beta": "3:6"},
}


def _grid(w1: Sequence[float], sigma_alpha: Sequence[float], sigma_beta: Sequence[float]) -> list[Setting]:
    return [Setting(w, alpha, beta) for alpha in sigma_alpha for beta in sigma_beta for w in w1]
