"""DeepLab v3 (arXiv 1706.05587): ResNet-50 and -101 with blocks in cascade or pyramid pooling, both with BatchNorm.

The paper's block1 to block4 are res2 to res5 here; block5 to block7, res6 to res8, are further copies of res5. Where
the paper is silent:

- The stride is in the first bottleneck of a stage, as in public weights, on the 1x1 convolution or, with --stride-on
  3x3, on the next. (The authors' library has it in the last bottleneck of the stage before.)
- A copy of res5 has as many channels before it as after, so its first bottleneck adds its bottom unchanged, without a
  projection. So the parameters are the same at every output stride.
- Extra blocks and head start from msra and gaussian fillers, since no weights exist for them, and learn at the rate of
  the other layers: with BatchNorm they need no higher one.
- BatchNorm's slopes and offsets do not decay. Weight decay is 1e-4, that of ResNet's own training.
- Layers of the head have the names of the authors' TensorFlow release, the scores those of DeepLab v2's ResNet.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ..caffe.net_spec import Top, layers, params
from ..errors import InputError
from . import heads, outputs, resnet, roles
from .blocks import PRETRAINED, Spec, relu
from .input_sizes import SizeRule
from .net_context import NetContext
from .solver_recipes import Recipe
from .variant import Score, Variant

MultiGrid = tuple[int, int, int]
#: the output stride of stage 2, in which BatchNorm is frozen
_FINE = 8
#: §4.1: moving_average_fraction of BatchNorm
_DECAY = 0.9997
#: the output stride at which the atrous rates of the pyramid are stated; they grow as it falls
_RATES_AT = 16


@dataclass(frozen=True)
class V3Config:
    """One configuration of DeepLab v3.

    Attributes:
        depth: 50 or 101.
        blocks: the last of the paper's blocks, 4 to 7.
        multi_grid: factors on the rates of the three bottlenecks of block4 and of the blocks after it.
        output_stride: of stage 1, in pixels.
        rates: of the pyramid at output stride 16; () for no pyramid.
        image_pooling: whether the pyramid has image-level features.
    """

    depth: int = 101
    blocks: int = 4
    multi_grid: MultiGrid = (1, 1, 1)
    output_stride: int = 16
    rates: tuple[int, ...] = ()
    image_pooling: bool = False


def v3(n: Spec, context: NetContext, config: V3Config) -> None:
    """Write a net: (N, 3, sk+1, sl+1) to scores (N, C, k+1, l+1), enlarged to the image in every role.

    s is the output stride: 8 in stage 2, option test_output_stride in test and deploy nets, else that of `config`.
    """
    stride = _output_stride(context, config)
    enlarge = partial(outputs.full_resolution, name="fc1_interp", factor=stride)

    def scores(n: Spec, context: NetContext, images: Top) -> Top:
        return _scores(n, context, images, config, stride)

    def training(n: Spec, context: NetContext, scores: Top, label: Top) -> None:
        outputs.loss_and_accuracy(n, context, enlarge(n, scores), label)

    with n.styled(**_normalization(context)):
        roles.write_net(n, context, scores, training, enlarge, features="fc1")


def _output_stride(context: NetContext, config: V3Config) -> int:
    if context.role == "train2":
        return min(_FINE, config.output_stride)
    given = None if context.is_training else context.options.test_output_stride
    if given is None:
        return config.output_stride
    largest = 32 * 2 ** (config.blocks - 4)
    if given > largest:
        raise InputError(f"option test_output_stride: got {given}; this net reduces by {largest} at most")
    SizeRule(given).check(context.size, f"option test_output_stride {given}: size of the {context.role} net")
    return given


def _normalization(context: NetContext) -> dict[str, Any]:
    """Changes of the style: BatchNorm learns in stage 1, and is frozen in stage 2 (§4.1)."""
    if context.role == "train2":
        return {"batch_norm": False, "from_scratch": False, "moving_average_fraction": None}
    decay = context.options.moving_average_fraction or _DECAY
    return {"batch_norm": True, "moving_average_fraction": decay if context.is_training else None}


def _scores(n: Spec, context: NetContext, images: Top, config: V3Config, stride: int) -> Top:
    body = stages(config, stride)
    top = resnet.trunk(n, images, body[:4])
    with _fresh(n):
        for stage in body[4:]:
            top = resnet.residual_stage(n, stage, top)
        if config.rates:
            rates = [rate * _RATES_AT // stride for rate in config.rates]
            top = pyramid(n, top, rates, config.image_pooling)
    n.section(f"scores of the {context.num_classes} classes of {context.dataset.title}")
    return heads.scores(n, f"fc1_{context.dataset.name}", top, context.num_classes, multipliers=PRETRAINED)


@contextmanager
def _fresh(n: Spec) -> Iterator[None]:
    """A context in which layers have fillers, since they have no initial weights; except in stage 2."""
    with n.styled(from_scratch=n.style.batch_norm):
        yield


def stages(config: V3Config, output_stride: int) -> list[resnet.ResNetStage]:
    """res2 to the last stage: strides until the output stride is reached, doubled atrous rates from there on.

    Example:
        >>> [(stage.stride, stage.rates) for stage in stages(V3Config(blocks=5, multi_grid=(1, 2, 4)), 16)]
        [(1, (1,)), (2, (1,)), (2, (1,)), (1, (2, 4, 8)), (1, (4, 8, 16))]
    """
    body, reached, rate = [], 4, 1
    for number, stage in enumerate(_undivided(config), 2):
        if number > 2 and reached < output_stride:
            reached, stride = 2 * reached, 2
        else:
            stride, rate = 1, rate if number == 2 else 2 * rate
        grid = config.multi_grid if number >= 5 else (1,)
        rates = tuple(rate * unit for unit in grid)
        body.append(stage._replace(stride=stride, rates=rates[:1] if len(set(rates)) == 1 else rates))
    return body


def _undivided(config: V3Config) -> Iterator[resnet.ResNetStage]:
    """The stages before they get strides and rates."""
    body = resnet.stages(config.depth)
    yield from body
    for number in range(6, config.blocks + 2):
        yield body[-1]._replace(blocks=tuple(f"{number}{letter}" for letter in "abc"), projects=False)


# -- the pyramid


def pyramid(n: Spec, bottom: Top, rates: list[int], image_pooling: bool) -> Top:
    """Atrous spatial pyramid pooling (§3.3): (N, C, h, w) to (N, 256, h, w).

    `aspp0` 1x1, `aspp<k>` 3x3 at each rate, and `image_pooling`; concatenated, then reduced by `concat_projection`.
    """
    n.section(f"pyramid: 1x1, 3x3 at rates {' '.join(map(str, rates))}{', the image as a whole' * image_pooling}")
    branches = [_conv_bn_relu(n, "aspp0", bottom)]
    branches += [_conv_bn_relu(n, f"aspp{k}", bottom, 3, rate) for k, rate in enumerate(rates, 1)]
    if image_pooling:
        branches.append(_image_features(n, bottom, branches[0]))
    return _conv_bn_relu(n, "concat_projection", n.put("aspp_concat", layers.Concat(*branches)))


def _conv_bn_relu(n: Spec, name: str, bottom: Top, kernel_size: int = 1, rate: int = 1) -> Top:
    """256 filters with BatchNorm and ReLU."""
    pad, channels = rate * (kernel_size - 1) // 2, n.style.channels(256)
    top = resnet.conv_bn(n, name, f"_{name}", bottom, channels, kernel_size, pad=pad, dilation=rate)
    return relu(n, f"{name}_relu", top)


def _image_features(n: Spec, bottom: Top, like: Top) -> Top:
    """Global average, 1x1 convolution, and its result repeated at each position of `like`.

    The paper enlarges the single pixel bilinearly, which repeats it. Interp would need the size of the map as numbers;
    a map of ones that is scaled takes any size.
    """
    pooled = n.put("image_pool", layers.Pooling(bottom, pool=params.Pooling.AVE, global_pooling=True))
    top = _conv_bn_relu(n, "image_pooling", pooled)
    vector = n.put("image_vector", layers.Flatten(top))
    ones = n.put("image_ones", layers.Power(like, scale=0, shift=1))
    return n.put("image_features", layers.Scale(ones, vector, axis=0))


# -- the table

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


def _row(config: V3Config, table: int, *scores: Score | float, **changes: Any) -> Variant:
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
        published=tuple(score if isinstance(score, Score) else Score(score) for score in scores),
        adapted=_CROPS,
        sizes=SizeRule(config.output_stride),
        reads=("stride_on", "test_output_stride"),
    )
    return replace(row, **changes)


def _cascades(depth: int, scores: dict[MultiGrid, tuple[float, ...]], table: int) -> dict[str, Variant]:
    """Rows `v3_resnet<depth>_block<b>[_mg<grid>]`, scores by block 4 to 7."""
    rows = {}
    for grid, values in scores.items():
        suffix = f"_mg{''.join(map(str, grid))}" if grid != (1, 1, 1) else ""
        for blocks, value in enumerate(values, 4):
            rows[f"v3_resnet{depth}_block{blocks}{suffix}"] = _row(V3Config(depth, blocks, grid), table, value)
    return rows


_BEST_CASCADE = V3Config(blocks=7, multi_grid=(1, 2, 1))
_PYRAMID = V3Config(rates=(6, 12, 18))
_BEST = replace(_PYRAMID, multi_grid=(1, 2, 4), image_pooling=True)
_BOTH_STAGES: dict[str, Any] = {"recipes": (_STAGE1, _STAGE2)}

VARIANTS: dict[str, Variant] = {
    **{
        f"v3_resnet50_block7_os{stride}": _row(V3Config(50, 7, output_stride=stride), 1, score)
        for stride, score in ((8, 75.18), (32, 70.06), (64, 59.99), (128, 42.34), (256, 20.29))
    },
    **_cascades(50, {(1, 1, 1): (64.81, 72.14, 74.29, 73.88)}, 2),
    **_cascades(
        101,
        {
            (1, 1, 1): (68.39, 73.21, 75.34, 75.76),
            (1, 2, 1): (70.23, 75.67, 76.09, 76.66),
            (1, 2, 3): (73.14, 75.78, 75.96, 76.11),
            (1, 2, 4): (73.45, 75.74, 75.85, 76.02),
            (2, 2, 2): (71.45, 74.30, 74.70, 74.62),
        },
        3,
    ),
    "v3_resnet101_block7_mg121": _row(_BEST_CASCADE, 4, 76.66, Score(78.05, note="OS 8"), **_BOTH_STAGES),
    "v3_resnet101_aspp_mg111": _row(_PYRAMID, 5, Score(75.36, confirmed=False)),
    "v3_resnet101_aspp_mg121": _row(replace(_PYRAMID, multi_grid=(1, 2, 1)), 5, Score(75.93, confirmed=False)),
    "v3_resnet101_aspp_mg124": _row(replace(_PYRAMID, multi_grid=(1, 2, 4)), 5, Score(76.58, confirmed=False)),
    "v3_resnet101_aspp_mg124_rate24": _row(
        replace(_PYRAMID, multi_grid=(1, 2, 4), rates=(6, 12, 18, 24)), 5, Score(76.46, confirmed=False)
    ),
    "v3_resnet101_aspp": _row(
        _BEST,
        6,
        77.21,
        Score(78.51, note="OS 8"),
        Score(77.23, dataset="cityscapes", confirmed=False),
        Score(77.82, dataset="cityscapes", note="OS 8", confirmed=False),
        **_BOTH_STAGES,
        datasets=("voc12", "cityscapes", "coco"),
        adapted=_CROPS | _CITYSCAPES,
    ),
    "v3_resnet101_aspp_coco": _row(
        _BEST,
        7,
        Score(82.7, note="OS 8, six scales, flipped"),
        Score(85.7, "test", note="likewise, hard images twice in stage 2"),
        recipes=(replace(_STAGE1, base_lr=0.0001), replace(_STAGE2, base_lr=0.0001)),
        initial="the trained coco/v3_resnet101_aspp",
        starts_from="coco/v3_resnet101_aspp",
    ),
    "v3_resnet50_aspp": _row(replace(_BEST, depth=50), 6, **_BOTH_STAGES),
}
