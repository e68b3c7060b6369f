"""The files of COCO: archives of 2014 and 2017, which images train and minival are, and where the images lie.

Training uses trainval minus minival, tests use minival: 5,000 images of val2014. The release of 2017 cut the same
images anew: val2017 is minival, and train2017 is the rest of train2014 and val2014. So the files of 2017 are all that
is needed, and those of 2014 need the numbers of minival, from `instances_val2017.json` or a file of the user's.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ...errors import InputError
from ...reading import read_text
from .coco_json import ImageRow, Instances, read_instances
from .json_stream import items
from .pieces import Need, Piece, absent, obtain
from .request import Request

_SITE = "http://images.cocodataset.org"
_MINIVAL = 5000


def _images(name: str, size: int, md5: str) -> Piece:
    return Piece(f"{name}.zip", f"{_SITE}/zips/{name}.zip", size, size * 5 // 4, md5, into="coco")


def _annotations(year: str, size: int, md5: str) -> Piece:
    name = f"annotations_trainval{year}.zip"
    return Piece(name, f"{_SITE}/annotations/{name}", size, 4 * 10**9, md5, lambda entry: "instances_" in entry, "coco")


ANNOTATIONS = {
    "2014": _annotations("2014", 252872794, "0a379cfc70b0e71301e0f377548639bd"),
    "2017": _annotations("2017", 252907541, "f4bbac642086de4f52a3fdda2de5fa2c"),
}


class Part(NamedTuple):
    """A published part: its name, its images' archive, and the published number of images."""

    name: str
    archive: Piece
    size: int


PARTS = {
    "2014": (
        Part("train2014", _images("train2014", 13510573713, "0da8cfa0e090c266b78f30e2d2874f1a"), 82783),
        Part("val2014", _images("val2014", 6645013297, "a3d79f5ed8d289b7a7554ce06a5782b3"), 40504),
    ),
    "2017": (
        Part("train2017", _images("train2017", 19336861798, "cced6f7f71b7629ddf16f17bbcfab6b2"), 118287),
        Part("val2017", _images("val2017", 815585330, "442b8da7639aecaf257c1dceb8ba8c80"), 5000),
    ),
}


class Source(NamedTuple):
    """A part with its instances and the folder of its images."""

    part: Part
    instances: Instances
    folder: Path

    def path(self, image: ImageRow) -> Path:
        return self.folder / image.name


class Image(NamedTuple):
    """An image of a source, by its number."""

    source: int
    number: int


def year_of(request: Request) -> str:
    """The release that is used: as asked for, else 2017, unless only the instances of 2014 are there."""
    asked, root = str(request.options.get("year") or ""), request.folder / "coco"
    only_2014 = _json(root, "train2014").is_file() and not _json(root, "train2017").is_file()
    return asked or ("2014" if only_2014 else "2017")


def files_of(request: Request, year: str) -> list[Path]:
    """The JSON files that the lists and labels depend on."""
    root, minival = request.folder / "coco", request.options.get("minival")
    files = [_json(root, part.name) for part in PARTS[year]]
    return files if year == "2017" else [*files, Path(minival) if minival else _json(root, "val2017")]


def open_sources(request: Request, year: str) -> tuple[list[Source], int]:
    """Find or fetch annotations and images, and read the instances; also how many pieces were fetched or unpacked."""
    root = request.folder / "coco"
    jsons = files_of(request, year)
    needs = [Need(ANNOTATIONS[year], lambda: absent(jsons[:2]))]
    if year == "2014" and not request.options.get("minival"):
        needs.append(Need(ANNOTATIONS["2017"], lambda: absent(jsons[2:])))
    needs += [_need_of_folder(root, part) for part in PARTS[year]]
    count = obtain(request, *needs)
    sources = []
    for part, path in zip(PARTS[year], jsons, strict=False):
        instances = read_instances(path)
        _compare(path, len(instances.images), part.size)
        sources.append(Source(part, instances, _folder(root, part, instances)))
    return sources, count


def _need_of_folder(root: Path, part: Part) -> Need:
    places = _folders(root, part)
    return Need(part.archive, lambda: [] if any(place.is_dir() for place in places) else [places[0]])


def obtain_images(request: Request, sources: Sequence[Source], chosen: Sequence[Image]) -> int:
    """Fetch or unpack the archives of the images in the lists of which one is missing."""
    needs = [_need_of_images(source, index, chosen) for index, source in enumerate(sources)]
    return obtain(request, *needs)


def _need_of_images(source: Source, index: int, chosen: Sequence[Image]) -> Need:
    rows = [source.instances.images[image.number] for image in chosen if image.source == index]
    return Need(source.part.archive, lambda: absent([*map(source.path, rows)]))


def split(request: Request, year: str, sources: Sequence[Source]) -> tuple[list[Image], list[Image]]:
    """The images of trainval minus minival, and those of minival, sorted by number within each part."""
    every = [[Image(i, number) for number in sorted(source.instances.images)] for i, source in enumerate(sources)]
    if year == "2017":
        return every[0], every[1]
    minival = minival_numbers(files_of(request, year)[2])
    lacking = minival - {image.number for image in every[1]}
    if lacking:
        raise InputError(
            f"{files_of(request, year)[2]}: {len(lacking)} of its {len(minival)} images are not in "
            f"{sources[1].instances.path}, such as {min(lacking)}; expected images of val2014"
        )
    return (
        [image for images in every for image in images if image.number not in minival],
        [image for image in every[1] if image.number in minival],
    )


def minival_numbers(path: Path) -> set[int]:
    """The numbers of minival's images: of the images in a JSON of instances, or one a line in a text file.

    Raises:
        InputError: the file is missing or neither.
    """
    if path.suffix == ".json":
        numbers = {
            item.value.get("id") for item in items(path) if item.key == "images" and isinstance(item.value, dict)
        }
    else:
        words = read_text(path, "the list of minival").split()
        numbers = {int(word) if word.isdecimal() and len(word) < 19 else None for word in words}
    if not numbers or not all(type(number) is int for number in numbers):
        raise InputError(f"{path}: expected the numbers of minival's images: instances as JSON, or one number a line")
    if len(numbers) != _MINIVAL:
        print(f"warning: {path}: {len(numbers)} images, but the published minival has {_MINIVAL}", file=sys.stderr)
    return {number for number in numbers if number is not None}


def _json(root: Path, part: str) -> Path:
    return root / "annotations" / f"instances_{part}.json"


def _folders(root: Path, part: Part) -> list[Path]:
    return [root / part.name, root / "images" / part.name, root / "JPEGImages"]


def _folder(root: Path, part: Part, instances: Instances) -> Path:
    """The folder that has the first of the images; that of the archive if none has."""
    first = next(iter(instances.images.values()))
    return next((place for place in _folders(root, part) if (place / first.name).is_file()), root / part.name)


def _compare(path: Path, count: int, published: int) -> None:
    if count != published:
        print(f"warning: {path}: {count} images, but the published file has {published}", file=sys.stderr)
