"""What a net is: shapes, geometry, cost, differences and a picture of it, all without running it."""

from .geometry import Field, field_of_view, fields
from .shapes import LayerShapes, NetShapes, infer_shapes

__all__ = ["Field", "LayerShapes", "NetShapes", "field_of_view", "fields", "infer_shapes"]
