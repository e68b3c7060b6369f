"""The CRF on folders of score maps and images, one after another, and on images that are larger than the memory."""

from .outputs import FORMATS
from .refiner import Refiner, Task
from .run import RECORD, Failure, RefineSummary, batch_tasks, refine_batch
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
