"""DeepLab v2 on ResNet-101 (arXiv 1606.00915, Table 4): one scale, or three fused by their maximum (MSC).

The MSC net with ASPP is the released one. About the heads of the other rows the paper says only that a classifier
replaces that of ImageNet, and that LargeFOV has 3x3 kernels at rate 12. So the plain head is one 1x1 convolution, and
that of LargeFOV one 3x3 convolution.

Rows that were submitted to the test server have a second stage. Rows with COCO start from `coco/resnet101_msc`. The
paper does not say how long that was trained: the recipe's 20K updates of ten images, two passes over COCO's training
images, are kept. On PASCAL-Context and Person-Part "MSC" of the paper's rows stands together with "Aug". On Cityscapes
the paper trains one scale only, because of memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from ..caffe.net_spec import Top, layers, params
from . import heads, outputs, resnet, roles, scales
from .blocks import Spec
from .input_sizes import SizeRule
from .net_context import NetContext
from .solver_recipes import POLY_RESNET
from .variant import Variant

_BODY = resnet.stages(101)
_LARGE_FOV, _ASPP = (12,), (6, 12, 18, 24)
#: suffixes of the smaller copies of the image
_COPIES = ("_res05", "_res075")


def single_scale(n: Spec, context: NetContext, rates: Sequence[int] = ()) -> None:
    """One scale: (N, 3, 8k+1, 8l+1) to (N, C, k+1, l+1). rates: of the head's 3x3 classifiers; () for one of 1x1."""

    def scores(n: Spec, context: NetContext, images: Top) -> Top:
        return _head(n, context, resnet.trunk(n, images, _BODY), rates)

    _write(n, context, scores)


def multi_scale(n: Spec, context: NetContext, rates: Sequence[int] = ()) -> None:
    """MSC: the image, its half and its three quarters through one net: (N, 3, 32k+1, 32l+1) to (N, C, 4k+1, 4l+1)."""
    training = partial(scales.losses, name=_name(context), suffixes=_COPIES)
    _write(n, context, partial(_fused_scores, rates=rates), training)


def _write(
    n: Spec, context: NetContext, scores: roles.ScoreBuilder, training: roles.TrainingBuilder = roles.at_eighth
) -> None:
    full_resolution = partial(outputs.full_resolution, name="fc1_interp")
    roles.write_net(n, context, scores, training, full_resolution, features="fc1", test_accuracy="fc1_accuracy")


def _name(context: NetContext) -> str:
    """The name of the scores, `fc1_<data set>`."""
    return f"fc1_{context.dataset.name}"


def _head(n: Spec, context: NetContext, top: Top, rates: Sequence[int]) -> Top:
    """The scores of one scale; with several rates, the sum of several classifiers."""
    n.section(f"scores of the {context.num_classes} classes of {context.dataset.title}: {scales.AT[n.suffix]}")
    if len(rates) > 1:
        return heads.aspp_resnet(n, top, _name(context), context.num_classes, rates)
    kernel_size, rate = (3, rates[0]) if rates else (1, 1)
    return heads.scores(n, _name(context), top, context.num_classes, kernel_size=kernel_size, rate=rate)


def _fused_scores(n: Spec, context: NetContext, images: Top, rates: Sequence[int]) -> Top:
    """`fc_fusion`: the largest of the three scores, at each position and for each class."""
    inputs = scales.copies(n, images, _COPIES)
    found = {}
    with n.styled(shares=True):
        features = {suffix: _trunk(n, image, suffix) for suffix, image in inputs.items()}
        for suffix, top in features.items():
            with n.branch(suffix):
                found[suffix] = _head(n, context, top, rates)
    n.section("the maximum over the scales, at the resolution of the whole image's scores")
    for suffix in _COPIES:
        found[suffix] = scales.enlarged(n, _name(context), found[suffix], suffix)
    bottoms = [found[suffix] for suffix in ("", "_res075", "_res05")]
    return n.put("fc_fusion", layers.Eltwise(*bottoms, operation=params.Eltwise.MAX))


def _trunk(n: Spec, images: Top, suffix: str) -> Top:
    with n.branch(suffix):
        return resnet.trunk(n, images, _BODY)


