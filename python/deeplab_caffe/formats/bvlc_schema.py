"""What BVLC's Caffe 1.0 knows, and what of ours it lacks: layer types, and fields of caffe.proto."""

from __future__ import annotations

from collections.abc import Mapping

from .layer_facts import LAYER_FACTS, params_beyond_bvlc, types_where

#: the package of Python layers
MODULE = "deeplab_layers"

#: the layer types of BVLC's Caffe 1.0
BVLC_TYPES = types_where(lambda row: row.is_bvlc)

#: the types that become Python layers of the same name, and the messages that hold their parameters
PYTHON_TYPES: Mapping[str, tuple[str, ...]] = {
    name: row.params for name, row in LAYER_FACTS.items() if row.twin and not row.is_bvlc
}

#: the types that BVLC's Caffe lacks and no Python layer replaces
REFUSED_TYPES = frozenset(LAYER_FACTS) - BVLC_TYPES - set(PYTHON_TYPES)

#: fields of our schema that BVLC's caffe.proto lacks, message by message
LACKING: Mapping[str, frozenset[str]] = {
    "LayerParameter": params_beyond_bvlc(lambda row: True) | {"strict_dim"},
    "BatchNormParameter": frozenset({"update_global_stats"}),
    "ConvolutionParameter": frozenset({"hole", "hole_h", "hole_w"}),
    "ImageDataParameter": frozenset({"apply_exif", "has_label", "ignore_label", "label_type", "max_labels"}),
    "TransformationParameter": frozenset(
        {"crop_height", "crop_width", "scale_factors", "crop_h", "crop_w", "distort_param", "emit_constraint"}
        | {"expand_param", "noise_param", "resize_param"}
    ),
}
