"""What `deeplab score` writes: scores as JSON, CSV and text, the confusion matrix and the trimap as pictures."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import check_labels, read_image
from ..data.images import find_images
from ..errors import InputError
from ..evaluation import Counts, Trimap, confusion_picture, score_files, trimap_curves, trimap_picture
from ..files import write_bytes
from ..locks import locked_folder
from ..spelling import did_you_mean
from .scoring import Truth, read_indices

#: files that are there only with a trimap
BAND_FILES = ("trimap.csv", "trimap.png", "trimap.svg")


@dataclass(frozen=True)
class Images:
    """Where the images of a list are: in a folder, by id, or where the list says; pictures may do without.

    Attributes:
        truth: the list.
        found: {id: file} of a folder; None: the list's own.
    """

    truth: Truth
    found: Mapping[str, Path] | None = None

    @classmethod
    def of(cls, truth: Truth, folder: str | os.PathLike[str] | None) -> Images:
        """The images in a folder, or those of the list; InputError if the folder cannot be listed."""
        return cls(truth, None if folder is None else find_images(folder))

    def read(self, place: int, size: tuple[int, int]) -> NDArray[np.uint8] | None:
        """The image of an entry of the list, (H, W, 3) RGB; None if it cannot be found or has another size.

        Args:
            place: of the entry in the list.
            size: (height, width) that it must have.
        """
        dataset, name = self.truth.dataset, self.truth.ids[place]
        if self.found is None:
            path = Path(dataset.path_of(self.truth.entries[place].image))
        else:
            path = self.found.get(name, self.found.get(name.rpartition("/")[2], Path("/nowhere")))
        if not path.is_file():
            return None
        image = read_image(path, dataset.upright)
        return image if image.shape[:2] == size else None


def summary(truth: Truth, counts: Counts) -> str:
    """The tables that are printed: scores, bands, and the images to look at first."""
    parts = [counts.scores.table(truth.dataset.classes)]
    if counts.trimap:
        parts.append(score_files.trimap_table({"": counts.band_scores()}, counts.trimap))
    if len(counts.ids) > 1:
        parts.append(score_files.worst_table(counts))
    return "\n\n".join(parts) + "\n"


def write_score(
    output: Path, truth: Truth, counts: Counts, about: Mapping[str, Any], images: Images, shown: Sequence[str] = ()
) -> list[str]:
    """Write all files of a score into a folder, each whole or not at all.

    Args:
        output: the folder, which is made.
        truth: the list that was scored.
        counts: what was counted.
        about: further entries of score.json.
        images: for the picture of the trimap.
        shown: ids of the images whose trimap is drawn; none: an example is chosen.

    Returns:
        The names of the files.

    Raises:
        InputError: another process writes into the folder, or a file cannot be read.
    """
    files = _files(truth, counts, about, images, shown)
    with locked_folder(output, f"another score is being written into {output}"):
        write_files(output, files, BAND_FILES)
    return list(files)


def write_files(folder: Path, files: Mapping[str, bytes | str], optional: Sequence[str] = ()) -> None:
    """Write files into a folder.

    Args:
        folder: where to.
        files: {name: content}; text as UTF-8, with bytes of names that are none as they were.
        optional: names of files that an earlier call may have left; those that are not written now are removed first.
    """
    for name in optional:
        if name not in files:
            (folder / name).unlink(missing_ok=True)
    for name, content in files.items():
        data = content if isinstance(content, bytes) else content.encode("utf-8", "surrogateescape")
        write_bytes(folder / name, data)


def _files(
    truth: Truth, counts: Counts, about: Mapping[str, Any], images: Images, shown: Sequence[str]
) -> dict[str, bytes | str]:
    names = truth.dataset.classes
    drawn = confusion_picture(counts.matrix, names)
    files: dict[str, bytes | str] = {
        "score.json": score_files.to_json(score_files.score_record(counts, names, about)),
        "score.txt": summary(truth, counts),
        "classes.csv": score_files.classes_csv(counts, names),
        "images.csv": score_files.images_csv(counts),
        "confusion.csv": score_files.confusion_csv(counts.matrix, names),
        "confusion.png": drawn.png,
        "confusion.svg": drawn.svg,
    }
    if counts.trimap:
        curves = {"": counts.band_scores()}
        files["trimap.csv"] = score_files.trimap_csv(curves)
        files["trimap.png"], files["trimap.svg"] = trimap_curves(curves, counts.trimap.note())
        files |= trimap_pictures(truth, counts, counts.trimap, images, shown)
    return files


def trimap_pictures(
    truth: Truth, counts: Counts, trimap: Trimap, images: Images, shown: Sequence[str]
) -> dict[str, bytes]:
    """{file name: PNG} of the trimap of images (v2, Fig. 10a), of one with many classes if none is named."""
    places = [place_of(truth, name) for name in shown] or [_example(counts)]
    return {
        f"trimap_{truth.ids[place].replace('/', '_')}.png": _picture(truth, trimap, images, place) for place in places
    }


def place_of(truth: Truth, name: str) -> int:
    """The place of an id in a list; InputError if it is not in it."""
    if name not in truth.ids:
        raise InputError(f"{truth.where}: no image '{name}'{did_you_mean(name, truth.ids)}")
    return truth.ids.index(name)


def _example(counts: Counts) -> int:
    """An image with as many classes as any that has a border, and of these one with a usual share of it."""
    classes = (counts.images[:, 1] > 0).sum(1) * (counts.ignored > 0 if counts.ignored.any() else 1)
    most = np.flatnonzero(classes == classes.max())
    return int(most[np.argsort(counts.ignored[most], kind="stable")[len(most) // 2]])


def _picture(truth: Truth, trimap: Trimap, images: Images, place: int) -> bytes:
    dataset = truth.dataset
    label = read_indices(truth.labels[place], dataset)
    check_labels(label, dataset.num_classes, dataset.ignore_label, truth.labels[place])
    image = images.read(place, label.shape)  # type: ignore[arg-type]
    return trimap_picture(image, label, dataset.palette, dataset.ignore_label, trimap)
