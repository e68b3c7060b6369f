"""Watching a training: progress, tables, TensorBoard, tests on held-out images. Nothing here changes its numbers."""

from typing import TYPE_CHECKING

from ...lazy import import_on_use

if TYPE_CHECKING:
    from .validation import validation
    from .watchers import watcher

__all__ = ["validation", "watcher"]

import_on_use(__name__)
