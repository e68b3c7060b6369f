"""Watching a training: progress, tables, TensorBoard, tests on held-out images. Nothing here changes its numbers."""

from .validation import validation
from .watchers import watcher

__all__ = ["validation", "watcher"]
