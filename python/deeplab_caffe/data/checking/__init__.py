"""What is wrong with a data set: one line of a list at a time, or all of it, with numbers, tables and files."""

from typing import TYPE_CHECKING

from ...lazy import import_on_use

if TYPE_CHECKING:
    from .count import count_labels
    from .dataset_check import DatasetCheck, ListCheck, check_dataset
    from .kinds import ERROR, KINDS, NOTE, WARNING, Kind
    from .pairs import Fault, Seen, look, value_fault
    from .summary import check_lines, write_check

__all__ = [
    "ERROR",
    "KINDS",
    "NOTE",
    "WARNING",
    "DatasetCheck",
    "Fault",
    "Kind",
    "ListCheck",
    "Seen",
    "check_dataset",
    "check_lines",
    "count_labels",
    "look",
    "value_fault",
    "write_check",
]

import_on_use(__name__)
