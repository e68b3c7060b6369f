"""DeepLab v1 on VGG-16 (arXiv 1412.7062): fields of view, and scores from several depths (MSc)."""

from __future__ import annotations

from ..caffe.net_spec import Top
from . import frame, heads, vgg16
from .blocks import Spec
from .setting import Setting
from .solvers import STEP_V1
from .variant import Score, Variant


def large_fov(n: Spec, setting: Setting) -> None:
    """DeepLab-LargeFOV (v1 §4.1; v2 §4.1.1): fc6 of 3x3 at rate 12, 20.5 million parameters."""
    frame.write(n, setting, large_fov_scores)


def large_fov_scores(n: Spec, setting: Setting, images: Top) -> Top:
    """Scores at stride 8: (N, 3, 8k+1, 8l+1) to (N, C, k+1, l+1)."""
    trunk = vgg16.trunk(n, images)
    n.section("head: 3x3 kernels at rate 12 give fc6 a field of view of 224 pixels")
    top = heads.fc6_fc7(n, heads.average_pool5a(n, trunk))
    n.section(f"scores of the {setting.num_classes} classes of {setting.dataset.title}")
    return heads.scores(n, setting.classifier, top, setting.num_classes)


VARIANTS = {
    "largefov_v1": Variant(
        title="DeepLab-LargeFOV, trained as in DeepLab v1",
        build=large_fov,
        recipes=STEP_V1,
        source="DeepLab v1 (arXiv 1412.7062), Table 1, and its released solvers",
        parameters=20_505_429,
        field_of_view=224,
        published=(Score(62.25), Score(67.64, crf=True), Score(70.3, "test", crf=True)),
        crf="DeepLab-LargeFOV",
    ),
}
