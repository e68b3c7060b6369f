"""What a training shows and tests while it runs; nothing of it changes what is trained."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

from ..errors import InputError


@dataclass(frozen=True)
class TrainingSettings:
    """How a training is watched.

    Attributes:
        verbose: show Caffe's log lines instead of the progress; the log file has them anyway.
        tensorboard: folder for TensorBoard, or None.
        test_interval: updates between two tests on held-out images; 0: none; None: the experiment's own.
        val_images: test on so many images at most, at even intervals in their list.

    Raises:
        InputError: a number is out of range, or TensorBoard is not installed.
    """

    verbose: bool = False
    tensorboard: str | None = None
    test_interval: int | None = None
    val_images: int = 50

    def __post_init__(self) -> None:
        if self.test_interval is not None and self.test_interval < 0:
            raise InputError(f"--test-interval {self.test_interval}: expected a number of updates, or 0 for no tests")
        if self.val_images < 1:
            raise InputError(f"--val-images {self.val_images}: expected 1 or more")
        if self.tensorboard is not None and importlib.util.find_spec("tensorboard") is None:
            raise InputError("--tensorboard needs the package tensorboard: pip install 'deeplab-caffe[tensorboard]'")
