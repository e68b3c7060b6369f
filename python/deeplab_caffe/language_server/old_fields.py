"""Fields of the older dialects: `deeplab prototxt upgrade` writes others in their place."""

from __future__ import annotations

from ..formats import schema
from ..inspection.lint.net_file import FORMER

_LAYER = schema.LayerParameter.DESCRIPTOR
_TODAY = frozenset(_LAYER.fields_by_name)
#: what data layers stated of their images, before there was transform_param
_TRANSFORMATION = ("scale", "mean_file", "crop_size", "mirror")
_DATA = ("DataParameter", "ImageDataParameter", "WindowDataParameter")
_OLD = {
    ("NetParameter", "layers"),
    ("NetParameter", "input"),
    ("NetParameter", "input_dim"),
    ("NetParameter", "input_shape"),
    ("SolverParameter", "solver_type"),
    *((_LAYER.fields_by_name[param].message_type.name, name) for param, name in FORMER),
    *((message, name) for message in _DATA for name in _TRANSFORMATION),
}


def is_old(message: str, field: str) -> bool:
    """Whether a field of a message is of an older dialect.

    Example:
        >>> is_old("V1LayerParameter", "blobs_lr"), is_old("V1LayerParameter", "name")
        (True, False)
    """
    if message in ("V1LayerParameter", "V0LayerParameter"):
        return field not in _TODAY
    return (message, field) in _OLD
