"""Scores as tables and JSON have them."""

from __future__ import annotations

from typing import Any


def percent(value: float, sign: str = "", missing: str = "-", digits: int = 2) -> str:
    """A fraction in percent.

    Args:
        value: the fraction, or NaN.
        sign: "+" to show the sign of a difference.
        missing: what stands for NaN.
        digits: after the point.

    Example:
        >>> percent(0.5), percent(0.0125, "+"), percent(float("nan"))
        ('50.00', '+1.25', '-')
    """
    return missing if value != value else f"{100 * value:{sign}.{digits}f}"


def none_if_nan(value: Any) -> Any:
    """NaN as None, which JSON has; anything else as it is."""
    return None if isinstance(value, float) and value != value else value
