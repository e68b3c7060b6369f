"""Finds the label files and results of a list in folders of any tool, reads them, and counts them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import Label
from ..data import Dataset, ListEntry, check_labels, list_ids, read_image, read_label, read_list
from ..data.images import IMAGE_SUFFIXES
from ..data.label_statistics import LabelCounts, examine
from ..data.labels import VALUES
from ..errors import InputError
from ..evaluation import Counts, Pair, Trimap, count_pairs, refuse
from ..lazy import imported_on_use
from .results import unique_ids

if TYPE_CHECKING:
    from PIL import Image
else:
    Image = imported_on_use("PIL.Image")

_SHOWN_COLOURS = 3


@dataclass(frozen=True)
class Truth:
    """The images to score: the ids, ground truth and, where the list names them, the images of a list.

    Attributes:
        dataset: classes, colours and ignore label.
        where: the list, for messages and records.
        entries: of the list.
        ids: of the entries.
        labels: their label files.
    """

    dataset: Dataset
    where: str
    entries: tuple[ListEntry, ...]
    ids: tuple[str, ...]
    labels: tuple[Path, ...]


def ground_truth(dataset: Dataset, list_name: str, labels: str | os.PathLike[str] | None = None) -> Truth:
    """The images to score.

    Args:
        dataset: the data set.
        list_name: the name of one of the data set's lists; or a list file, of ids or of images and labels.
        labels: folder of the label files; None: those that the list names.

    Raises:
        InputError: the list cannot be read, names an image twice or no labels, or label files are missing.
    """
    path = dataset.list_file(list_name)
    entries = [_with_suffix(entry) for entry in read_list(path, needs_label=False)]
    if labels is None and (bare := next((entry for entry in entries if entry.label is None), None)):
        raise InputError(
            f"{path}:{bare.line}: the list names no label; say where the ground truth is with --labels FOLDER"
        )
    ids = unique_ids(entries, path)
    if labels is not None:
        files = find_files(labels, entries, "labels", lambda entry: entry.label)
    else:
        files = [Path(dataset.path_of(entry.label or "")) for entry in entries]
        _check_exist(files, "label files missing", f"{path}: check `root` in {dataset.file}, or use --labels")
    return Truth(dataset, str(path), tuple(entries), tuple(ids), tuple(files))


def _with_suffix(entry: ListEntry) -> ListEntry:
    """An entry whose id may have a dot: what is no suffix of an image is not taken off as one."""
    is_id = entry.label is None and os.path.splitext(entry.image)[1].lower() not in IMAGE_SUFFIXES
    return replace(entry, image=f"{entry.image}.png") if is_id else entry


def find_files(
    folder: str | os.PathLike[str],
    entries: Sequence[ListEntry],
    what: str,
    own: Callable[[ListEntry], str | None] = lambda entry: None,
) -> list[Path]:
    """The PNG file of each entry of a list in a folder, whichever way its maker named them.

    Files may be named by the image's id, by its path from any folder on, or by the word `own` of the entry (its label);
    that way is taken by which most are found.

    Args:
        folder: where to look.
        entries: of the list.
        what: what the folder holds, for messages.
        own: the word of an entry that may name the file too.

    Raises:
        InputError: the folder does not exist, or files are missing: says how many, and names the first.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected a folder of {what}, PNG files named by the list's ids")
    best: list[Path] = []
    most = -1
    for names in _namings(entries, own):
        files = [folder / name for name in names]
        found = sum(map(os.path.isfile, files))
        if found > most:
            best, most = files, found
        if found == len(entries):
            return best
    _check_exist(best, f"{what} missing", f"{folder}: expected a PNG file for each line of the list")
    return best


def _namings(entries: Sequence[ListEntry], own: Callable[[ListEntry], str | None]) -> Iterable[list[str]]:
    """Names of the entries' files, one list for each way to name them; each way names all differently."""
    ways = [[f"{name}.png" for name in list_ids(entries)]]
    images = [_relative(os.path.splitext(entry.image)[0]) for entry in entries]
    ways += [[f"{name}.png" for name in names] for names in _tails(images)]
    words = [own(entry) for entry in entries]
    ways += _tails([_relative(word) for word in words if word]) if all(words) else []
    for way in ways:
        if len(set(way)) == len(entries):
            yield way


def _tails(paths: Sequence[str]) -> list[list[str]]:
    """The last part of each path, the last two, and so on, up to the whole of all."""
    parts = [path.split("/") for path in paths]
    return [["/".join(each[-count:]) for each in parts] for count in range(1, max(map(len, parts), default=0) + 1)]


