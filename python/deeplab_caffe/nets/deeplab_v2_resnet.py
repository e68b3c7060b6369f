"""DeepLab v2 on ResNet-101 (§4.1.2, Table 4): one scale, or three whose scores are fused by their maximum."""

from __future__ import annotations

from functools import partial

from ..caffe.net_spec import Top
from . import ends, frame, heads, resnet
from .blocks import Spec
from .setting import Setting
from .solvers import POLY_RESNET
from .variant import Score, Variant

_RATES = (6, 12, 18, 24)
_BODY = resnet.stages(101)


def resnet101(n: Spec, setting: Setting, rates: tuple[int, ...] = ()) -> None:
    """One scale. rates: of the head's 3x3 classifiers; () for one of 1x1."""
    frame.write(n, setting, partial(_scores, rates=rates), full_resolution=_full_resolution, features="fc1")


def _scores(n: Spec, setting: Setting, images: Top, rates: tuple[int, ...]) -> Top:
    return _head(n, setting, resnet.trunk(n, images, _BODY), rates)


def _head(n: Spec, setting: Setting, top: Top, rates: tuple[int, ...]) -> Top:
    """The scores of one branch: `fc1_<data set>`, the sum of several classifiers if there are several rates."""
    name = f"fc1_{setting.dataset.name}"
    if len(rates) > 1:
        return heads.aspp_resnet(n, top, name, setting.num_classes, rates)
    kernel_size, rate = (3, rates[0]) if rates else (1, 1)
    return heads.scores(n, name, top, setting.num_classes, kernel_size=kernel_size, rate=rate)


def _full_resolution(n: Spec, scores: Top) -> Top:
    return ends.full_resolution(n, scores, "fc1_interp")


VARIANTS = {
    "resnet101": Variant(
        title="DeepLab v2, ResNet-101",
        build=resnet101,
        recipes=(POLY_RESNET, POLY_RESNET),
        source="DeepLab v2 (arXiv 1606.00915), Table 4, first row",
        parameters=0,
        published=(Score(68.72, confirmed=False),),
    ),
}
