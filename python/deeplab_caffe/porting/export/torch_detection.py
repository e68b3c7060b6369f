"""Detectors' layer types in PyTorch: their functions are copied into the exported file."""

from __future__ import annotations

from typing import Any

from .graph import Node
from .torch_layers import Written, writes

_SUPPRESSION = ("overlaps", "suppression_thresholds", "kept_boxes", "best_candidates")
_ROI_POOL = ("widened", "rounded", "roi_spans", "range_maxima", "ordered_keys", "window_maxima", "roi_pool")


@writes("PriorBox")
def _prior_box(node: Node) -> Written:
    layer: Any = node.layer
    p = layer.param.prior_box_param
    image = repr(layer.image) if layer.image else "{1}.shape[2:]"
    given = f"{layer.sizes!r}, {layer.variances!r}, {layer.steps!r}, {p.offset:.9g}, {p.clip}"
    return Written(f"prior_boxes({given}, {{0}}, {image})", parts=("prior_boxes",))


@writes("DetectionOutput")
def _detection_output(node: Node) -> Written:
    layer: Any = node.layer
    p = layer.param.detection_output_param
    given = (
        f"{layer.classes}, {p.background_label_id}, {layer.code!r}, {p.variance_encoded_in_target}, {layer.least!r}, "
        f"{layer.top_k}, {p.nms_param.nms_threshold:.9g}, {p.nms_param.eta:.9g}, {p.keep_top_k}"
    )
    parts: tuple[str, ...] = (*_SUPPRESSION, "decoded_boxes", "detections")
    scores, refined = "{1}", ""
    if len(node.bottoms) > 3:
        scores = f"without_easy({{1}}, {{3}}, {layer.classes}, {p.objectness_score:.9g})"
        parts = ("without_easy", *parts)
    if len(node.bottoms) > 4:
        refined = ", {4}"
    return Written(f"detections({{0}}, {scores}, {{2}}, {given}{refined})", parts=parts)


@writes("Proposal")
def _proposal(node: Node) -> Written:
    layer: Any = node.layer
    p = layer.param.proposal_param
    given = f"{layer.anchors!r}, {p.feat_stride}, {p.min_size}, {layer.before}, {layer.after}, {p.nms_thresh:.9g}"
    first = "" if len(node.tops) > 1 else "[0]"
    return Written(f"proposals({{0}}, {{1}}, {{2}}, {given}){first}", parts=(*_SUPPRESSION, "proposals"))


def _regions(node: Node) -> str:
    """The regions (R, 5), which may have further axes of size 1."""
    return "{1}" if len(node.bottom_shapes[1]) == 2 else "{1}.flatten(1)"


@writes("ROIPooling")
def _roi_pooling(node: Node) -> Written:
    p = node.layer.param.roi_pooling_param
    pad = f", {p.pad_ratio:.9g}" if p.pad_ratio else ""
    call = f"roi_pool({{0}}, {_regions(node)}, ({p.pooled_h}, {p.pooled_w}), {p.spatial_scale:.9g}{pad})"
    return Written(call, parts=_ROI_POOL)


@writes("PSROIPooling")
def _psroi_pooling(node: Node) -> Written:
    p = node.layer.param.psroi_pooling_param
    call = f"psroi_pool({{0}}, {_regions(node)}, {p.output_dim}, {p.group_size}, {p.spatial_scale:.9g})"
    return Written(call, parts=("rounded", "psroi_pool"))


@writes("ROIAlign")
def _roi_align(node: Node) -> Written:
    layer: Any = node.layer
    p, shared = layer.stated, ("linear_weights", "weighted_windows")
    given = f"{{0}}, {_regions(node)}, {(p.pooled_h, p.pooled_w)!r}, {p.spatial_scale:.9g}"
    if layer.has_corners:
        return Written(f"roi_grid({given}, {p.pad_ratio:.9g})", parts=(*shared, "widened", "grid_weights", "roi_grid"))
    samples = max(p.sampling_ratio, 0)
    return Written(f"roi_align({given}, {samples})", parts=(*shared, "sampling_weights", "roi_align"))


@writes("Normalize")
def _normalize(node: Node) -> Written:
    p = node.layer.param.norm_param
    module = f"Normalize({node.blobs[0].shape!r}, across_spatial={p.across_spatial}, eps={p.eps:.9g})"
    return Written("{module}({0})", module, ("weight",), ("Normalize",))


@writes("Permute")
def _permute(node: Node) -> Written:
    return Written(f"{{0}}.permute({', '.join(map(str, node.layer.order))})")  # type: ignore[attr-defined]


@writes("ShuffleChannel")
def _shuffle_channel(node: Node) -> Written:
    group = node.layer.param.shuffle_channel_param.group
    return Written(f"{{0}}.unflatten(1, ({group}, -1)).transpose(1, 2).flatten(1, 2)")


@writes("Reorg")
def _reorg(node: Node) -> Written:
    p = node.layer.param.reorg_param
    return Written(f"reorganized({{0}}, {p.stride}, {p.reverse})", parts=("reorganized",))


@writes("Axpy")
def _axpy(node: Node) -> Written:
    factors = "{0}" if len(node.bottom_shapes[0]) == 4 else "{0}[:, :, None, None]"
    return Written(f"{factors} * {{1}} + {{2}}")
