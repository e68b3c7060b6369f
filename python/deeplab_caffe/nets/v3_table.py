"""The rows of DeepLab v3 (arXiv 1706.05587): how its nets are configured and trained in the paper's tables.

The nets of Tables 1 to 6 are trained in stage 1 and scored on val. Stage 2, with BatchNorm frozen and at output stride
8, is that of the test server. What is submitted there (Table 7) is a chain of models, each of which starts from the one
before: coco/v3_resnet101_aspp, voc12/v3_resnet101_aspp_coco, and voc12/v3_resnet101_aspp_coco_hard, whose only stage is
such a second one, on a list in which images of the classes that are hard stand twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from .input_sizes import SizeRule
from .solver_recipes import Recipe
from .v3 import MultiGrid, V3Config, v3
from .variant import Variant

_STAGE1 = Recipe(
    "poly",
    batch_size=16,
    iterations=30000,
    base_lr=0.007,
    weight_decay=0.0001,
    snapshot=5000,
    display=20,
    average_loss=20,
    scale_factors=(0.5, 0.75, 1, 1.25, 1.5, 1.75, 2),
)
_STAGE2 = replace(_STAGE1, base_lr=0.001, lists=("trainval",))
_CROPS = {"voc12": {"crop": (513, 513)}, "coco": {"crop": (513, 513)}}
_CITYSCAPES = {"cityscapes": {"crop": (769, 769), "iterations": 90000}}
_SOURCE = "DeepLab v3 (arXiv 1706.05587)"
_INITIAL = "ResNet-{} as trained on ImageNet"

#: learnt weights of conv1 to res5, by depth; of each further copy of res5, and of the scores
_TRUNK = {50: 23_508_032, 101: 42_500_160}
_COPY, _SCORES = 13_387_776, 2048 * 21 + 21
#: learnt weights of a 3x3 branch and of a 1x1 branch of the pyramid, and of the reduction, per branch
_BRANCH_3X3, _BRANCH_1X1, _REDUCTION = 256 * (9 * 2048 + 2), 256 * (2048 + 2), 256 * 256


def _parameters(config: V3Config) -> int:
    total = _TRUNK[config.depth] + _COPY * (config.blocks - 4)
    if not config.rates:
        return total + _SCORES
    points = 1 + config.image_pooling
    pyramid = points * _BRANCH_1X1 + len(config.rates) * _BRANCH_3X3
    return total + pyramid + (points + len(config.rates)) * _REDUCTION + 2 * 256 + 256 * 21 + 21


def _row(config: V3Config, table: int, **changes: Any) -> Variant:
    """The row of a net in one of the paper's tables, trained in stage 1 alone unless `changes` say otherwise."""
    grid = f", multi-grid {config.multi_grid}" if config.multi_grid != (1, 1, 1) else ""
    pooling = f", ASPP {config.rates}{' and image pooling' * config.image_pooling}" if config.rates else ""
    net = f"ResNet-{config.depth}, block{config.blocks}{grid}{pooling}"
    row = Variant(
        title=f"DeepLab v3, {net}, output stride {config.output_stride}",
        build=partial(v3, config=config),
        recipes=(_STAGE1,),
        source=f"{_SOURCE}, Table {table}",
        initial=_INITIAL.format(config.depth),
        parameters=_parameters(config),
        adapted=_CROPS,
        sizes=SizeRule(config.output_stride),
        reads=("stride_on", "test_output_stride"),
    )
    return replace(row, **changes)


def _cascades(depth: int, grids: Sequence[MultiGrid], table: int) -> dict[str, Variant]:
    """Rows `v3_resnet<depth>_block<b>[_mg<grid>]` for the paper's blocks 4 to 7."""
    rows = {}
    for grid in grids:
        suffix = f"_mg{''.join(map(str, grid))}" if grid != (1, 1, 1) else ""
        for blocks in range(4, 8):
            rows[f"v3_resnet{depth}_block{blocks}{suffix}"] = _row(V3Config(depth, blocks, grid), table)
    return rows


