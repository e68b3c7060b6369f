"""Three-way merges of nets and solvers by meaning: an edit by hand, and what the generator changed under it."""

from typing import TYPE_CHECKING

from ...lazy import import_on_use

if TYPE_CHECKING:
    from .documents import merge_documents
    from .marks import conflict_marks
    from .misfits import findings, misfits
    from .outcome import MergeChange, MergeResult

__all__ = ["MergeChange", "MergeResult", "conflict_marks", "findings", "merge_documents", "misfits"]

import_on_use(__name__)
