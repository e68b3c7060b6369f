"""Finds mistakes in nets and solvers before they are trained."""

from typing import TYPE_CHECKING

from ...lazy import import_on_use

if TYPE_CHECKING:
    from .findings import RULES, Finding, chosen
    from .linter import Linter, fix_file
    from .output import FORMATS, as_text, rule_table, summary

__all__ = ["FORMATS", "RULES", "Finding", "Linter", "as_text", "chosen", "fix_file", "rule_table", "summary"]

import_on_use(__name__)