def _relative(word: str) -> str:
    """A word of a list as a path below a folder, which '..' does not leave."""
    return os.path.normpath("/" + word).lstrip("/")


def _check_exist(files: Sequence[Path], what: str, where: str) -> None:
    missing = [str(path) for path in files if not path.is_file()]
    try:
        refuse(missing, max(len(files), 2), what)
    except InputError as error:
        raise InputError(f"{error}\n{where}") from None


def count_results(truth: Truth, results: Sequence[Path], trimap: Trimap | None = None, what: str = "score") -> Counts:
    """Count results against the ground truth of a list.

    Args:
        truth: the ground truth.
        results: the result of each of its images.
        trimap: bands to count as well.
        what: title of the progress.

    Raises:
        InputError: as `count_pairs`.
    """
    pairs = [Pair(*row) for row in zip(truth.ids, truth.labels, results, strict=True)]
    dataset = truth.dataset

    def read(pair: Pair) -> tuple[Label, Label]:
        label = read_indices(pair.label, dataset)
        check_labels(label, dataset.num_classes, dataset.ignore_label, pair.label)
        return label, read_indices(pair.result, dataset)

    return count_pairs(pairs, read, dataset.num_classes, dataset.ignore_label, trimap, what)


def count_folder(
    dataset: Dataset, list_name: str, folder: Path, trimap: Trimap | None = None, what: str = "score"
) -> Counts:
    """Count the results <id>.png of an experiment's folder against the ground truth of a list of the data set."""
    truth = ground_truth(dataset, str(dataset.list_path(list_name)))
    try:
        results = find_files(folder, truth.entries, "results")
    except InputError as error:
        raise InputError(f"{error}; run the stage that writes them again, with --force") from None
    return count_results(truth, results, trimap, what)


def read_indices(path: Path, dataset: Dataset) -> Label:
    """Read a label file or result, (H, W); one with the palette's colours in it is refused with what to do."""
    try:
        return read_label(path)
    except InputError as error:
        cause = _cause_in_colours(_colours(path), dataset) if _has_colours(path) else ""
        if not cause:
            raise
        raise InputError(f"{path}: {cause}") from error


def _has_colours(path: Path) -> bool:
    """Whether an image file has three channels or more; a grey one of 16 bits has not."""
    try:
        with Image.open(path) as image:
            return len(image.getbands()) >= 3
    except Exception:  # Pillow raises almost anything on damaged bytes
        return False


def _cause_in_colours(colours: set[tuple[int, ...]], dataset: Dataset) -> str:
    """What an image in place of label indices is, by its colours; empty if that cannot be told."""
    known = {tuple(colour) for colour in dataset.palette.tolist()} & colours
    if len(known) >= 2 and 2 * len(known) >= len(colours):
        others = sorted(colours - known)
        rest = f", the others are {', '.join(map(str, others[:_SHOWN_COLOURS]))}" if others else ""
        return (
            f"a colour image with the palette's colours in place of class indices: {len(known)} of its {len(colours)} "
            f"colours are of the palette{rest}. Make indices of it: deeplab dataset convert-labels FOLDER "
            f"-o NEW_FOLDER --data {dataset.file}"
        )
    if colours and all(len(set(colour)) == 1 for colour in colours):
        return "a colour image whose three channels are equal; save one of them alone, as an 8-bit grey PNG"
    return ""


def _colours(path: Path) -> set[tuple[int, ...]]:
    """The colours of an image file, RGB; none if it is no image, or has more than a palette can."""
    try:
        pixels = read_image(path).astype(np.uint32)
    except InputError:
        return set()
    values = np.unique(pixels[..., 0] << 16 | pixels[..., 1] << 8 | pixels[..., 2])
    return {(int(v) >> 16, int(v) >> 8 & 255, int(v) & 255) for v in values} if len(values) <= VALUES else set()


def label_warnings(truth: Truth, counts: Counts) -> list[str]:
    """What may be wrong with labels that were counted, such as all pixels of one class.

    Raises:
        InputError: no pixel is scored.
    """
    dataset = truth.dataset
    files = np.zeros((len(counts.ids), VALUES), np.int64)
    files[:, : dataset.num_classes] = counts.images[:, 1]
    files[:, dataset.ignore_label] = counts.ignored
    found = examine([], [LabelCounts(truth.where, files, dataset.classes, dataset.ignore_label, trained=False)])
    if found.errors:
        raise InputError("\n".join(found.errors))
    return found.warnings
