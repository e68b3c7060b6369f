"""Attention to scale (Chen, Yang, Wang, Xu, Yuille, arXiv 1511.03339): DeepLab-LargeFOV on two or three scales.

The scores of the scales are merged by their maximum, their mean, or weights that a small net gives to each scale at
each position. With extra supervision (E-Supv) the scores of each scale have a loss as well. Layers that DeepLab v2's
three-scale net has too have the same names. Choices where the paper is silent:

- The loss of the three quarters compares enlarged scores (v2's release): 3/4 does not resample labels exactly.
- The attention net has a ReLU between its two layers, no dropout, and the classifier's learning rate: both are new.
- Its features are enlarged, like the scores, to the resolution of the whole image's before they are concatenated.

The net of DeepLab v2's Table 5 ("Attention", submitted to VOC's server) is read as the best of these, three scales with
extra supervision, that starts from COCO, as the LargeFOV net beside it does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from ..caffe.net_spec import Top, layers, params
from . import heads, roles, scales, vgg16
from .blocks import NEW, Spec, convolution, gaussian, relu
from .input_sizes import SizeRule
from .net_context import NetContext
from .solver_recipes import STEP_V1
from .variant import Variant

#: suffixes of the smaller copies of the image
TWO, THREE = ("_res05",), ("_res075", "_res05")

#: from the scores of the scales (all of one resolution) and their features by suffix to the scores of the net
Merge = Callable[[Spec, Sequence[Top], dict[str, Top]], Top]


def multi_scale(n: Spec, context: NetContext, suffixes: Sequence[str], merge: Merge, supervised: bool) -> None:
    """Write a net: (N, 3, 8k+1, 8l+1) to (N, C, k+1, l+1), k and l even, or multiples of 4 with three quarters."""
    training = partial(scales.losses, name=context.classifier, suffixes=suffixes) if supervised else roles.at_eighth
    roles.write_net(n, context, partial(merged_scores, suffixes=suffixes, merge=merge), training)


def merged_scores(n: Spec, context: NetContext, images: Top, suffixes: Sequence[str], merge: Merge) -> Top:
    """Scores at stride 8: (N, 3, 8k+1, 8l+1) to (N, C, k+1, l+1)."""
    inputs = scales.copies(n, images, suffixes)
    with n.styled(shares=True):
        features = {suffix: _features(n, image, suffix) for suffix, image in inputs.items()}
        maps = {suffix: _classified(n, context, top, suffix) for suffix, top in features.items()}
    maps |= {suffix: scales.enlarged(n, context.classifier, maps[suffix], suffix) for suffix in suffixes}
    return merge(n, list(maps.values()), features)


def _features(n: Spec, images: Top, suffix: str) -> Top:
    """fc7 of one scale: (N, 1024, k+1, l+1)."""
    with n.branch(suffix):
        trunk = vgg16.trunk(n, images)
        n.section(f"head, {scales.AT[suffix]}: 3x3 kernels at rate 12")
        return heads.fc6_fc7(n, heads.average_pool5a(n, trunk))


def _classified(n: Spec, context: NetContext, features: Top, suffix: str) -> Top:
    n.section(f"scores of the {context.num_classes} classes of {context.dataset.title}: {scales.AT[suffix]}")
    with n.branch(suffix):
        return heads.scores(n, context.classifier, features, context.num_classes)


# -- merging


def maximum(n: Spec, maps: Sequence[Top], features: dict[str, Top]) -> Top:
    """The largest score of each class."""
    n.section("the maximum over the scales")
    return n.put("fc_fusion", layers.Eltwise(*maps, operation=params.Eltwise.MAX))


def average(n: Spec, maps: Sequence[Top], features: dict[str, Top]) -> Top:
    """The mean score of each class."""
    n.section("the mean over the scales")
    coefficients = [1 / len(maps)] * len(maps)
    return n.put("fc_fusion", layers.Eltwise(*maps, operation=params.Eltwise.SUM, coeff=coefficients))


def attention(n: Spec, maps: Sequence[Top], features: dict[str, Top]) -> Top:
    """The sum of the scores, each scale weighted by `attention` (N, S, h, w), whose sum over S is 1 (§3.2).

    3x3 convolution to 512 channels on the features of all scales, 1x1 to one channel per scale, softmax.
    """
    n.section("attention: how much each scale counts at each position")
    tops = [scales.enlarged(n, "fc7", top, suffix) if suffix else top for suffix, top in features.items()]
    top = n.put("attention_features", layers.Concat(*tops))
    new: dict[str, Any] = {"multipliers": NEW, "filler": gaussian(0.01)}
    top = convolution(n, "attention1", top, n.style.channels(512), 3, pad=1, **new)
    top = convolution(n, "attention2", relu(n, "relu_attention1", top), len(maps), 1, **new)
    weights = n.put("attention", layers.Softmax(top))
    n.section("the sum over the scales, weighted")
    names = [f"attention_{k}" for k in range(len(maps))]
    for name, weight in zip(names, layers.Slice(weights, ntop=len(maps), name="attention_slice"), strict=True):
        n.put(name, weight)
    weighted = [n.put(f"weighted_{k}", layers.SpatialProduct(top, n[names[k]])) for k, top in enumerate(maps)]
    return n.put("fc_fusion", layers.Eltwise(*weighted, operation=params.Eltwise.SUM))


# -- the table

_MERGES: dict[str, tuple[Merge, str]] = {
    "max": (maximum, "their maximum"),
    "average": (average, "their mean"),
    "attention": (attention, "attention"),
}
#: the data sets that the publication reports
_DATASETS = ("voc12", "person_part", "coco80")
_LARGE_FOV, _ATTENTION_PER_SCALE = 20_505_429, 9 * 1024 * 512 + 513


def _row(number: int, merge: str, supervised: bool) -> Variant:
    """Scales 1 and 1/2, or 1, 3/4 and 1/2."""
    function, words = _MERGES[merge]
    fractions = "1, 3/4, 1/2" if number == 3 else "1, 1/2"
    learnt = number * _ATTENTION_PER_SCALE + 512 if merge == "attention" else 0
    return Variant(
        title=f"DeepLab-LargeFOV on scales {fractions}, merged by {words}{', extra supervision' * supervised}",
        build=partial(multi_scale, suffixes=THREE if number == 3 else TWO, merge=function, supervised=supervised),
        recipes=STEP_V1,
        source="Attention to Scale (arXiv 1511.03339), Tables 1 and 3",
        initial="VGG-16, its fc6 subsampled to 3x3, its fc6 and fc7 to 1024 channels (vgg16_20M.caffemodel)",
        parameters=_LARGE_FOV + learnt,
        datasets=_DATASETS,
        sizes=SizeRule(8 * 2 ** (number - 1)),
    )


VARIANTS: dict[str, Variant] = {
    f"scales{number}_{merge}{'_esupv' * supervised}": _row(number, merge, supervised)
    for number in (2, 3)
    for merge in _MERGES
    for supervised in (False, True)
}
#: starts the net that was submitted to VOC's server
_BEST = "scales3_attention_esupv"
VARIANTS[_BEST] = replace(VARIANTS[_BEST], datasets=(*_DATASETS, "coco"))
VARIANTS["scales3_attention_coco"] = replace(
    VARIANTS[_BEST],
    title=f"{VARIANTS[_BEST].title}, COCO",
    source="Attention to Scale (arXiv 1511.03339); score: DeepLab v2 (arXiv 1606.00915), Table 5",
    initial=f"the trained coco/{_BEST}",
    starts_from=f"coco/{_BEST}",
    datasets=("voc12",),
)
