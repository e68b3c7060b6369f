"""What a score map contains, decided by its values: scores, probabilities, log-probabilities or labels."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError

Kind = Literal["auto", "net", "scores", "logits", "probabilities", "log-probabilities", "sigmoid", "labels"]

#: what a user can state, and its meaning
KINDS: dict[Kind, str] = {
    "auto": "decide by the values of each map",
    "scores": "the net's output before the softmax",
    "probabilities": "sum to 1 at each pixel",
    "logits": "scores; one channel is that of class 1 of two, before the sigmoid",
    "sigmoid": "an independent probability of each class; one channel is that of class 1 of two",
    "labels": "class indices, a mask or one-hot maps, right with probability --confidence",
}
_TOLERANCE = 5e-3  # of a sum of probabilities: float16 of many classes
_LOOKED_AT = 1 << 20  # pixels
_MOST_LABELS = 256


def kind_of(values: NDArray[Any], path: str | os.PathLike[str], kind: Kind = "auto") -> Kind:
    """What a score map contains; in large maps every n-th row is checked.

    Args:
        values: (C, h, w).
        path: the file that they come from, for messages.
        kind: the answer, unless "auto"; "net" for the output of a net, which may end in a softmax: probabilities, or
            scores if they are anything else.

    Raises:
        InputError: the values fit none of the kinds, or have one channel where `kind` needs one for each class.

    Example:
        >>> kind_of(np.array([[[0.25, 0.9]], [[0.75, 0.1]]]), "a.npy")
        'probabilities'
    """
    if kind == "net":
        return _kind_of_net(values)
    if kind != "auto":
        if len(values) == 1 and kind in ("scores", "probabilities", "log-probabilities"):
            raise InputError(f"{os.fspath(path)}: has one channel, expected {kind} of at least two classes; {_ONE}")
        return kind
    look = _looked_at(values)
    found, reason = next((kind, reason) for fits, kind, reason in _CONTENTS if fits(look))
    if found is not None:
        return found
    raise InputError(f"{os.fspath(path)}: {reason.format(look=look)}")


def _kind_of_net(values: NDArray[Any]) -> Kind:
    look = _looked_at(values)
    return "probabilities" if look.channels > 1 and look.from_0_to_1 and _sums_to_1(look.values) else "scores"


def _looked_at(values: NDArray[Any]) -> _Look:
    return _Look(np.asarray(values[:, :: max(1, values[0].size // _LOOKED_AT)]))


class _Look:
    """Statistics of (C, h, w) values, or of some rows of them."""

    def __init__(self, values: NDArray[Any]) -> None:
        self.integers = values.dtype.kind in "bui"
        self.values = values.astype(np.float32)

    @cached_property
    def low(self) -> float:
        return float(self.values.min())

    @cached_property
    def high(self) -> float:
        return float(self.values.max())

    @cached_property
    def total(self) -> NDArray[np.float32]:
        return np.asarray(self.values.sum(axis=0))

    @property
    def sums(self) -> str:
        low, high = f"{self.total.min():.4g}", f"{self.total.max():.4g}"
        return low if low == high else f"{low} to {high}"

    @property
    def channels(self) -> int:
        return len(self.values)

    @property
    def finite(self) -> bool:
        return bool(np.isfinite(self.total).all())

    @property
    def whole(self) -> bool:
        return self.integers or bool((self.values == np.rint(self.values)).all())

    @property
    def from_0_to_1(self) -> bool:
        return self.low >= -_TOLERANCE and self.high <= 1 + _TOLERANCE


def _sums_to_1(values: NDArray[np.float32], axis: int = 0) -> bool:
    return bool(np.abs(values.sum(axis=axis) - 1).max() <= _TOLERANCE)


def _is_labels(look: _Look) -> bool:
    return look.channels == 1 and look.whole and look.low >= 0 and look.high < _MOST_LABELS


def _is_one_hot(look: _Look) -> bool:
    return look.from_0_to_1 and look.whole and _sums_to_1(look.values)


def _is_constant_sum(look: _Look) -> bool:
    mean = float(look.total.mean())
    return look.low >= 0 and mean > 1.5 and float(np.ptp(look.total)) <= max(0.01 * mean, look.integers * look.channels)


_ONE = (
    "if it is the probability of class 1 of two, state --kind sigmoid (--kind logits: its value before the sigmoid); "
    "if it has class indices, --kind labels"
)
_STATE = "if they are what the net computes before the softmax, state --kind scores"

#: in this order: what fits, the kind (None: none of them), and why it is refused
_CONTENTS: tuple[tuple[Callable[[_Look], bool], Kind | None, str], ...] = (
    (_is_labels, "labels", ""),
    (lambda look: look.channels == 1, None, f"has one channel, expected one for each class; {_ONE}"),
    (lambda look: not look.finite, "scores", ""),  # the CRF names the pixel
    (lambda look: look.low == look.high == 0, "scores", ""),  # of a net that is not trained
    (_is_one_hot, "labels", ""),
    (lambda look: look.from_0_to_1 and _sums_to_1(look.values), "probabilities", ""),
    (lambda look: look.high <= 1e-6 and _sums_to_1(np.exp(look.values)), "log-probabilities", ""),
    (
        lambda look: look.low >= -1e-6 and _sums_to_1(np.exp(-look.values)),
        None,
        f"contains energies, -log probability; save their negative (log-probabilities), or {_STATE}",
    ),
    (
        lambda look: look.from_0_to_1 and _sums_to_1(look.values, axis=-1),
        None,
        "contains probabilities with the classes in the last axis, (height, width, classes); expected (classes, "
        "height, width): transpose it",
    ),
    (
        lambda look: look.from_0_to_1,
        None,
        "values from {look.low:.4g} to {look.high:.4g} that sum to {look.sums} at a pixel are not probabilities, which "
        f"sum to 1; if each class has its own probability (sigmoid), state --kind sigmoid; {_STATE}",
    ),
    (
        _is_constant_sum,
        None,
        "values of 0 and more that sum to {look.sums} at each pixel look like probabilities times a constant; divide "
        f"them by it; {_STATE}",
    ),
    (
        lambda look: look.integers,
        None,
        "whole numbers from {look.low:g} to {look.high:g} in {look.channels} channels fit none of scores, "
        f"probabilities, labels; {_STATE}",
    ),
    (lambda look: True, "scores", ""),
)
