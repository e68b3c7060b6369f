"""The CRF on folders of score maps and images, and on images that are larger than the memory."""

from .outputs import FORMATS
from .refine_folder import RECORD, Failure, RefineSummary, batch_tasks, refine_batch
from .refiner import Refiner, Task
from .tiles import DEFAULT_OVERLAP, DEFAULT_TILE

__all__ = [
    "DEFAULT_OVERLAP",
    "DEFAULT_TILE",
    "FORMATS",
    "RECORD",
    "Failure",
    "RefineSummary",
    "Refiner",
    "Task",
    "batch_tasks",
    "refine_batch",
]
