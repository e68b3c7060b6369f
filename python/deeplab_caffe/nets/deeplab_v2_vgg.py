"""DeepLab v2 on VGG-16 (arXiv 1606.00915): the learning policies of Table 2 on LargeFOV, and ASPP (Table 3).

No ASPP net on VGG-16 was released. Layers have the names that they have in public weights (fc6_1 to fc8_voc12_4). The
classifiers start from the filler of the other releases (gaussian, .01), not from that of third-party scripts (xavier).
There is no pool5a, which belongs to the first release's LargeFOV net and is in none of those scripts.

On Cityscapes the paper halves the images (data set cityscapes_half), except where it says "Full". How the coarse labels
of Table 8 were used it does not say: here they are further training images beside those with fine labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from ..caffe.net_spec import Top
from . import heads, roles, vgg16
from .blocks import Spec
from .deeplab_v1 import large_fov
from .net_context import NetContext
from .solver_recipes import POLY_V2
from .variant import Variant


def aspp(n: Spec, context: NetContext, rates: Sequence[int]) -> None:
    """Atrous spatial pyramid pooling: four LargeFOV heads at four rates, their scores added."""

    def scores(n: Spec, context: NetContext, images: Top) -> Top:
        return heads.aspp_vgg(n, vgg16.trunk(n, images), context.classifier, context.num_classes, rates)

    roles.write_net(n, context, scores)


_TABLE_2 = "DeepLab v2 (arXiv 1606.00915), Table 2"
_LARGE_FOV = Variant(
    title="DeepLab-LargeFOV, trained as in DeepLab v2",
    build=large_fov,
    recipes=(POLY_V2, POLY_V2),
    source=f"{_TABLE_2}: poly, batch 10, 20K iterations",
    initial="VGG-16, its fc6 subsampled to 3x3, its fc6 and fc7 to 1024 channels (vgg16_20M.caffemodel)",
    parameters=20_505_429,
    field_of_view=224,
    datasets=("voc12", "pascal_context", "cityscapes", "cityscapes_half"),
    one_stage=("cityscapes", "cityscapes_half"),  # what was sent to its test server was trained on train alone
    crf="DeepLab-LargeFOV",
)


def _policy(name: str, batch_size: int, iterations: int) -> Variant:
    """A row of Table 2 with another batch size and length."""
    recipe = replace(POLY_V2, batch_size=batch_size, iterations=iterations)
    return replace(
        _LARGE_FOV,
        title=f"DeepLab-LargeFOV, {name}",
        recipes=(recipe,),
        source=f"{_TABLE_2}: {name}",
        datasets=("voc12",),
    )


_ASPP_L = replace(
    _LARGE_FOV,
    title="DeepLab-ASPP-L: rates 6, 12, 18, 24",
    build=partial(aspp, rates=(6, 12, 18, 24)),
    source="DeepLab v2 (arXiv 1606.00915), Table 3",
    initial="VGG-16, in each of the four branches reduced as for LargeFOV",
    parameters=37_877_652,
    field_of_view=416,
    datasets=("voc12",),
    crf=None,
)

VARIANTS: dict[str, Variant] = {
    "largefov": _LARGE_FOV,
    "largefov_coarse": replace(
        _LARGE_FOV,
        title="DeepLab-LargeFOV, on fine and coarse labels of Cityscapes",
        recipes=(replace(POLY_V2, lists=("trainval_coarse",)),),
        source="DeepLab v2 (arXiv 1606.00915), Table 8",
        datasets=("cityscapes_half",),
    ),
    "largefov_poly_b30_6k": _policy("poly, batch 30, 6K iterations", 30, 6000),
    "largefov_poly_b30_10k": _policy("poly, batch 30, 10K iterations", 30, 10000),
    "largefov_poly_b10_10k": _policy("poly, batch 10, 10K iterations", 10, 10000),
    "aspp_s": replace(
        _ASPP_L,
        title="DeepLab-ASPP-S: rates 2, 4, 8, 12",
        build=partial(aspp, rates=(2, 4, 8, 12)),
        recipes=(POLY_V2,),
        field_of_view=224,
    ),
    "aspp_l": _ASPP_L,
}
