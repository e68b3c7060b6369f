"""`deeplab box-labels`: label maps from bounding boxes, for weakly supervised training."""

from __future__ import annotations

import argparse
from pathlib import Path

from ...data import Dataset, named_dataset
from ...errors import InputError
from ..dataset_name import add_dataset
from ..parser import add_renamed

_KINDS = ("rect", "seg")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Make label maps from bounding boxes: filled rectangles (rect), or segmented by the CRF (seg). For each list, "
        "new lists with these labels are written: <list>_bbox_rect.txt and <list>_bbox_seg.txt. Existing labels stay."
    )
    add_dataset(parser)
    parser.add_argument("--kind", choices=_KINDS, nargs="+", default=list(_KINDS), help="default: both")
    text = "default: those for which the data set has such lists"
    add_renamed(parser, "--list", "--lists", nargs="+", metavar="LIST", help=text)
    parser.add_argument("--annotations", help="folder of <id>.xml in VOC format; default: Annotations in the data set")
    parser.add_argument("--from-labels", action="store_true", help="measure the boxes on the label maps instead")
    parser.add_argument("--force", action="store_true", help="overwrite existing labels")


def run(arguments: argparse.Namespace) -> None:
    from ...experiment.labels_from_boxes import BoxLabels, write_box_labels

    dataset = named_dataset(arguments.dataset)
    annotations = None if arguments.from_labels else _annotations(dataset, arguments.annotations)
    for kind in arguments.kind:
        job = BoxLabels(dataset, kind, annotations, force=arguments.force)
        for path in write_box_labels(job, arguments.lists or _lists(dataset, kind)):
            print(f"wrote {path}")


def _annotations(dataset: Dataset, given: str | None) -> Path:
    folder = Path(given) if given else dataset.root / "Annotations"
    if not folder.is_dir():
        raise InputError(
            f"{folder}: no such folder; use --annotations FOLDER, or --from-labels to measure boxes on the labels"
        )
    return folder


def _lists(dataset: Dataset, kind: str) -> list[str]:
    suffix = f"_bbox_{kind}"
    names = [name.removesuffix(suffix) for name in dataset.lists if name.endswith(suffix)]
    if not names:
        raise InputError(f"{dataset.file}: has no list *{suffix}; use --list, and add such lists for training")
    return names
