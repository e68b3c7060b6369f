"""What a net is: its shapes, receptive fields, cost, differences and a picture of it, without running it."""

from typing import TYPE_CHECKING

from ..lazy import import_on_use

if TYPE_CHECKING:
    from .analysis import Analysis, analyse, as_json
    from .analysis_text import as_text
    from .diff import PrototxtDifference, diff_documents
    from .merge.documents import merge_documents
    from .merge.outcome import MergeChange, MergeResult
    from .receptive_fields import ReceptiveField, field_of_view, infer_receptive_fields
    from .shapes import LayerShapes, NetShapes, infer_shapes

__all__ = [
    "Analysis", "LayerShapes", "MergeChange", "MergeResult", "NetShapes", "PrototxtDifference", "ReceptiveField",
    "analyse", "as_json", "as_text", "diff_documents", "field_of_view", "infer_receptive_fields", "infer_shapes",
    "merge_documents",
]  # fmt: skip

import_on_use(__name__)
