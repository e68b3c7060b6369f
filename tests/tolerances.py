"""How far two float32 computations of the same numbers may lie apart on any processor, and assertions that allow it.

A float32 has 24 bits, so one operation is right to EPS / 2 of its result. The order in which a sum is taken, the number
of lanes and whether products are rounded before they are added depend on the processor, the libraries and the number of
threads. Two orders of a sum of n terms differ by about √n · EPS / 2 of the terms' sizes: 16 · EPS = 2e-6 for a thousand
terms. From that follow the kinds of comparison in this suite:

- Exact: copies, labels, indices, counts, round trips, resumed runs, small whole numbers and their halves:
  `np.testing.assert_array_equal` or `==`.
- A value worked by hand: a few operations without a long sum are right to 8 · EPS = 1e-6, which is what `pytest.approx`
  allows, or `rtol=1e-6`; to 1e-5 with exp, log, pow or a difference of close numbers.
- A number in a log, which has six digits: one unit of the sixth, for either number may lie at the border between two,
  and the rounding of a sum: `printed`, `same_line`, `assert_same_lines`.
- A tensor, against the one that a C++ Caffe was recorded to compute or that another program of ours computes: 1e-5 of
  its largest value, which is five sums, one into the other. The largest value stands for the sizes of the terms; an
  element may be much smaller where they cancel: `tolerance`, `assert_same_sums`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np
import pytest

EPS = 2.0**-23
#: how far two orders of a sum of about a thousand terms differ, as a share of the terms' sizes
SUM = 16 * EPS
#: the same for a tensor behind several such sums, as a share of its largest value
TENSOR = 1e-5
#: for a tensor that is zero but for rounding: what sums of values near 1 leave where they cancel
TINY = 1e-6

_DIGITS = 6  # of a number that C++ prints
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[-+]\d+)?")


# -- numbers in a log


def printed(number: str):
    """What equals a float that may be printed as `number`: `assert float("1.83121") == printed("1.83122")`."""
    value = float(number)
    unit = 10.0 ** (math.floor(math.log10(abs(value))) - _DIGITS + 1) if value else 0.0
    return pytest.approx(value, rel=0, abs=1.001 * unit + SUM * abs(value))  # 1.001: the unit has no exact double


def same_line(ours: str, theirs: str) -> bool:
    """Whether two lines of a log say the same: the same words and whole numbers, other numbers as `printed`."""
    if _NUMBER.sub("#", ours) != _NUMBER.sub("#", theirs):
        return False
    return all(map(_same_number, _NUMBER.findall(ours), _NUMBER.findall(theirs)))


def _same_number(ours: str, theirs: str) -> bool:
    return ours == theirs or (not (_is_whole(ours) and _is_whole(theirs)) and float(ours) == printed(theirs))


def _is_whole(number: str) -> bool:
    return number.lstrip("-").isdigit()


def assert_same_lines(ours: Sequence[str], theirs: Sequence[str]) -> None:
    """Two logs, line by line, as `same_line`."""
    assert len(ours) == len(theirs)
    for mine, expected in zip(ours, theirs, strict=True):
        assert same_line(mine, expected), f"expected {expected!r}, got {mine!r}"


# -- tensors


def tolerance(expected: np.ndarray, share: float = TENSOR, tiny: float = TINY) -> float:
    """The largest absolute difference that is allowed to a tensor."""
    return share * float(np.abs(expected).max(initial=0)) + tiny


def assert_same_sums(
    found: np.ndarray, expected: np.ndarray, what: str = "", *, share: float = TENSOR, tiny: float = TINY
) -> None:
    """Two tensors of one shape that agree but for the order of sums.

    Args:
        what: what is compared, for the message.
        share: of the largest value; another than TENSOR with a word why.
        tiny: what is allowed besides; less where all values are small, as gradients of a mean are.
    """
    assert np.shape(found) == np.shape(expected), what
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance(expected, share, tiny), err_msg=what)