def _best(table: int, words: str, config: V3Config | None = None, **recipe: Any) -> Variant:
    """The row of the best net trained in another way. words: what differs; recipe: fields of stage 1 that do."""
    row = _row(config or _BEST, table, recipes=(replace(_STAGE1, **recipe),))
    crops: dict[str, Any] = {"adapted": {"voc12": {"crop": recipe["crop"]}}} if "crop" in recipe else {}
    return replace(row, title=f"{row.title}, {words}", **crops)


_BEST_CASCADE = V3Config(blocks=7, multi_grid=(1, 2, 1))
_PYRAMID = V3Config(rates=(6, 12, 18))
_BEST = replace(_PYRAMID, multi_grid=(1, 2, 4), image_pooling=True)
_BOTH_STAGES: dict[str, Any] = {"recipes": (_STAGE1, _STAGE2)}
_COCO: dict[str, Any] = {"initial": "the trained coco/v3_resnet101_aspp", "starts_from": "coco/v3_resnet101_aspp"}
_GRIDS: Sequence[MultiGrid] = ((1, 1, 1), (1, 2, 1), (1, 2, 3), (1, 2, 4), (2, 2, 2))

VARIANTS: dict[str, Variant] = {
    **{
        f"v3_resnet50_block7_os{stride}": _row(V3Config(50, 7, output_stride=stride), 1)
        for stride in (8, 32, 64, 128, 256)
    },
    **_cascades(50, _GRIDS[:1], 2),
    **_cascades(101, _GRIDS, 3),
    "v3_resnet101_block7_mg121": _row(_BEST_CASCADE, 4, **_BOTH_STAGES),
    "v3_resnet101_aspp_mg111": _row(_PYRAMID, 5),
    "v3_resnet101_aspp_mg121": _row(replace(_PYRAMID, multi_grid=(1, 2, 1)), 5),
    "v3_resnet101_aspp_mg124": _row(replace(_PYRAMID, multi_grid=(1, 2, 4)), 5),
    "v3_resnet101_aspp_mg124_rate24": _row(replace(_PYRAMID, multi_grid=(1, 2, 4), rates=(6, 12, 18, 24)), 5),
    "v3_resnet101_aspp": _row(
        _BEST, 6, **_BOTH_STAGES, datasets=("voc12", "cityscapes", "coco"), adapted=_CROPS | _CITYSCAPES
    ),
    "v3_resnet101_aspp_coco": _row(_BEST, 6, recipes=(replace(_STAGE1, base_lr=0.0001),), **_COCO),
    "v3_resnet101_aspp_coco_hard": _row(
        replace(_BEST, output_stride=8, fine_tunes=True),
        7,
        recipes=(replace(_STAGE2, lists=("trainval_hard",)),),
        initial="the trained v3_resnet101_aspp_coco",
        starts_from="v3_resnet101_aspp_coco",
    ),
    "v3_resnet101_aspp_no_upsampling": _best(8, "labels shrunk to the scores", replace(_BEST, enlarges_scores=False)),
    "v3_resnet101_aspp_bn_fixed": _best(8, "BatchNorm fixed", replace(_BEST, trains_batch_norm=False)),
    "v3_resnet101_aspp_crop321": _best(8, "crop 321", crop=(321, 321)),
    **{f"v3_resnet101_aspp_b{size}": _best(9, f"batch {size}", batch_size=size) for size in (4, 8, 12)},
    "v3_resnet101_aspp_os8": _best(10, "batch 6", replace(_BEST, output_stride=8), batch_size=6),
    "v3_resnet101_aspp_os32": _best(10, "batch 24", replace(_BEST, output_stride=32), batch_size=24),
    "v3_resnet101_aspp_coarse": replace(
        _best(13, "trained on fine and coarse labels", lists=("trainval_coarse",)),
        datasets=("cityscapes",),
        adapted=_CITYSCAPES,
    ),
    "v3_resnet50_aspp": _row(replace(_BEST, depth=50), 6, **_BOTH_STAGES),
}
