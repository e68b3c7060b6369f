"""What a net is: its shapes, receptive fields, cost, differences and a picture of it, without running it.

Names are imported on first use, because comparing nets needs no engine.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .analysis import Analysis, analyse
    from .diff import PrototxtDifference, diff_documents
    from .receptive_fields import ReceptiveField, field_of_view, infer_receptive_fields
    from .shapes import LayerShapes, NetShapes, infer_shapes

__all__ = [
    "Analysis", "LayerShapes", "NetShapes", "PrototxtDifference", "ReceptiveField", "analyse", "diff_documents",
    "field_of_view", "infer_receptive_fields", "infer_shapes",
]  # fmt: skip

_HOMES = {
    "analysis": ("Analysis", "analyse"),
    "diff": ("PrototxtDifference", "diff_documents"),
    "receptive_fields": ("ReceptiveField", "field_of_view", "infer_receptive_fields"),
    "shapes": ("LayerShapes", "NetShapes", "infer_shapes"),
}


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f".{module}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
