"""Flags on what a training shows and tests while it runs, shared by the stages that train."""

from __future__ import annotations

import argparse

from ..experiment.training_settings import TrainingSettings
from ..nets.option_flags import TakesFlags


def add_arguments(parser: TakesFlags) -> None:
    """Add --verbose, --tensorboard, --test-interval and --val-images."""
    verbose = "show Caffe's log lines instead of the progress (the file log/train.log has them in any case)"
    parser.add_argument("--verbose", action="store_true", help=verbose)
    board = "write scalars and pictures of held-out images for TensorBoard; needs deeplab-caffe[tensorboard]"
    parser.add_argument("--tensorboard", metavar="DIR", help=board)
    interval = "test on held-out images every N updates, 0 for never; the demo: 8 times in all, others: never"
    parser.add_argument("--test-interval", metavar="N", type=int, help=interval)
    images = f"test on at most N of these images; default {TrainingSettings.val_images}"
    parser.add_argument("--val-images", metavar="N", type=int, default=TrainingSettings.val_images, help=images)


def from_arguments(arguments: argparse.Namespace) -> TrainingSettings:
    """The settings that the flags state; the defaults for a command without them.

    Raises:
        InputError: a number is out of range, or TensorBoard is not installed.
    """
    if not hasattr(arguments, "test_interval"):
        return TrainingSettings()
    return TrainingSettings(arguments.verbose, arguments.tensorboard, arguments.test_interval, arguments.val_images)
