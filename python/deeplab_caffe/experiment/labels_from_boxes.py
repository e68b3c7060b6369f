"""Label maps from bounding boxes, for training: Bbox-Rect and Bbox-Seg (arXiv 1502.02734, section 3.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..arrays import Label
from ..crf import CRFParameters, crf_labels, preset
from ..data import Dataset, ListEntry, image_size, list_ids, read_image, read_label, write_list
from ..data.boxes import BACKGROUND, Box, boxes_of_labels, read_boxes, rectangles
from ..data.labels import write_grey_label
from ..errors import InputError
from ..progress import tracked
from ..threads import mapped

#: kind of labels → their folder
FOLDERS = {"rect": "SegmentationClassBboxRect", "seg": "SegmentationClassBboxSeg"}
#: central fraction of a box that is certain to be the object
_CORE = 0.2


@dataclass(frozen=True)
class BoxLabels:
    """How to make the labels of a data set.

    Attributes:
        kind: "rect": filled rectangles; "seg": rectangles segmented by the CRF.
        annotations: folder of <id>.xml in PASCAL VOC's format; None: measure the boxes on the data set's labels.
        crf: parameters of the CRF for "seg".
        force: overwrite existing label files.
    """

    dataset: Dataset
    kind: str
    annotations: Path | None
    crf: CRFParameters = preset("bbox-eroded-20")
    force: bool = False


def write_box_labels(job: BoxLabels, lists: Sequence[str]) -> list[Path]:
    """Write a label map for every image of some lists, and for each list a new one, `<list>_bbox_<kind>.txt`.

    Existing labels are kept unless `job.force`.

    Args:
        lists: names of lists of the data set.

    Returns:
        The files of the new lists.

    Raises:
        InputError: a list, image or annotation is missing or invalid.
    """
    entries = {name: job.dataset.entries(name, needs_label=job.annotations is None) for name in lists}
    ids = _ids(job.dataset, lists)
    images = list({entry.image: entry for listed in entries.values() for entry in listed}.values())
    write = partial(_write_label, job, ids)
    for _ in tracked(mapped(write, images), f"boxes, {job.kind}", len(images)):
        pass
    return [_write_list(job, ids, name, listed) for name, listed in entries.items()]


def _ids(dataset: Dataset, lists: Sequence[str]) -> dict[str, str]:
    """The id of each image of all lists of a data set, so that it does not depend on the lists of this call."""
    names = [name for name, path in dataset.lists.items() if name in lists or path.is_file()]
    entries = [entry for name in names for entry in dataset.entries(name, needs_label=False)]
    return dict(zip((entry.image for entry in entries), list_ids(entries), strict=True))


def _word(job: BoxLabels, entry: ListEntry, image_id: str) -> str:
    """The path of an image's label as written in a list: with a leading slash if the image's path has one."""
    return f"{'/' * entry.image.startswith('/')}{FOLDERS[job.kind]}/{image_id}.png"


def _write_list(job: BoxLabels, ids: Mapping[str, str], name: str, entries: Sequence[ListEntry]) -> Path:
    path = job.dataset.list_path(name)
    path = path.with_name(f"{path.stem}_bbox_{job.kind}{path.suffix}")
    write_list(path, [replace(entry, label=_word(job, entry, ids[entry.image])) for entry in entries])
    return path


def _write_label(job: BoxLabels, ids: Mapping[str, str], entry: ListEntry) -> None:
    path = Path(job.dataset.path_of(_word(job, entry, ids[entry.image])))
    if path.is_file() and not job.force:
        return
    boxes, size = _boxes(job, entry, ids[entry.image])
    label = rectangles(boxes, size)
    if job.kind == "seg" and boxes:
        label = segmented(read_image(job.dataset.path_of(entry.image), job.dataset.upright), boxes, job.crf)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_grey_label(path, label)
    except OSError as error:
        raise InputError(f"{path}: cannot write the label: {error.strerror}") from None


def _boxes(job: BoxLabels, entry: ListEntry, image_id: str) -> tuple[list[Box], tuple[int, int]]:
    if job.annotations is None:
        label = read_label(job.dataset.path_of(entry.label or ""))
        return boxes_of_labels(label, job.dataset.ignore_label), (label.shape[0], label.shape[1])
    size = image_size(job.dataset.path_of(entry.image), job.dataset.upright)
    return read_boxes(job.annotations / f"{image_id}.xml", job.dataset.classes, size), size


def segmented(image: NDArray[np.uint8], boxes: Sequence[Box], parameters: CRFParameters) -> Label:
    """Segment boxes with the CRF.

    The centre of a box is fixed to its object, pixels outside all boxes are fixed to background. For the others the
    CRF chooses between background and the boxes around them.

    Args:
        image: (H, W, 3) RGB.
        boxes: the boxes, in pixels.
        parameters: of the CRF.

    Returns:
        Label map (H, W).
    """
    labels = [BACKGROUND, *sorted({box.label for box in boxes})]
    unary = np.full((len(labels), *image.shape[:2]), np.inf, np.float32)
    unary[0] = 0
    for box in boxes:
        unary[labels.index(box.label)][box.window] = 0
    for box in sorted(boxes, key=lambda box: -box.area):
        window = box.core(_CORE).window
        unary[(slice(None), *window)] = np.inf
        unary[labels.index(box.label)][window] = 0
    return np.array(labels, np.uint8)[crf_labels(image, unary, parameters)]
