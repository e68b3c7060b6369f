"""The CRF on folders of score maps and images, and on images that are larger than the memory."""

from typing import TYPE_CHECKING

from ...lazy import import_on_use

if TYPE_CHECKING:
    from .outputs import FORMATS
    from .refine_folder import RECORD, Failure, RefineSummary, batch_tasks, described_kinds, refine_batch
    from .refiner import Refiner, Task
    from .regions import MapReading
    from .tiles import DEFAULT_OVERLAP, DEFAULT_TILE

__all__ = [
    "DEFAULT_OVERLAP",
    "DEFAULT_TILE",
    "FORMATS",
    "RECORD",
    "Failure",
    "MapReading",
    "RefineSummary",
    "Refiner",
    "Task",
    "batch_tasks",
    "described_kinds",
    "refine_batch",
]

import_on_use(__name__)
