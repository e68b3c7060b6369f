"""DeepLab-MSc (v1, §5.2): the scores of five depths are added; side branches are trained on a net that is frozen.

The branches read the image and pool1 to pool4. In training they reduce to the resolution of the scores; in test and
deploy nets they keep their own, so that fine structure reaches the sum. This difference is in the release.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..caffe.net_spec import Top, layers, params
from . import heads, outputs, roles, vgg16
from .blocks import (
    FROZEN,
    MSRA,
    PRETRAINED,
    Filler,
    Multipliers,
    Spec,
    batch_norm_scale,
    convolution,
    dropout,
    gaussian,
    relu,
)
from .heads import Fc6
from .net_context import NetContext

#: what each branch reads, to its stride in pixels of the image
_STRIDES = {"data": 1, "pool1": 2, "pool2": 4, "pool3": 8, "pool4": 8}
_WITH_DECAY: Multipliers = ((0, 1), (0, 0))


class Deep(NamedTuple):
    """The net below the branches: its fc6, and whether it is LargeFOV, whose classifier is frozen as well."""

    fc6: Fc6
    large_fov: bool


def fc8_pascal(context: NetContext) -> str:
    """`fc8_pascal`, the name of VOC 2012's scores in the first releases; for another data set the usual name."""
    return "fc8_pascal" if context.dataset.name == "voc12" else context.classifier


def msc(n: Spec, context: NetContext, deep: Deep) -> None:
    """DeepLab-MSc and -MSc-LargeFOV: (N, 3, 8k+1, 8l+1) to (N, C, k+1, l+1), in use (N, C, 8k+1, 8l+1)."""

    def scores(n: Spec, context: NetContext, images: Top) -> Top:
        return _fusion(n, context, _depths(n, context, images, deep))

    roles.write_net(n, context, scores, full_resolution=lambda n, top: top, test_accuracy="accuracy")


def _depths(n: Spec, context: NetContext, images: Top, deep: Deep) -> dict[str, Top]:
    """The scores of the five branches and of the deep net, by the first word of their names."""
    found = {"data": _branch(n, context, "data", images)}

    def after_pool(number: int, top: Top) -> None:
        if f"pool{number}" in _STRIDES:
            found[f"pool{number}"] = _branch(n, context, f"pool{number}", top)

    with n.styled(pretrained=_WITH_DECAY if deep.large_fov else FROZEN):
        top = vgg16.trunk(n, images, after_pool=after_pool)
        n.section("the head of the net below the branches")
        top = heads.average_pool5a(n, top) if deep.large_fov else top
        top = heads.fc6_fc7(n, top, deep.fc6)
    name = context.classifier if deep.large_fov else fc8_pascal(context)
    multipliers = _WITH_DECAY if deep.large_fov else PRETRAINED
    found["fc8"] = heads.scores(n, name, top, context.num_classes, multipliers=multipliers)
    return found


def _branch(n: Spec, context: NetContext, name: str, bottom: Top) -> Top:
    """`<name>_conv`, `<name>_fc`, each with ReLU and dropout, and the scores `<name>_ms`.

    pool3_ms starts at zero, as in the release, which has no filler there.
    """
    stride = 8 // _STRIDES[name] if context.is_training else 1
    n.section(f"branch on {name}")
    top = _hidden(n, f"{name}_conv", bottom, 3, stride, gaussian(0.001))
    top = _hidden(n, f"{name}_fc", top, 1, 1, gaussian(0.005 if name == "pool4" else 0.001))
    filler: Filler = {"type": "constant"} if name == "pool3" else gaussian(0.01)
    return convolution(n, f"{name}_ms", top, context.num_classes, 1, multipliers=PRETRAINED, filler=filler)


def _hidden(n: Spec, name: str, bottom: Top, kernel_size: int, stride: int, filler: Filler) -> Top:
    """Convolution, ReLU and dropout, which learn although what is below them is frozen.

    The release's filler fits pixels and features in the hundreds. On a net that was trained from random weights they
    are about 1, so much weaker branches would hardly learn: there they start and are normalised as its own layers.
    """
    geometry: dict[str, Any] = {"pad": (kernel_size - 1) // 2, "stride": stride}
    channels, filler = n.style.channels(128), MSRA if n.style.fills_trunk else filler
    with n.styled(pretrained=PRETRAINED):
        bias_term = not n.style.batch_norm
        top = convolution(n, name, bottom, channels, kernel_size, bias_term=bias_term, filler=filler, **geometry)
        top = batch_norm_scale(n, name, top) if n.style.batch_norm else top
    return dropout(n, f"drop_{name}", relu(n, f"relu_{name}", top))


def _fusion(n: Spec, context: NetContext, depths: dict[str, Top]) -> Top:
    """`fc_fusion`, the sum of all; in test and deploy nets each is zoomed to the image's resolution first."""
    tops = dict(depths)
    if not context.is_training:
        for name in list(depths)[1:]:
            tops[name] = outputs.full_resolution(n, depths[name], f"{name}_interp", _STRIDES.get(name, 8))
    n.section("the sum over the depths")
    return n.put("fc_fusion", layers.Eltwise(*tops.values(), operation=params.Eltwise.SUM))
