"""DeepLab v1 on VGG-16 (arXiv 1412.7062): four fields of view, and scores fused from several depths (MSc).

The layers are those of the release, except for its mistakes: training reads the training list and labels of kind PIXEL
(two of the released files read the test list, or no labels at all), and no two layers have the same name. The 7x7 and
the wide 4x4 net were never released: they are the released 4x4 net with another fc6, as Table 2 describes them.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from ..caffe.net_spec import Top, layers
from . import heads, outputs, roles, vgg16
from .blocks import Spec
from .heads import Fc6
from .input_sizes import SizeRule
from .msc import Deep, fc8_pascal, msc
from .net_context import NetContext
from .solver_recipes import STEP_V1, Recipe
from .variant import Variant

#: pool1 to pool5 of the nets with a full fc6: even windows, which move corners by a pixel
_EVEN_POOLS = (*[vgg16.VGGPool(2, 2, 1)] * 3, vgg16.VGGPool(2, 1, 0), vgg16.VGGPool(3, 1, 1))
#: in test and deploy nets pool4 is padded, and the pixels that this adds are cropped from the scores
_EVEN_POOLS_IN_USE = (*_EVEN_POOLS[:3], vgg16.VGGPool(2, 1, 1), _EVEN_POOLS[4])


def large_fov(n: Spec, context: NetContext) -> None:
    """DeepLab-LargeFOV (v1 §4.1; v2 §4.1.1): fc6 of 3x3 at rate 12, 20.5 million parameters."""
    roles.write_net(n, context, large_fov_scores)


def large_fov_scores(n: Spec, context: NetContext, images: Top) -> Top:
    """Scores at stride 8: (N, 3, 8k+1, 8l+1) to (N, C, k+1, l+1)."""
    trunk = vgg16.trunk(n, images)
    n.section("head: 3x3 kernels at rate 12 give fc6 a field of view of 224 pixels")
    top = heads.fc6_fc7(n, heads.average_pool5a(n, trunk))
    n.section(f"scores of the {context.num_classes} classes of {context.dataset.title}")
    return heads.scores(n, context.classifier, top, context.num_classes)


def full(n: Spec, context: NetContext, fc6: Fc6) -> None:
    """DeepLab with all 4096 channels of fc6 and fc7: (N, 3, 8k+2, 8l+2) to (N, C, k+1, l+1) in training."""
    scores = partial(_full_scores, fc6=fc6)
    roles.write_net(n, context, scores, training=_full_training, full_resolution=_full_resolution)


def _full_scores(n: Spec, context: NetContext, images: Top, fc6: Fc6) -> Top:
    pools = _EVEN_POOLS if context.is_training else _EVEN_POOLS_IN_USE
    trunk = vgg16.trunk(n, images, pools)
    size = f"{fc6.kernel_size}x{fc6.kernel_size}"
    n.section(f"head: {size} kernels at rate {fc6.rate} give fc6 a field of view of {fc6.field_of_view} pixels")
    top = heads.fc6_fc7(n, trunk, fc6)
    n.section(f"scores of the {context.num_classes} classes of {context.dataset.title}")
    return heads.scores(n, fc8_pascal(context), top, context.num_classes)


def _full_training(n: Spec, context: NetContext, scores: Top, label: Top) -> None:
    outputs.loss_and_accuracy(n, context, scores, outputs.shrunk_label(n, label, pad_beg=-1))


def _full_resolution(n: Spec, scores: Top) -> Top:
    """(N, C, k+3, l+3) to (N, C, 8k+2, 8l+2): zoomed by 8, then cropped where padding added pixels."""
    zoomed = outputs.full_resolution(n, scores)
    return n.put("fc8_crop", layers.Padding(zoomed, pad_beg=-7, pad_end=-8))


_SOURCE = "DeepLab v1 (arXiv 1412.7062), Tables 1 and 2"
_RELEASED = f"{_SOURCE}, and the released nets and solvers"
#: the released solvers of DeepLab: stage 2 begins at ten times the rate
_STEP_FULL = (
    Recipe("step", batch_size=20, iterations=6000),
    Recipe("step", batch_size=20, iterations=12000, base_lr=0.01, stepsize=3000),
)
_STEP_MSC = tuple(replace(stage, batch_size=20) for stage in STEP_V1)
_STEP_MSC_LARGE_FOV = tuple(replace(stage, average_loss=10) for stage in STEP_V1)

_FULL = Variant(
    title="DeepLab, fc6 of 4x4 at rate 4",
    build=partial(full, fc6=heads.SMALL_4X4),
    recipes=_STEP_FULL,
    source=_RELEASED,
    initial="VGG-16, its fc6 subsampled to 4x4 (vgg16_128.caffemodel)",
    parameters=65_140_565,
    field_of_view=128,
    adapted={"voc12": {"crop": (306, 306)}},
    sizes=SizeRule(8, 2),
    crf="DeepLab",
)
_LARGE_FOV = Variant(
    title="DeepLab-LargeFOV, trained as in DeepLab v1",
    build=large_fov,
    recipes=STEP_V1,
    source=_RELEASED,
    initial="VGG-16, its fc6 subsampled to 3x3, its fc6 and fc7 to 1024 channels (vgg16_20M.caffemodel)",
    parameters=20_505_429,
    field_of_view=224,
    datasets=("voc12", "coco"),
    crf="DeepLab-LargeFOV",
)
_MSC_LARGE_FOV = Variant(
    title="DeepLab-MSc-LargeFOV: side branches on the frozen LargeFOV net",
    build=partial(msc, deep=Deep(heads.LARGE_FOV, large_fov=True)),
    recipes=_STEP_MSC_LARGE_FOV,
    source=_RELEASED,
    initial="the trained voc12/largefov_v1",
    starts_from="largefov_v1",
    parameters=21_711_550,
    field_of_view=224,
    crf="DeepLab-MSc-LargeFOV",
)

VARIANTS: dict[str, Variant] = {
    "deeplab": _FULL,
    "deeplab_4x4": replace(
        _FULL,
        title="DeepLab-4x4, fc6 of 4x4 at rate 8",
        build=partial(full, fc6=heads.WIDE_4X4),
        recipes=_STEP_FULL[:1],
        source=_SOURCE,
        field_of_view=224,
    ),
    "deeplab_7x7": replace(
        _FULL,
        title="DeepLab-7x7, fc6 of 7x7 at rate 4",
        build=partial(full, fc6=heads.FULL_7X7),
        source=_SOURCE,
        initial="VGG-16, its fc6 and fc7 as convolutions",
        parameters=134_346_581,
        field_of_view=224,
    ),
    "largefov_v1": _LARGE_FOV,
    "largefov_coco": replace(
        _LARGE_FOV,
        title="DeepLab-COCO-LargeFOV",
        source="DeepLab v1's released DeepLab-COCO-LargeFOV; score: DeepLab v2 (arXiv 1606.00915), Table 5",
        initial="the trained coco/largefov_v1",
        starts_from="coco/largefov_v1",
        datasets=("voc12",),
        crf="DeepLab-COCO-LargeFOV",
    ),
    "msc": Variant(
        title="DeepLab-MSc: side branches on the frozen DeepLab net",
        build=partial(msc, deep=Deep(heads.SMALL_4X4, large_fov=False)),
        recipes=_STEP_MSC,
        source=_RELEASED,
        initial="the trained voc12/deeplab",
        starts_from="deeplab",
        parameters=66_346_686,
        field_of_view=128,
        crf="DeepLab-MSc",
    ),
    "msc_largefov": _MSC_LARGE_FOV,
    "msc_largefov_coco": replace(
        _MSC_LARGE_FOV,
        title="DeepLab-MSc-COCO-LargeFOV: side branches on the frozen COCO-LargeFOV net",
        source="DeepLab v1's released DeepLab-MSc-COCO-LargeFOV",
        initial="the trained voc12/largefov_coco",
        starts_from="largefov_coco",
        crf="DeepLab-MSc-COCO-LargeFOV",
    ),
}
