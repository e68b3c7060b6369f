"""The CRF on the score maps of one folder and the images of another, streamed through a pool of workers."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ...data.images import IMAGE_SUFFIXES, find_images
from ...data.score_maps import find_score_maps
from ...errors import InputError
from ...files import write_text
from ...locks import locked_folder
from ...progress import tracked
from ...temporary_files import remove_leftovers
from ..pool import WorkerPool, open_pool
from .refiner import Refiner, Task

RECORD = "crf.json"  # in the folder of the results: the parameters used


class Failure(NamedTuple):
    """An image that could not be refined, and why."""

    id: str
    message: str


class RefineSummary(NamedTuple):
    """The number of refined images, and the failures."""

    done: int
    failures: tuple[Failure, ...]


def batch_tasks(
    scores: str | os.PathLike[str],
    images: str | os.PathLike[str],
    ids: Sequence[str] | None = None,
    upright: bool = False,
) -> list[Task | Failure]:
    """The tasks for the score maps of a folder, all of them or those in `ids`; a map without an image is a failure.

    upright: images are turned as their EXIF data says.

    Raises InputError if a folder cannot be listed, or no image has a score map.
    """
    maps, pictures = find_score_maps(scores), find_images(images)
    chosen = list(maps) if ids is None else list(dict.fromkeys(ids))
    if not set(chosen) & set(maps) & set(pictures):
        lacking = "have no names in common" if ids is None else "hold nothing that the list names"
        raise InputError(
            f"{os.fspath(scores)} and {os.fspath(images)} {lacking}, for instance {chosen[0]}; wanted "
            f"score maps <id>.npy (or .mat, .npz, .bin, .png) and images <id> with {', '.join(IMAGE_SUFFIXES)}"
        )
    found = (_task(image_id, maps, pictures, Path(scores), Path(images)) for image_id in chosen)
    return [task._replace(upright=upright) if isinstance(task, Task) else task for task in found]


def _task(
    image_id: str, maps: dict[str, Path], pictures: dict[str, Path], scores: Path, images: Path
) -> Task | Failure:
    if image_id not in maps:
        return Failure(image_id, f"{scores}: no score map of '{image_id}'")
    if image_id not in pictures:
        return Failure(image_id, f"{images}: no image of '{image_id}', which {maps[image_id]} has scores of")
    return Task(image_id, maps[image_id], pictures[image_id])


def refine_batch(
    tasks: Sequence[Task | Failure],
    refiner: Refiner,
    *,
    workers: int = 1,
    processes: bool = False,
    scheduler: str | None = None,
    quiet: bool = False,
) -> RefineSummary:
    """Refine all images; an image that fails is reported on standard error, and the others are refined.

    Only a few images per worker are in memory at a time.

    Args:
        tasks: from `batch_tasks`.
        refiner: the parameters and the output.
        workers, processes, scheduler: see `open_pool`.
        quiet: no progress.

    Raises:
        InputError: the results would overwrite the input or cannot be written, another batch is writing
            them, or the scheduler does not answer.
    """
    _keep_inputs(tasks, refiner.folder)
    _prepare(refiner.folder)
    make = functools.partial(_same, refiner)
    with locked_folder(refiner.folder, f"another batch is writing into {refiner.folder}"):
        return _refine(tasks, refiner, lambda: open_pool(make, workers, processes, scheduler), quiet)


def _refine(
    tasks: Sequence[Task | Failure], refiner: Refiner, opened: Callable[[], WorkerPool], quiet: bool
) -> RefineSummary:
    _record(refiner)
    failures = [task for task in tasks if isinstance(task, Failure)]
    for failure in failures:
        _report(failure)
    wanted = [task for task in tasks if isinstance(task, Task)]
    files = [refiner.folder / f"{task.id}.{name}" for task in wanted for name in refiner.formats]
    with _tidied(files), contextlib.closing(opened()) as pool:
        counted: Iterator = pool.run(wanted)
        kinds: Counter[str] = Counter()
        for task, outcome in counted if quiet or not wanted else tracked(counted, "crf", len(wanted)):
            if outcome.message:
                failures.append(Failure(task.id, outcome.message))
                _report(failures[-1])
            else:
                kinds[outcome.kind] += 1
    if kinds and not quiet:
        print(described_kinds(kinds, refiner.reading.confidence), flush=True)
    return RefineSummary(len(tasks) - len(failures), tuple(failures))


def described_kinds(kinds: Mapping[str, int], confidence: float) -> str:
    """What the score maps contain, in one line: the number of maps of each kind."""
    named = [
        f"{kind} ({count} map{'s' * (count != 1)}{f', right with probability {confidence:g}' * (kind == 'labels')})"
        for kind, count in sorted(kinds.items())
    ]
    return f"score maps contain {' and '.join(named)}" + (
        "; all of a folder should contain the same: state it with --kind" if len(named) > 1 else ""
    )


def _record(refiner: Refiner) -> None:
    """Write the parameters of the results into their folder; the file's date is that of their last change."""
    path, text = refiner.folder / RECORD, refiner.parameters.to_json() + "\n"
    if not path.is_file() or path.read_text(encoding="utf-8", errors="replace") != text:
        write_text(path, text)


def _prepare(folder: Path) -> None:
    """Make the folder of the results, and check that it can be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise InputError(f"{folder}: results cannot be written there: {error.strerror}") from None


@contextlib.contextmanager
def _tidied(files: Sequence[Path]) -> Iterator[None]:
    """Remove temporary files: at the start those of a killed run, at the end those of lost workers."""
    remove_leftovers(files)
    try:
        yield
    finally:
        remove_leftovers(files)


def _same(refiner: Refiner) -> Refiner:
    return refiner


def _report(failure: Failure) -> None:
    print(f"{failure.id}: {failure.message}", file=sys.stderr, flush=True)


def _keep_inputs(tasks: Sequence[Task | Failure], folder: Path) -> None:
    read = {path.resolve().parent for task in tasks if isinstance(task, Task) for path in (task.scores, task.image)}
    if folder.resolve() in read:
        raise InputError(f"{folder} holds the input; name another folder for the results")
