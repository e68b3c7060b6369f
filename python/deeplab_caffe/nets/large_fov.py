"""DeepLab-LargeFOV (DeepLab v1, §4.1; v2, §4.1.1): VGG-16, atrous from conv5 on, 20.5 million parameters."""

from __future__ import annotations

from ..caffe.net_spec import Top
from . import data, ends, heads, vgg16
from .blocks import Spec, classifier
from .setting import Setting


def large_fov(n: Spec, setting: Setting) -> None:
    """Write the layers of the setting's net, in the order of the release."""
    if setting.is_training:
        images, label = data.images_and_labels(n, setting)
        ends.loss_and_accuracy(n, setting, _scores(n, setting, images), label)
    elif setting.role == "test":
        images, label = data.images_and_labels(n, setting)
        scores = ends.full_resolution(n, _scores(n, setting, images))
        ends.mat_write(n, setting, scores)
        ends.silence(n, label)
    else:
        images = data.deploy_input(n, setting)
        scores = ends.full_resolution(n, _scores(n, setting, images))
        ends.deploy_output(n, setting, scores)


def _scores(n: Spec, setting: Setting, images: Top) -> Top:
    """Scores at stride 8: (N, 3, 8k+1, 8l+1) to (N, C, k+1, l+1)."""
    top = heads.large_fov(n, vgg16.trunk(n, images))
    n.section(f"scores of the {setting.num_classes} classes of {setting.dataset.title}")
    return classifier(n, setting.classifier, top, setting.num_classes)
