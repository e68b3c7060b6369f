"""Builders of published data sets: find or fetch the files, convert the labels, write the lists, check the counts.

A builder is a module with a row `BUILDER` (see `request.Builder`), which `table` lists. `pieces` finds, fetches and
unpacks what it is made from; `written` writes label files and lists.
"""

from typing import TYPE_CHECKING

from ...lazy import import_on_use

if TYPE_CHECKING:
    from .request import Builder, Built, Option, Request
    from .table import BUILDERS, build_dataset, find_builder

__all__ = ["BUILDERS", "Builder", "Built", "Option", "Request", "build_dataset", "find_builder"]

import_on_use(__name__)
