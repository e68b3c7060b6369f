"""The synthetic sample as a folder in VOC's layout."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import InputError
from ...files import replacing, write_text
from ...lazy import imported_on_use
from ...progress import tracked
from ...reading import read_json
from ...threads import mapped
from ..labels import voc_palette, write_label
from ..lists import ListEntry, write_list
from .scene import CLASSES, draw_image

if TYPE_CHECKING:
    import cv2
    import numpy as np
else:
    cv2 = imported_on_use("cv2")
    np = imported_on_use("numpy")

VERSION = 2  # increase it if the images or dataset.toml change: samples of older versions are then drawn again
STAMP = "synthetic.json"


def draw_sample(
    folder: str | os.PathLike[str], train: int = 240, val: int = 60, seed: int = 0, progress: bool = False
) -> Path:
    """Draw the sample into `folder`, in VOC's layout; returns its data set description, dataset.toml.

    JPEGImages/*.jpg, SegmentationClass/*.png (indices with VOC's colours, 255 on outlines),
    ImageSets/Segmentation/{train,val}.txt, list/{train,val}.txt for ImageSegData and list/*_id.txt.
    A complete sample of the same version and settings is kept; another one made by this function is replaced.

    Args:
        folder: where to write it.
        train, val: the number of images in each list.
        seed: of the random numbers.
        progress: show a progress bar.

    Raises:
        InputError: the folder has files that this function did not write, or a count is below 1.
    """
    if train < 1 or val < 1:
        raise InputError(f"synthetic sample: train={train}, val={val}; expected at least one image in each")
    folder = Path(folder)
    settings = {"version": VERSION, "train": train, "val": val, "seed": seed}
    if _stamp(folder) == {**settings, "finished": True} and all(path.is_file() for path in _files(folder, train + val)):
        return folder / "dataset.toml"
    _write_stamp(folder, settings, finished=False)
    _draw_images(folder, train + val, seed, progress)
    _write_lists(folder, "train", range(train))
    _write_lists(folder, "val", range(train, train + val))
    write_text(folder / "dataset.toml", description())
    _write_stamp(folder, settings, finished=True)
    return folder / "dataset.toml"


def _stamp(folder: Path) -> dict[str, Any] | None:
    """The stamp of the sample in a folder; None if it is empty; InputError if it has other files."""
    path = folder / STAMP
    if path.is_file():
        try:
            stamp = read_json(path)
        except InputError:
            stamp = None
        if isinstance(stamp, dict) and "version" in stamp:
            return stamp
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: not empty and not a synthetic sample (no {STAMP}); choose another folder")
    return None


def _write_stamp(folder: Path, settings: dict[str, int], finished: bool) -> None:
    write_text(folder / STAMP, json.dumps({**settings, "finished": finished}) + "\n")


def _name(index: int) -> str:
    return f"sample_{index:06d}"


def _files(folder: Path, count: int) -> Iterator[Path]:
    """All files of a sample with so many images, except its stamp."""
    yield folder / "dataset.toml"
    for part in ("train", "val"):
        yield from (folder / "list" / f"{part}.txt", *_id_lists(folder, part))
    for index in range(count):
        yield from (_image(folder, index), _label(folder, index))


def _id_lists(folder: Path, part: str) -> tuple[Path, Path]:
    return folder / "list" / f"{part}_id.txt", folder / "ImageSets" / "Segmentation" / f"{part}.txt"


def _image(folder: Path, index: int) -> Path:
    return folder / "JPEGImages" / f"{_name(index)}.jpg"


def _label(folder: Path, index: int) -> Path:
    return folder / "SegmentationClass" / f"{_name(index)}.png"


def _draw_images(folder: Path, count: int, seed: int, progress: bool) -> None:
    """Draw all images and remove those of an earlier, larger sample."""
    palette = voc_palette()

    def draw(index: int) -> None:
        image, label = draw_image(seed, index)
        with replacing(_image(folder, index)) as path:
            bgr = np.ascontiguousarray(image[..., ::-1])
            if not cv2.imwrite(os.fspath(path), bgr, [cv2.IMWRITE_JPEG_QUALITY, 92]):
                raise InputError(f"{path}: cannot write the image; is the disk full?")
        write_label(_label(folder, index), label, palette)

    drawn = mapped(draw, range(count))
    for _ in tracked(drawn, "drawing", count) if progress else drawn:
        pass
    kept = {_name(index) for index in range(count)}
    for path in [*folder.glob("JPEGImages/sample_*.jpg"), *folder.glob("SegmentationClass/sample_*.png")]:
        if path.stem not in kept:
            path.unlink()


def _write_lists(folder: Path, part: str, indices: Sequence[int]) -> None:
    names = [_name(index) for index in indices]
    lines = enumerate(names, 1)
    entries = [ListEntry(f"/JPEGImages/{name}.jpg", f"/SegmentationClass/{name}.png", line) for line, name in lines]
    write_list(folder / "list" / f"{part}.txt", entries)
    for path in _id_lists(folder, part):
        write_text(path, "".join(f"{name}\n" for name in names))


def description() -> str:
    """The text of dataset.toml."""
    classes = ", ".join(json.dumps(name) for name in CLASSES)
    return f"""# Written with the images beside it by deeplab_caffe.data.synthetic.
name = "synthetic"
title = "Synthetic sample"
root = "."
classes = [{classes}]
ignore_label = 255
crop = [161, 161]
test_size = [321, 321]

[lists]
train = "list/train.txt"
val = "list/val.txt"
"""
