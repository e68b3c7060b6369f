"""Watching a training: progress, tables, TensorBoard, tests on held-out images. Nothing here changes its numbers."""

from .tables import table_files
from .validation import validation
from .watchers import watcher

__all__ = ["table_files", "validation", "watcher"]
