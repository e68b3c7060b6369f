"""Warnings about weights with NaN or infinite values."""

from __future__ import annotations

import sys

from ..porting.summary import Summary


def print_weight_warnings(summary: Summary) -> None:
    """Print to stderr one line for each blob with NaN or infinite values."""
    for warning in summary.warnings:
        print(f"{summary.path}: warning: {warning}", file=sys.stderr)
