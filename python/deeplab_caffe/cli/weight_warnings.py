"""A word about weights that are no numbers, on standard error."""

from __future__ import annotations

import sys

from ..formats.weight_files import WeightFile
from ..porting.summary import summarise


def print_weight_warnings(file: WeightFile) -> None:
    """Name each blob with NaN or infinite values."""
    for warning in summarise(file).warnings:
        print(f"{file.path}: warning: {warning}", file=sys.stderr)
