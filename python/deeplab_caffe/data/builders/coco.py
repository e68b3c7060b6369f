"""MS COCO in VOC's classes or in its own 80: labels drawn from its instances, and lists.

Which images are trained on is DeepLab v3's choice: those of trainval minus minival whose annotations of VOC's classes
have more than 1,000 pixels.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...arrays import Label
from ...errors import InputError
from ...files import write_text
from ...reading import read_text
from ..images import image_size
from ..lists import full_path, read_list
from .coco_labels import VOC_CLASSES, Pixels, annotated_pixels, class_numbers, draw_label
from .coco_sources import Image, Source, files_of, obtain_images, open_sources, split, year_of
from .request import Builder, Built, Option, Request
from .written import count_lines, word_of, write_labels, write_lists

_PUBLISHED = 60_000  # "about 60K", as v3 says
_NEAR = 5_000


class Kind(NamedTuple):
    """What is made of COCO: the data set's name, COCO's names of its classes, the folder of its labels, its lists."""

    name: str
    classes: tuple[str, ...]
    labels: str
    train: str
    val: str
    draws: Mapping[str, tuple[str, int]] = {}  # a smaller list: of which it is drawn, and its length


def options(min_pixels: int) -> tuple[Option, ...]:
    """The options of a builder, with the default of `--min-pixels`."""
    return (
        Option(
            "--year", "the release of 2014 or 2017 (by default what is there, else 2017)", str, "", ("2014", "2017")
        ),
        Option(
            "--min-pixels",
            f"train on images with more annotated pixels; 0: all ({min_pixels})",
            int,
            min_pixels,
            metavar="N",
        ),
        Option(
            "--filter",
            "what has more than --min-pixels: all regions in total, the largest one, or every one (total)",
            str,
            "total",
            Pixels._fields,
        ),
        Option(
            "--minival",
            "with --year 2014: minival's images, as JSON or one number a line (those of val2017)",
            str,
            "",
            metavar="FILE",
        ),
    )


def build(kind: Kind, request: Request) -> Built:
    """Build the data set `kind` below the folder `coco`."""
    root, year = request.folder / "coco", year_of(request)
    _check_options(request, year)
    if _is_done(kind, request, year):
        return Built(root, count_lines(root, _names(kind)), 0)
    sources, count = open_sources(request, year)
    train, val = split(request, year, sources)
    train = _filtered(kind, request, sources, train)
    count += obtain_images(request, sources, [*train, *val])
    targets = {image: _target(kind, root, sources, image) for image in (*train, *val)}
    count += _write_labels(kind, sources, targets, request.progress)
    words = {image: (word_of(root, _image(sources, image)), word_of(root, path)) for image, path in targets.items()}
    lists = {kind.train: train, kind.val: val}
    lists |= {name: _drawn(lists[of], number) for name, (of, number) in kind.draws.items()}
    for name, images in lists.items():
        count += write_lists(root, name, [words[image] for image in images])
    write_text(_record(kind, root), _state(kind, request, year))
    return Built(root, count_lines(root, _names(kind)), count)


KIND = Kind("coco", VOC_CLASSES, "SegmentationClass", "train", "val")
FETCHES = (
    "Downloads the images (train2017.zip 19.3 GB, val2017.zip 816 MB) and annotations (253 MB) of COCO 2017; with "
    "--year 2014 train2014.zip (13.5 GB), val2014.zip (6.6 GB) and both years' annotations."
)

BUILDER = Builder(
    "coco",
    "MS COCO in VOC's classes",
    FETCHES,
    lambda request: build(KIND, request),
    {"val": 5000},
    options(1000),
)


def _names(kind: Kind) -> list[str]:
    return [kind.train, kind.val, *kind.draws]


def _check_options(request: Request, year: str) -> None:
    least = int(request.options["min_pixels"])
    if least < 0:
        raise InputError(f"--min-pixels {least}: expected a number of pixels, or 0 for all images")
    if request.options.get("minival") and year != "2014":
        raise InputError("--minival is for the release of 2014: add --year 2014; in that of 2017 minival is val2017")


# -- which images are trained on


def _filtered(kind: Kind, request: Request, sources: Sequence[Source], train: Sequence[Image]) -> list[Image]:
    """The images that have more annotated pixels than asked for; says how many each reading of that leaves."""
    least, by = int(request.options["min_pixels"]), str(request.options["filter"])
    if not least:
        return list(train)
    kept: dict[str, list[Image]] = {name: [] for name in Pixels._fields}
    for index, source in enumerate(sources):
        numbers = np.array([image.number for image in train if image.source == index], np.int64)
        pixels = annotated_pixels(source.instances, numbers, class_numbers(source.instances, kind.classes))
        for name, values in pixels._asdict().items():
            kept[name] += [Image(index, int(number)) for number in numbers[values > least]]
    _report(request, kind, len(train), {name: len(images) for name, images in kept.items()}, least, by)
    if not kept[by]:
        print(f"warning: --min-pixels {least}, --filter {by}: no image is left to train on", file=sys.stderr)
    return kept[by]


def _report(request: Request, kind: Kind, every: int, counts: Mapping[str, int], least: int, by: str) -> None:
    root = request.folder / "coco"
    print(
        f"{root}: of {every} images of trainval minus minival, {counts['total']} have more than {least} annotated "
        f"pixels in total, {counts['largest']} in their largest region, {counts['every']} in every region"
    )
    if kind.train == "train" and least == 1000 and abs(counts[by] - _PUBLISHED) > _NEAR:
        print(
            f"warning: {kind.train} has {counts[by]} images, but DeepLab v3 says about {_PUBLISHED}; it does not say "
            "which pixels it counts: --filter largest or every counts others",
            file=sys.stderr,
        )


def _drawn(images: Sequence[Image], number: int) -> list[Image]:
    """So many images, evenly spread over a list."""
    number = min(number, len(images))
    return [images[place * len(images) // number] for place in range(number)]


# -- labels


def _image(sources: Sequence[Source], image: Image) -> Path:
    source = sources[image.source]
    return source.path(source.instances.images[image.number])


def _target(kind: Kind, root: Path, sources: Sequence[Source], image: Image) -> Path:
    return root / kind.labels / _image(sources, image).with_suffix(".png").name


def _write_labels(kind: Kind, sources: Sequence[Source], targets: Mapping[Image, Path], progress: bool) -> int:
    classes = [class_numbers(source.instances, kind.classes) for source in sources]
    with ExitStack() as stack:
        handles = [stack.enter_context(open(source.instances.path, "rb")).fileno() for source in sources]

        def label_of(image: Image) -> Label:
            source = sources[image.source]
            _check_size(source, image.number)
            return draw_label(source.instances, handles[image.source], image.number, classes[image.source])

        return write_labels(targets, label_of, kind.labels, progress=progress)


def _check_size(source: Source, number: int) -> None:
    row = source.instances.images[number]
    height, width = image_size(source.path(row))
    if (height, width) != (row.height, row.width):
        raise InputError(
            f"{source.path(row)}: {width}×{height} pixels, but {source.instances.path} has {row.width}×{row.height} "
            "for this image; one of them is damaged or another file"
        )


# -- what was built before


def _record(kind: Kind, root: Path) -> Path:
    return root / "list" / f"{kind.name}.built.json"


def _state(kind: Kind, request: Request, year: str) -> str:
    """What the lists and labels depend on, as JSON: the options, and size and time of the annotations."""
    files = [(str(path), os.stat(path).st_size, os.stat(path).st_mtime_ns) for path in files_of(request, year)]
    options: dict[str, Any] = dict(sorted(request.options.items()))
    return json.dumps({"year": year, "options": options, "files": files}, indent=1) + "\n"


def _is_done(kind: Kind, request: Request, year: str) -> bool:
    """Whether the same was built before, and all lists, images and labels are there."""
    root = request.folder / "coco"
    lists = [root / "list" / f"{name}.txt" for name in _names(kind)]
    record = _record(kind, root)
    if not all(path.is_file() for path in (record, *lists, *files_of(request, year))):
        return False
    if read_text(record) != _state(kind, request, year):
        return False
    entries = [entry for path in lists if path.stat().st_size for entry in read_list(path)]
    return all(Path(full_path(root, word or "")).is_file() for e in entries for word in (e.image, e.label))
