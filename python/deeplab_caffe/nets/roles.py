"""A net of each role: the layers before the scores (images) and after them (loss, accuracy, full resolution)."""

from __future__ import annotations

from collections.abc import Callable

from ..caffe.net_spec import Top
from . import data_layers, outputs
from .blocks import Spec
from .net_context import NetContext

#: from images to scores: (N, 3, 8k+1, 8l+1) to (N, C, k+1, l+1)
ScoreBuilder = Callable[[Spec, NetContext, Top], Top]
#: the end of a training net: losses and accuracies, from scores and labels
TrainingBuilder = Callable[[Spec, NetContext, Top, Top], None]
#: the end of a test or deploy net: from scores to scores at the resolution of the image
FullResolutionBuilder = Callable[[Spec, Top], Top]


def at_eighth(n: Spec, context: NetContext, scores: Top, label: Top) -> None:
    """Loss and accuracy at the resolution of the scores: every 8th pixel."""
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
    """Write the layers of a net: its images, the scores, and what follows in the context's role.

    Args:
        n: the net.
        context: what the net is written for.
        scores: writes the layers from images (N, 3, h, w) to scores.
        training: writes losses and accuracies of a training net.
        full_resolution: writes the layers from scores to those of a test or deploy net.
        features: name of the scores that the test net writes as .mat files if the options ask for them.
        test_accuracy: name of the top of the test net's accuracy; without a name, or without labels in the list,
            there is none, and the labels are silenced.
        dims: whether there is a blob `data_dim` (N, 1, 1, 2), the size of each image before it was padded.
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
