"""What stands around the scores of every net, by its role: where images come from, what becomes of the scores."""

from __future__ import annotations

from collections.abc import Callable

from ..caffe.net_spec import Top
from . import data_layers, ends
from .blocks import Spec
from .setting import Setting

#: from images to scores: (N, 3, 8k+1, 8l+1) to (N, C, k+1, l+1)
Scores = Callable[[Spec, Setting, Top], Top]
#: the end of a training net: losses and accuracies of scores and label
Training = Callable[[Spec, Setting, Top, Top], None]
#: the end of a net for use: scores at the resolution of the image
FullResolution = Callable[[Spec, Top], Top]


def at_eighth(n: Spec, setting: Setting, scores: Top, label: Top) -> None:
    """Loss and accuracy where the scores are: on every 8th pixel."""
    ends.loss_and_accuracy(n, setting, scores, ends.shrunk_label(n, label))


def write(
    n: Spec,
    setting: Setting,
    scores: Scores,
    training: Training = at_eighth,
    full_resolution: FullResolution = ends.full_resolution,
    features: str = "fc8",
    test_accuracy: str | None = None,
    dims: bool = False,
) -> None:
    """The layers of the setting's net: data or input, `scores`, and the end that the role wants.

    features: name of the scores that the test net writes as .mat files on request. test_accuracy: name of the
    accuracy that the test net computes; without one, or without labels, it silences the labels. dims: whether
    `data_dim`, the images' own sizes, is wanted as well.
    """
    if setting.is_training:
        images, label = data_layers.images_and_labels(n, setting, dims=dims)
        training(n, setting, scores(n, setting, images), label)
    elif setting.role == "test":
        images, label = data_layers.images_and_labels(n, setting, dims=dims)
        enlarged = full_resolution(n, scores(n, setting, images))
        ends.mat_write(n, setting, enlarged, features)
        if test_accuracy and setting.has_labels:
            ends.test_accuracy(n, setting, enlarged, label, test_accuracy)
        else:
            ends.silence(n, label)
    else:
        images = data_layers.deploy_input(n, setting, dims)
        ends.deploy_output(n, setting, full_resolution(n, scores(n, setting, images)))
