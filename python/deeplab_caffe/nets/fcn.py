"""Fully convolutional networks (Shelhamer, Long, Darrell, arXiv 1605.06211): FCN-32s, FCN-16s, FCN-8s, FCN-AlexNet.

Layers, names and solvers are those of the release. Differences, and why:

- ImageSegData reads the images, not the release's Python layers. It pads them at the bottom and on the right to the
  largest image of the data set, with zeros, as the nets pad images themselves; the loss ignores the padding.
- A deconvolution has one kernel for each class (`group`), filled with the weights of bilinear interpolation. The
  release has a kernel for each pair of classes, and those between different classes are 0, which no filler writes;
  `deeplab weights port` removes these from its weights.
- Offsets of the crops are computed from the layers between two tops, not written by hand.

Images may have any size. Score convolutions start at zero. The loss is a sum over the pixels of an image, hence rates
like 1e-10. Each finer net starts from the coarser one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ..caffe.coord_map import crop
from ..caffe.net_spec import Top, layers, params
from . import heads, outputs, roles, vgg16
from .blocks import Spec, conv_relu, convolution, pooling
from .heads import Fc6
from .input_sizes import ANY_SIZE
from .net_context import NetContext
from .solver_recipes import Recipe
from .variant import Variant

#: padding around each image in pixels, so that scores reach its border
_PAD = 100
_BLOCKS = tuple(block._replace(dilation=1) for block in vgg16.BLOCKS)
_POOLS = (vgg16.VGGPool(2, 2, 0),) * 5
_FC6 = Fc6(kernel_size=7, rate=1, pad=0, channels=4096)

#: multipliers of what never learns, in test and deploy nets as well
_FIXED = {"lr_mult": 0, "decay_mult": 0}

#: from images to `score_fr`, the coarse scores
Coarse = Callable[[Spec, NetContext, Top], Top]


@dataclass(frozen=True)
class Skip:
    """One step to finer scores: the pool that they are computed from, and the factor on it ("at once"), or None."""

    pool: str
    scale: float | None = None


def fcn(
    n: Spec,
    context: NetContext,
    coarse: Coarse,
    skips: tuple[Skip, ...] = (),
    upsampling: int = 64,
    normalize: bool = False,
) -> None:
    """Write a net: (N, 3, h, w) to `score` (N, C, h, w).

    upsampling: kernel of the last deconvolution. normalize: whether the loss is the mean over the pixels.
    """
    scores = partial(_scores, coarse=coarse, skips=skips, upsampling=upsampling)
    training = partial(_loss, normalize=normalize)
    roles.write_net(n, context, scores, training, full_resolution=lambda n, top: top, features="score")


def _scores(n: Spec, context: NetContext, images: Top, coarse: Coarse, skips: tuple[Skip, ...], upsampling: int) -> Top:
    top, names = coarse(n, context, images), ("upscore2", "upscore_pool4")
    for skip, name in zip(skips, names, strict=False):
        n.section(f"{name}: bilinear, to the resolution of {skip.pool}, whose scores are added")
        top = _add(n, context, deconvolution(n, context, name, top, 4, 2), skip)
    stride = 32 // 2 ** len(skips)
    n.section("scores at the resolution of the image, and where its pixels are")
    enlarged = deconvolution(n, context, f"upscore{stride if skips else ''}", top, upsampling, stride)
    return n.put("score", crop(enlarged, images))


def _add(n: Spec, context: NetContext, top: Top, skip: Skip) -> Top:
    bottom = n[skip.pool]
    if skip.scale is not None:
        bottom = n.put(f"scale_{skip.pool}", layers.Scale(bottom, filler={"value": skip.scale}, param=_FIXED))
    scores = n.put(f"score_{skip.pool}c", crop(score(n, context, f"score_{skip.pool}", bottom), top))
    return n.put(f"fuse_{skip.pool}", layers.Eltwise(top, scores, operation=params.Eltwise.SUM))


def score(n: Spec, context: NetContext, name: str, bottom: Top) -> Top:
    """Scores by a 1x1 convolution that starts at zero, as it must in a finer net that starts from a coarser one."""
    filler = {"type": "constant"} if n.style.fills_trunk else None
    return convolution(n, name, bottom, context.num_classes, 1, filler=filler)


def deconvolution(n: Spec, context: NetContext, name: str, bottom: Top, kernel_size: int, stride: int) -> Top:
    """Bilinear upsampling of each class on its own, which does not learn: (N, C, h, w) to (N, C, s(h-1)+k, …)."""
    shape: dict[str, Any] = {"num_output": context.num_classes, "kernel_size": kernel_size, "stride": stride}
    shape |= {"group": context.num_classes, "bias_term": False, "weight_filler": {"type": "bilinear"}}
    return n.put(name, layers.Deconvolution(bottom, convolution_param=shape, param=_FIXED))


def vgg(n: Spec, context: NetContext, images: Top) -> Top:
    """VGG-16 with fc6 and fc7 as convolutions, at stride 32."""
    top = vgg16.trunk(n, images, _POOLS, blocks=_BLOCKS, first_pad=_PAD)
    n.section("fc6 and fc7, as convolutions of 7x7 and 1x1")
    top = heads.fc6_fc7(n, top, _FC6)
    n.section(f"scores of the {context.num_classes} classes of {context.dataset.title}")
    return score(n, context, "score_fr", top)


def alexnet(n: Spec, context: NetContext, images: Top) -> Top:
    """CaffeNet with fc6 and fc7 as convolutions, at stride 32; its biases learn as fast as its weights (release)."""
    top = images
    with n.styled(pretrained=((1, 1), (1, 1))):
        for number, (channels, kernel_size, pad, geometry) in enumerate(_ALEXNET, 1):
            n.section(f"conv{number}")
            top = conv_relu(n, f"conv{number}", top, channels, kernel_size, pad, **geometry)
            if number in (1, 2, 5):
                top = pooling(n, f"pool{number}", top, 3, 2, 0)
            if number in (1, 2):
                top = n.put(f"norm{number}", layers.LRN(top, local_size=5, alpha=1e-4, beta=0.75))
        n.section("fc6 and fc7, as convolutions of 6x6 and 1x1")
        top = heads.fc6_fc7(n, top, _FC6._replace(kernel_size=6))
    n.section(f"scores of the {context.num_classes} classes of {context.dataset.title}")
    return score(n, context, "score_fr", top)


#: channels, kernel, padding, and stride or groups of conv1 to conv5
_ALEXNET: tuple[tuple[int, int, int, dict[str, int]], ...] = (
    (96, 11, _PAD, {"stride": 4}),
    (256, 5, 2, {"group": 2}),
    (384, 3, 1, {}),
    (384, 3, 1, {"group": 2}),
    (256, 3, 1, {"group": 2}),
)


def _loss(n: Spec, context: NetContext, scores: Top, label: Top, normalize: bool) -> None:
    """`loss`: the sum over the pixels of an image, or with `normalize` their mean."""
    own: dict[str, Any] = {"ignore_label": context.dataset.ignore_label}
    if context.class_weights is None:
        own["normalize"] = normalize
    elif not normalize:  # which InfogainLoss calls so
        own["normalization"] = params.Loss.BATCH_SIZE
    n.section("the mean loss over all pixels" if normalize else "the sum over all pixels, hence a rate this low")
    n["loss"] = outputs.cross_entropy(context, scores, label, loss_param=own)


# -- the table

_RECIPE = Recipe(
    "fixed",
    batch_size=1,
    iterations=100000,
    base_lr=1e-10,
    momentum=0.99,
    snapshot=4000,
    display=20,
    average_loss=20,
    mirror=False,
)
_ALEXNET_RECIPE = replace(_RECIPE, base_lr=1e-4, momentum=0.9, iter_size=20)
#: the largest side of an image in each data set
_CROPS: dict[str, dict[str, Any]] = {"voc12": {"crop": (500, 500)}}
_CONTEXT: dict[str, dict[str, Any]] = {"pascal_context": {"crop": (500, 500), "iterations": 300000}}
_POOL4, _POOL3 = Skip("pool4"), Skip("pool3")
_AT_ONCE = (replace(_POOL4, scale=0.01), replace(_POOL3, scale=0.0001))

#: learnt weights of conv1_1 to fc7, of the scores of 4096 channels, of pool4's and of pool3's
_TRUNK, _SCORES = 134_260_544, (4097 * 21, 513 * 21, 257 * 21)


_FCN32S = Variant(
    title="FCN-32s, VGG-16",
    build=partial(fcn, coarse=vgg),
    recipes=(_RECIPE,),
    source="FCN (arXiv 1605.06211) and its released nets and solvers",
    initial="VGG-16, its fc6, fc7 as convolutions",
    parameters=_TRUNK + sum(_SCORES[:1]),
    datasets=("voc12", "pascal_context"),
    adapted={**_CROPS, **_CONTEXT},
    sizes=ANY_SIZE,
)

VARIANTS: dict[str, Variant] = {
    "fcn32s": _FCN32S,
    "fcn16s": replace(
        _FCN32S,
        title="FCN-16s, VGG-16",
        build=partial(fcn, coarse=vgg, skips=(_POOL4,), upsampling=32),
        recipes=(replace(_RECIPE, base_lr=1e-12),),
        initial="the trained fcn32s",
        starts_from="fcn32s",
        parameters=_TRUNK + sum(_SCORES[:2]),
    ),
    "fcn8s": replace(
        _FCN32S,
        title="FCN-8s, VGG-16",
        build=partial(fcn, coarse=vgg, skips=(_POOL4, _POOL3), upsampling=16),
        recipes=(replace(_RECIPE, base_lr=1e-14),),
        initial="the trained fcn16s",
        starts_from="fcn16s",
        parameters=_TRUNK + sum(_SCORES),
    ),
    "fcn8s_atonce": replace(
        _FCN32S,
        title="FCN-8s at once, VGG-16",
        build=partial(fcn, coarse=vgg, skips=_AT_ONCE, upsampling=16),
        recipes=(replace(_RECIPE, iterations=300000),),
        parameters=_TRUNK + sum(_SCORES),
        datasets=("voc12",),
    ),
    "fcn_alexnet": replace(
        _FCN32S,
        title="FCN-AlexNet",
        build=partial(fcn, coarse=alexnet, upsampling=63, normalize=True),
        recipes=(_ALEXNET_RECIPE,),
        initial="CaffeNet, its fc6 and fc7 as convolutions",
        parameters=56_954_261,
        datasets=("voc12",),
    ),
}
