"""A training for TensorBoard: scalars, and pictures of a few held-out images. Needs the package tensorboard."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...arrays import Label
from ...data import Dataset, ListEntry, read_image, read_label
from ...engine import Beginning, Displayed, Tested, Watcher
from ...evaluation import colour_labels
from ...formats.accuracies import ACCURACIES
from .accuracies import Accuracies


class TensorBoard(Watcher):
    """Writes event files. Loss, learning rate and accuracies of the training are `train/…`, of tests `validation/…`.

    Args:
        folder: for the event files of this stage.
        accuracies: finds those of the nets.
        dataset: describes the held-out images.
        entries: the first of them, for pictures of image, label and result side by side.
    """

    shows_log = False

    def __init__(self, folder: Path, accuracies: Accuracies, dataset: Dataset, entries: Sequence[ListEntry]) -> None:
        self._folder, self._accuracies, self._dataset, self._entries = folder, accuracies, dataset, entries

    def begin(self, beginning: Beginning) -> None:
        from torch.utils.tensorboard import SummaryWriter

        # What a run that is resumed from an earlier snapshot had written after it is hidden.
        purged = beginning.iteration or None
        self._writer: Any = SummaryWriter(str(self._folder), purge_step=purged)

    def displayed(self, shown: Displayed) -> None:
        values = {"loss": shown.loss, **self._accuracies.of(shown)}
        if shown.lr is not None:
            values["lr"] = shown.lr
        self._scalars("train", values, shown.iteration)

    def tested(self, tested: Tested) -> None:
        if tested.net:
            return
        self._scalars("validation", self._accuracies.tested(tested), tested.iteration)
        for number, (entry, labels) in enumerate(zip(self._entries, tested.predictions, strict=False)):
            picture = _picture(self._dataset, entry, labels)
            self._writer.add_image(f"validation/image {number + 1}", picture, tested.iteration, dataformats="HWC")
        self._writer.flush()

    def end(self) -> None:
        self._writer.close()

    def _scalars(self, what: str, values: dict[str, float], iteration: int) -> None:
        for name, value in values.items():
            self._writer.add_scalar(f"{what}/{ACCURACIES.get(name, name)}", value, iteration)


def _picture(dataset: Dataset, entry: ListEntry, predicted: Label) -> np.ndarray:
    """(H, 3 W, 3) RGB: image, label, result; the net's input is padded, or cropped at the centre of a larger image."""
    image = read_image(dataset.path_of(entry.image), dataset.upright)
    label = read_label(dataset.path_of(entry.label or ""))
    window = tuple(
        slice((have - size) // 2, (have - size) // 2 + size) if have > size else slice(have)
        for have, size in zip(label.shape, predicted.shape, strict=True)
    )
    image, label = image[window], label[window]
    predicted = predicted[: label.shape[0], : label.shape[1]]
    coloured = [colour_labels(part, dataset.palette, dataset.ignore_label) for part in (label, predicted)]
    return np.concatenate([image, *coloured], axis=1)
