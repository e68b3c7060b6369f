"""DeepLab v3 (arXiv 1706.05587): ResNet-50 and -101 with blocks in cascade or pyramid pooling, both with BatchNorm.

The paper's block1 to block4 are res2 to res5 here; block5 to block7, res6 to res8, are further copies of res5. Where
the paper is silent:

- The stride is in the first bottleneck of a stage, as in public weights, on the 1x1 convolution or, with --stride-on
  3x3, on the next. (The authors' library has it in the last bottleneck of the stage before.)
- A copy of res5 has as many channels before it as after, so its first bottleneck adds its bottom unchanged, without a
  projection. So the parameters are the same at every output stride.
- Extra blocks and head start from msra and gaussian fillers, since no weights exist for them, and learn at the rate of
  the other layers: with BatchNorm they need no higher one.
- Where BatchNorm is not trained (Table 8) that of ImageNet's layers stays; the pyramid's, new as it is, has to learn.
- BatchNorm's slopes and offsets do not decay. Weight decay is 1e-4, that of ResNet's own training.
- Layers of the head have the names of the authors' TensorFlow release, the scores those of DeepLab v2's ResNet.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..caffe.net_spec import Top, layers, params
from ..errors import InputError
from . import heads, outputs, resnet, roles
from .blocks import PRETRAINED, Spec, relu
from .input_sizes import SizeRule
from .net_context import NetContext

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
        trains_batch_norm: whether BatchNorm learns in stage 1; otherwise that of ImageNet's layers is kept.
        enlarges_scores: whether stage 1 enlarges the scores to the labels; otherwise labels shrink to the scores.
        fine_tunes: whether stage 1 goes on with a trained net as stage 2 does: BatchNorm frozen, output stride 8.
    """

    depth: int = 101
    blocks: int = 4
    multi_grid: MultiGrid = (1, 1, 1)
    output_stride: int = 16
    rates: tuple[int, ...] = ()
    image_pooling: bool = False
    trains_batch_norm: bool = True
    enlarges_scores: bool = True
    fine_tunes: bool = False


def v3(n: Spec, context: NetContext, config: V3Config) -> None:
    """Write a net: (N, 3, sk+1, sl+1) to scores (N, C, k+1, l+1), enlarged to the image in every role.

    s is the output stride: 8 in stage 2, option test_output_stride in test and deploy nets, else that of `config`.
    """
    stride = _output_stride(context, config)
    enlarge = partial(outputs.full_resolution, name="fc1_interp", factor=stride)

    def scores(n: Spec, context: NetContext, images: Top) -> Top:
        return _scores(n, context, images, config, stride)

    def training(n: Spec, context: NetContext, scores: Top, label: Top) -> None:
        if config.enlarges_scores:
            outputs.loss_and_accuracy(n, context, enlarge(n, scores), label)
        else:
            outputs.loss_and_accuracy(n, context, scores, outputs.shrunk_label(n, label, stride))

    with n.styled(**_normalization(context, config)):
        roles.write_net(n, context, scores, training, enlarge, features="fc1")


def _output_stride(context: NetContext, config: V3Config) -> int:
    if _fine_tunes(context, config):
        return min(_FINE, config.output_stride)
    given = None if context.is_training else context.options.test_output_stride
    if given is None:
        return config.output_stride
    largest = 32 * 2 ** (config.blocks - 4)
    if given > largest:
        raise InputError(f"option test_output_stride: got {given}; this net reduces by {largest} at most")
    SizeRule(given).check(context.size, f"option test_output_stride {given}: size of the {context.role} net")
    return given


def _fine_tunes(context: NetContext, config: V3Config) -> bool:
    return context.role == "train2" or (context.role == "train" and config.fine_tunes)


def _normalization(context: NetContext, config: V3Config) -> dict[str, Any]:
    """Changes of the style: BatchNorm learns in stage 1, and is frozen in stage 2 (§4.1)."""
    if _fine_tunes(context, config):
        fillers = context.options.from_scratch and context.role == "train"
        return {"batch_norm": False, "from_scratch": fillers, "moving_average_fraction": None}
    decay = context.options.moving_average_fraction or _DECAY
    return {"batch_norm": True, "moving_average_fraction": decay if context.is_training else None}


def _scores(n: Spec, context: NetContext, images: Top, config: V3Config, stride: int) -> Top:
    body = stages(config, stride)
    with _pretrained(n, context, config):
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
def _pretrained(n: Spec, context: NetContext, config: V3Config) -> Iterator[None]:
    """A context of the layers that start from ImageNet's weights, whose BatchNorm may stay what it is."""
    keeps = context.is_training and not config.trains_batch_norm
    with n.styled(**({"batch_norm": False, "moving_average_fraction": None} if keeps else {})):
        yield


@contextmanager
def _fresh(n: Spec) -> Iterator[None]:
    """A context in which layers have fillers, since they have no initial weights; except in stage 2."""
    with n.styled(from_scratch=n.style.batch_norm or n.style.from_scratch):
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