#: sizes whose half and three quarters are exact
_MSC_SIZES = SizeRule(32, 1)
_AUG = replace(POLY_RESNET, scale_factors=(0.5, 0.75, 1, 1.25, 1.5))
_TABLE_4 = "DeepLab v2 (arXiv 1606.00915), Table 4"
_IMAGENET = "ResNet-101 as trained on ImageNet"
_COCO: dict[str, Any] = {"initial": "the trained coco/resnet101_msc", "starts_from": "coco/resnet101_msc"}
_PASCAL = ("voc12", "pascal_context", "person_part")

_SINGLE = Variant(
    title="DeepLab v2, ResNet-101",
    build=single_scale,
    reads=("stride_on",),
    recipes=(POLY_RESNET,),
    source=f"{_TABLE_4}, row 1; solver of the release",
    initial=_IMAGENET,
    parameters=42_543_189,
    datasets=(*_PASCAL, "cityscapes"),
)
_MSC = replace(
    _SINGLE,
    title="DeepLab v2, ResNet-101, MSC",
    build=multi_scale,
    source=f"{_TABLE_4}, row 2; solver of the release",
    datasets=("voc12", "coco"),
    sizes=_MSC_SIZES,
)

VARIANTS: dict[str, Variant] = {
    "resnet101": _SINGLE,
    "resnet101_msc": _MSC,
    "resnet101_msc_coco": replace(
        _MSC,
        title="DeepLab v2, ResNet-101, MSC, COCO",
        source=f"{_TABLE_4}, row 3; solver of the release",
        **_COCO,
        datasets=("voc12",),
    ),
    "resnet101_msc_aug": replace(
        _MSC,
        title="DeepLab v2, ResNet-101, MSC, Aug",
        recipes=(_AUG,),
        source="DeepLab v2 (arXiv 1606.00915), Tables 6 and 7; solver of the release",
        datasets=_PASCAL[1:],
    ),
    "resnet101_msc_coco_aug": replace(
        _MSC,
        title="DeepLab v2, ResNet-101, MSC, COCO, Aug",
        recipes=(_AUG,),
        source=f"{_TABLE_4}, row 4; solver of the release",
        **_COCO,
        datasets=_PASCAL,
    ),
    "resnet101_msc_largefov": replace(
        _MSC,
        title="DeepLab v2, ResNet-101, MSC, COCO, Aug, LargeFOV",
        build=partial(multi_scale, rates=_LARGE_FOV),
        recipes=(_AUG,),
        source=f"{_TABLE_4}, row 5; solver of the release",
        **_COCO,
        parameters=42_887_253,
        field_of_view=224,
        datasets=_PASCAL,
    ),
    "resnet101_msc_aspp": replace(
        _MSC,
        title="DeepLab v2, ResNet-101, MSC, COCO, Aug, ASPP (the released DEEPLABV2-RESNET101)",
        build=partial(multi_scale, rates=_ASPP),
        recipes=(_AUG, _AUG),
        source=f"{_TABLE_4}, rows 6 and 7, and the released net and solvers",
        **_COCO,
        parameters=44_048_532,
        field_of_view=416,
        datasets=_PASCAL,
        crf="DeepLabv2-ResNet-101",
    ),
    "resnet101_largefov": replace(
        _SINGLE,
        title="DeepLab v2, ResNet-101, LargeFOV",
        build=partial(single_scale, rates=_LARGE_FOV),
        source="DeepLab v2 (arXiv 1606.00915), Table 9; solver of the release",
        parameters=42_887_253,
        field_of_view=224,
        datasets=("cityscapes",),
    ),
    "resnet101_aspp": replace(
        _SINGLE,
        title="DeepLab v2, ResNet-101, ASPP",
        build=partial(single_scale, rates=_ASPP),
        source="DeepLab v2 (arXiv 1606.00915), Table 9; solver of the release",
        parameters=44_048_532,
        field_of_view=416,
        datasets=("cityscapes",),
    ),
    "resnet101_aspp_aug": replace(
        _SINGLE,
        title="DeepLab v2, ResNet-101, ASPP, Aug",
        build=partial(single_scale, rates=_ASPP),
        recipes=(_AUG,),
        source="DeepLab v2 (arXiv 1606.00915), Table 9; solver of the release",
        parameters=44_048_532,
        field_of_view=416,
        datasets=("cityscapes",),
    ),
}
