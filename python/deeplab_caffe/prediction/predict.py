"""Predictions for many images and videos: read ahead, computed, written behind; damaged ones are named."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import write_label
from ..errors import InputError
from ..evaluation import png
from ..files import cpus, replacing
from ..progress import Progress
from .bounded_queue import worked
from .results import Results
from .segmentation import Segmentation
from .segmenter import LARGEST_WHOLE, Segmenter
from .sources import Source
from .videos import Video, written_video


@dataclass(frozen=True)
class Outcome:
    """What became of an image or a video.

    Attributes:
        source: where it came from.
        status: "done", "skipped" (it was finished before) or "failed".
        files: what was written, by what it is.
        size: (height, width) in pixels.
        shares: the part of the pixels of each class that occurs.
        frames: of a video.
        error: why it failed.
    """

    source: Source
    status: str
    files: dict[str, Path] = field(default_factory=dict)
    size: tuple[int, int] | None = None
    shares: dict[str, float] = field(default_factory=dict)
    frames: int | None = None
    error: str = ""

    def record(self) -> dict[str, Any]:
        """As JSON: the keys that say something."""
        size = None if self.size is None else list(self.size)
        stated: dict[str, Any] = {"source": self.source.path, "status": self.status, "size": size}
        stated |= {"frames": self.frames, "shares": {name: round(part, 6) for name, part in self.shares.items()}}
        stated |= {"files": {what: str(path) for what, path in self.files.items()}, "error": self.error}
        return {key: value for key, value in stated.items() if value}


def predict_all(
    segmenter: Segmenter, sources: Sequence[Source], results: Results, force: bool = False, shown: bool = True
) -> Iterator[Outcome]:
    """Segment images and videos and write their results; finished ones are skipped.

    Args:
        segmenter: the model.
        sources: images and videos.
        results: the folder, which is begun (see `Results.begin`).
        force: work on those that are finished too.
        shown: show the progress on standard error.

    Yields:
        What became of each, the skipped ones first.

    Raises:
        OSError: a result cannot be written.
    """
    skipped = [] if force else [source for source in sources if results.is_finished(source)]
    yield from (Outcome(source, "skipped", results.files(source)) for source in skipped)
    finished = {source.id for source in skipped}
    left = [source for source in sources if source.id not in finished]
    images = [source for source in left if not source.is_video]
    if images:
        yield from _images(segmenter, images, results, len(finished), shown)
    for source in left:
        if source.is_video:
            yield _video(segmenter, source, results, shown)


def _images(
    segmenter: Segmenter, sources: Sequence[Source], results: Results, before: int, shown: bool
) -> Iterator[Outcome]:
    def read(source: Source) -> NDArray[np.uint8]:
        with _named(source):
            return segmenter.read(source.path)

    def compute(source: Source, image: NDArray[np.uint8]) -> Segmentation | Outcome:
        with _named(source):
            found = segmenter.predict(image)
            return _write(source, found, results) if _is_large(found) else found

    def write(source: Source, found: Segmentation | Outcome) -> Outcome:
        with _named(source):
            return found if isinstance(found, Outcome) else _write(source, found, results)

    threads = min(cpus(), 8)
    with Progress("predict", before + len(sources), before, "image", shown) as progress:
        work = worked(sources, read, compute, write, ahead=threads, behind=threads)
        for number, (source, outcome) in enumerate(work, before + 1):
            progress.reach(number)
            yield outcome if isinstance(outcome, Outcome) else Outcome(source, "failed", error=str(outcome))


def _is_large(found: Segmentation) -> bool:
    """Whether the maps of several such images might not fit into the memory: they are written before the next."""
    return found.size[0] * found.size[1] > LARGEST_WHOLE


@contextlib.contextmanager
def _named(source: Source) -> Iterator[None]:
    """A context whose errors name the source."""
    try:
        yield
    except InputError as error:
        raise error if str(error).startswith(source.where) else InputError(f"{source.where}: {error}") from error


def _write(source: Source, found: Segmentation, results: Results) -> Outcome:
    wanted, files = results.wanted, results.files(source)
    last = found.refined(wanted.crf) if wanted.crf else found
    if "probabilities" in files:
        with replacing(files["probabilities"]) as temporary:
            np.save(temporary, found.probabilities)
    if "overlay" in files:
        with replacing(files["overlay"]) as temporary:
            temporary.write_bytes(png(last.overlay(wanted.opacity, wanted.outline, wanted.legend)))
    if "labels_crf" in files:
        write_label(files["labels_crf"], last.labels, found.palette)
    write_label(files["labels"], found.labels, found.palette)
    return Outcome(source, "done", files, found.size, last.shares)


# -- videos


def _video(segmenter: Segmenter, source: Source, results: Results, shown: bool) -> Outcome:
    try:
        with _named(source):
            return _of_video(segmenter, source, results, Video(source.path), shown)
    except InputError as error:
        return Outcome(source, "failed", error=str(error))


def _of_video(segmenter: Segmenter, source: Source, results: Results, video: Video, shown: bool) -> Outcome:
    wanted, files, size = results.wanted, results.files(source), (0, 0)

    def compute(frame: tuple[int, NDArray[np.uint8]], image: NDArray[np.uint8]) -> Segmentation:
        return segmenter.predict(image)

    with ExitStack() as open_files:
        progress = open_files.enter_context(Progress(Path(source.path).name, video.frames, 0, "frame", shown))
        writer = open_files.enter_context(written_video(files["overlay"], video.rate))

        def write(frame: tuple[int, NDArray[np.uint8]], found: Segmentation) -> Segmentation:
            last = found.refined(wanted.crf) if wanted.crf else found
            for what, labels in (("labels", found), ("labels_crf", last)):
                if what in files:
                    write_label(files[what] / f"{frame[0]:06d}.png", labels.labels, found.palette)
            writer.write(last.overlay(wanted.opacity, wanted.outline, "all" if wanted.legend else False))
            return last

        count = 0
        for _, found in worked(enumerate(video, 1), lambda frame: frame[1], compute, write, ahead=1, behind=1):
            if isinstance(found, InputError):
                raise found
            count, size = count + 1, found.size
            progress.reach(count)
    return Outcome(source, "done", files, size, {}, count)
