"""Layers of detectors that look at regions of a map.

Mirrors `roi_pooling_layer.cpp` of Fast R-CNN, `proposal_layer.py` of Faster R-CNN, `psroi_pooling_layer.cu` of R-FCN,
RoIAlign of Mask R-CNN, and `roi_align_layer.cpp` of Cascade R-CNN.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from ...arrays import Shape
from ...formats import schema
from ..blob import Blob
from .base import TensorLayer, register
from .box_functions import proposals
from .gradientless import SilentLayer
from .label_check import check_indices
from .reach import Reaches, WholeReach, plane
from .region_functions import psroi_pool, roi_align, roi_grid, roi_pool


@register("Proposal")
class Proposal(SilentLayer):
    """What a region proposal network proposes: (R, 5), item, x1, y1, x2, y2 in pixels; a second top has scores (R, 1).

    Bottoms: probabilities (N, 2 · A, H, W), those of objects behind; offsets (N, 4 · A, H, W); im_info (N or 1, 3):
    height, width and scale of the image. Boxes are cut to the image, those smaller than min_size · scale left out, the
    best pre_nms_topn suppressed at nms_thresh, post_nms_topn of them kept. A side has 1 pixel more than the difference
    of its ends. In TRAIN 12000 and 2000 are the counts that are not stated. Before the first pass R is 1.
    """

    bottoms = (3, 3)
    tops = (1, 2)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.param.proposal_param
        if p.feat_stride < 1 or p.base_size < 1 or not all(v > 0 for v in (*p.ratio, *p.scale)):
            self.fail("feat_stride, base_size, ratio and scale must be positive")
        train = self.phase == schema.TRAIN
        self.before = 12000 if train and not p.HasField("pre_nms_topn") else p.pre_nms_topn
        self.after = 2000 if train and not p.HasField("post_nms_topn") else p.post_nms_topn
        self.anchors = anchors(p.base_size, list(p.ratio) or [0.5, 1, 2], list(p.scale) or [8, 16, 32])
        self.rows = 1

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        scores, offsets, info = bottoms
        count = len(self.anchors)
        if len(scores) != 4 or scores[1] != 2 * count or offsets != (scores[0], 4 * count, *scores[2:]):
            self.fail(
                f"scores {scores} and offsets {offsets} for {count} anchors at each position; wanted "
                f"(N, {2 * count}, H, W) and (N, {4 * count}, H, W)"
            )
        if len(info) < 1 or math.prod(info) not in (3, 3 * scores[0]):
            self.fail(f"im_info {info}, wanted (1, 3) or ({scores[0]}, 3): height, width and scale of the image")
        shapes: list[Shape] = [(self.rows, 5), (self.rows, 1)]
        return shapes[: max(1, len(self.param.top))]

    def shapes_without_data(
        self, bottoms: Sequence[Shape], tops: int, image: tuple[int, int] | None
    ) -> list[Shape] | None:
        """As many regions as there may be, so that the costs of what follows are those of a real image."""
        Proposal.setup(self, [], [])
        self.rows = (self.after or math.prod(bottoms[0][2:]) * len(self.anchors)) * bottoms[0][0]
        return self.top_shapes(*bottoms)

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        p = self.param.proposal_param
        scores, offsets, info = (b.detach() for b in bottoms)
        info = info.reshape(-1, 3)
        found = proposals(
            scores, offsets, info, self.anchors, p.feat_stride, p.min_size, self.before, self.after, p.nms_thresh
        )
        self.rows = len(found[0])
        return list(found)[: max(1, len(self.param.top))]


def anchors(base: int, ratios: Sequence[float], scales: Sequence[float]) -> list[list[float]]:
    """The boxes at position 0, for each ratio (height to width) all scales, as Faster R-CNN's program makes them.

    Example:
        >>> anchors(16, [0.5], [8])
        [[-84.0, -40.0, 99.0, 55.0]]
    """
    centre, boxes = (base - 1) / 2, []
    for ratio in ratios:
        width = round(math.sqrt(base * base / ratio))
        height = round(width * ratio)
        for scale in scales:
            x, y = (width * scale - 1) / 2, (height * scale - 1) / 2
            boxes.append([centre - x, centre - y, centre + x, centre + y])
    return boxes


class _RegionLayer(TensorLayer):
    """Bottoms: a map (N, C, H, W) and regions (R, 5) of it: item, x1, y1, x2, y2 in pixels of the image."""

    bottoms = (2, 2)
    no_gradient = (1,)

    def check_regions(self, shape: Shape, regions: Shape) -> None:
        if len(shape) != 4 or regions[1:] not in ((5,), (5, 1, 1)):
            self.fail(f"map {shape} and regions {regions}; wanted (N, C, H, W) and (R, 5)")

    def bins(self, p: Any) -> tuple[int, int]:
        if min(p.pooled_h, p.pooled_w) < 1:
            self.fail(f"pooled_h {p.pooled_h} and pooled_w {p.pooled_w} must be positive")
        return p.pooled_h, p.pooled_w

    def window_reach(self, top: int, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Reaches | None:
        height, width = plane(bottoms[0])
        return WholeReach(height), WholeReach(width)

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        regions = bottoms[1].detach().flatten(1)
        items = bottoms[0].shape[0]
        item = regions[:, 0].floor().to(torch.int64)
        index = check_indices(
            self, item, items, lambda _, least, most: f"regions name items {least} to {most} of {items}"
        )
        if index is not item:
            regions = torch.cat([index[:, None].to(regions.dtype), regions[:, 1:]], 1)
        return [self.pool(bottoms[0], regions)]

    def pool(self, x: torch.Tensor, regions: torch.Tensor) -> torch.Tensor:
        """(R, C, bins, bins)."""
        raise NotImplementedError(f"{type(self).__name__}.pool")


@register("ROIPooling")
class ROIPooling(_RegionLayer):
    """The maxima of a map in pooled_h × pooled_w bins of each region: (R, C, pooled_h, pooled_w).

    The ends of a region, times spatial_scale, are rounded (halves away from 0) and belong to it. Bins overlap where the
    size does not divide; an empty one is 0. The gradient goes to the first of equal maxima. With pad_ratio (MS-CNN) a
    region is longer at each end by that part of its size.
    """

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.bins(self.param.roi_pooling_param)

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        self.check_regions(*bottoms)
        return [(bottoms[1][0], bottoms[0][1], *self.bins(self.param.roi_pooling_param))]

    def pool(self, x: torch.Tensor, regions: torch.Tensor) -> torch.Tensor:
        p = self.param.roi_pooling_param
        return roi_pool(x, regions, self.bins(p), p.spatial_scale, p.pad_ratio)


@register("PSROIPooling")
class PSROIPooling(_RegionLayer):
    """Averages of position-sensitive maps (N, output_dim · k², H, W) in k × k bins: (R, output_dim, k, k).

    k is group_size. Bin (i, j) of output d reads map (d · k + i) · k + j. The ends of a region are rounded to whole
    pixels of the image before they are scaled, the far ones lie behind their pixel; a side has at least 0.1 positions.
    An empty bin is 0.
    """

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.param.psroi_pooling_param
        if p.output_dim < 1 or p.group_size < 1:
            self.fail(f"output_dim {p.output_dim} and group_size {p.group_size} must be positive")

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        self.check_regions(*bottoms)
        p = self.param.psroi_pooling_param
        if bottoms[0][1] != p.output_dim * p.group_size**2:
            self.fail(
                f"map {bottoms[0]} has {bottoms[0][1]} channels; output_dim {p.output_dim} and group_size "
                f"{p.group_size} want {p.output_dim * p.group_size**2}"
            )
        return [(bottoms[1][0], p.output_dim, p.group_size, p.group_size)]

    def pool(self, x: torch.Tensor, regions: torch.Tensor) -> torch.Tensor:
        p = self.param.psroi_pooling_param
        return psroi_pool(x, regions, p.output_dim, p.group_size, p.spatial_scale)


@register("ROIAlign")
class ROIAlign(_RegionLayer):
    """Averages of bilinear samples in pooled_h × pooled_w bins of each region: (R, C, pooled_h, pooled_w).

    Nothing is rounded. A bin has sampling_ratio² samples, or without it as many as it has positions, rounded up.
    A region has a size of 1 position at least. He et al., Mask R-CNN, ICCV 2017; the samples are those of Detectron.

    With a roi_pooling_param it is the layer of Cascade R-CNN's Caffe: the samples at the corners of the bins,
    (R, C, pooled_h + 1, pooled_w + 1), of regions that are longer at each end by pad_ratio of their size. There an
    average of 2 × 2 of them follows.
    """

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if self.has_corners and self.param.HasField("roi_align_param"):
            self.fail("states roi_align_param (Mask R-CNN) and roi_pooling_param (Cascade R-CNN), wanted one of them")
        self.bins(self.stated)

    @property
    def has_corners(self) -> bool:
        """Whether it is the layer of Cascade R-CNN."""
        return bool(self.param.HasField("roi_pooling_param"))

    @property
    def stated(self) -> Any:
        """Its own message."""
        return self.param.roi_pooling_param if self.has_corners else self.param.roi_align_param

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        self.check_regions(*bottoms)
        height, width = (n + self.has_corners for n in self.bins(self.stated))
        return [(bottoms[1][0], bottoms[0][1], height, width)]

    def pool(self, x: torch.Tensor, regions: torch.Tensor) -> torch.Tensor:
        p = self.stated
        if self.has_corners:
            return roi_grid(x, regions, self.bins(p), p.spatial_scale, p.pad_ratio)
        return roi_align(x, regions, self.bins(p), p.spatial_scale, max(p.sampling_ratio, 0))
