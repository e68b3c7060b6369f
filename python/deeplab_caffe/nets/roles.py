"""What stands around the scores of every net, by its role: where images come from, what becomes of the scores."""

from __future__ import annotations

from collections.abc import Callable

from ..caffe.net_spec import Top
from . import data_layers, outputs
from .blocks import Spec
from .net_context import NetContext

#: from images to scores: (N, 3, 8k+1, 8l+1) to (N, C, k+1, l+1)
ScoreBuilder = Callable[[Spec, NetContext, Top], Top]
#: the end of a training net: losses and accuracies of scores and label
TrainingBuilder = Callable[[Spec, NetContext, Top, Top], None]
#: the end of a net for use: scores at the resolution of the image
FullResolutionBuilder = Callable[[Spec, Top], Top]


def at_eighth(n: Spec, context: NetContext, scores: Top, label: Top) -> None:
    """Loss and accuracy where the scores are: on every 8th pixel."""
    outputs.loss_and_accuracy(n, context, scores, outputs.shrunk_label(n, label))


def write_net(
    n: Spec,
    context: NetContext,
    scores: ScoreBuilder,
    training: TrainingBuilder = at_eighth,
    full_resolution: FullResolutionBuilder = outputs.full_resolution,
    features: str = "fc8",
    test_accuracy: str | None = None,
    dims: bool = False,
) -> None:
    """The layers of the context's net: data or input, `scores`, and the end that the role wants.

    features: name of the scores that the test net writes as .mat files on request. test_accuracy: name of the
    accuracy that the test net computes; without one, or without labels, it silences the labels. dims: whether
    `data_dim`, the images' own sizes, is wanted as well.
    """
    if context.is_training:
        images, label = data_layers.images_and_labels(n, context, dims=dims)
        training(n, context, scores(n, context, images), label)
    elif context.role == "test":
        images, label = data_layers.images_and_labels(n, context, dims=dims)
        enlarged = full_resolution(n, scores(n, context, images))
        outputs.mat_write(n, context, enlarged, features)
        if test_accuracy and context.has_labels:
            outputs.test_accuracy(n, context, enlarged, label, test_accuracy)
        else:
            outputs.silence(n, label)
    else:
        images = data_layers.deploy_input(n, context, dims)
        outputs.deploy_output(n, context, full_resolution(n, scores(n, context, images)))
