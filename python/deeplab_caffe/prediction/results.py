"""The folder of results: which files an image becomes, what made them, and which are finished."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..crf import CRFParameters
from ..errors import InputError
from ..files import write_text
from ..reading import read_json
from .sources import Source

#: the file in a folder of results that says what made them
RECORD = "predict.json"
#: the folders of results
_FOLDERS = ("labels", "labels_crf", "overlay", "probabilities")
#: what a record says of where the model lies, which changes nothing: its content is in the record too
_PLACES = ("net", "weights")
#: what a record has only digests of, in words
_DIGESTS = {"content": "another net or other weights", "colours": "other colours"}


@dataclass(frozen=True)
class Wanted:
    """What is written for each image.

    Attributes:
        overlay: the picture of the labels on the photo.
        probabilities: (C, H, W) float32 as .npy.
        label_frames: the labels of each frame of a video.
        crf: refine the labels with these parameters; None: no CRF.
        opacity, outline, legend: of the overlay; see `Segmentation.overlay`.
    """

    overlay: bool = True
    probabilities: bool = False
    label_frames: bool = False
    crf: CRFParameters | None = None
    opacity: float = 0.55
    outline: int | None = None
    legend: bool = False

    def stated(self) -> dict[str, Any]:
        """What decides the content of the files, as JSON."""
        crf = None if self.crf is None else json.loads(self.crf.to_json())
        return {"crf": crf, "opacity": self.opacity, "outline": self.outline, "legend": self.legend}


class Results:
    """The files below a folder: labels/, labels_crf/, overlay/, probabilities/.

    Args:
        folder: the folder.
        wanted: what is written.
    """

    def __init__(self, folder: Path, wanted: Wanted) -> None:
        self.folder = folder
        self.wanted = wanted

    def files(self, source: Source) -> dict[str, Path]:
        """The files of a source by what they are; the labels of a video's frames are a folder."""
        labels, wanted = ["labels", *(["labels_crf"] if self.wanted.crf else [])], self.wanted
        if source.is_video:
            frames = {what: self.folder / what / source.id for what in labels if wanted.label_frames}
            return {"overlay": self.folder / "overlay" / f"{source.id}.mp4", **frames}
        found = {what: self.folder / what / f"{source.id}.png" for what in labels}
        if wanted.overlay:
            found["overlay"] = self.folder / "overlay" / f"{source.id}.png"
        if wanted.probabilities:
            found["probabilities"] = self.folder / "probabilities" / f"{source.id}.npy"
        return found

    def is_finished(self, source: Source) -> bool:
        """Whether all files exist, and are newer than their source and the record of what made them."""
        try:
            since = max(os.stat(source.path).st_mtime_ns, os.stat(self.folder / RECORD).st_mtime_ns)
            paths = self.files(source).values()
            return all(path.exists() and os.stat(path).st_mtime_ns >= since for path in paths)
        except OSError:
            return False

    def begin(self, made_by: Mapping[str, Any], force: bool) -> None:
        """Write the record, unless it says the same already; then the model may lie elsewhere now.

        Raises:
            InputError: the folder has results of other settings, or files that are not ours, and `force` is not given.
        """
        record, path = {**made_by, **self.wanted.stated()}, self.folder / RECORD
        before = read_json(path) if path.is_file() else None
        if not force:
            self._refuse(record, before)
        if force or not isinstance(before, dict) or _content(before) != _content(record):
            write_text(path, json.dumps(record, indent=1) + "\n")

    def _refuse(self, record: Mapping[str, Any], before: Any) -> None:
        ways = "use another folder (-o), or --force to write them again"
        held = next((what for what in _FOLDERS if any_in(self.folder / what)), None)
        if not held:
            return
        if isinstance(before, dict):
            names = [name for name, value in _content(record).items() if before.get(name) != value]
            if names:
                raise InputError(f"{self.folder}: holds predictions with {_differences(names, before, record)}; {ways}")
        else:
            raise InputError(f"{self.folder / held}: holds files, but no {RECORD} says what made them; {ways}")

    def check_sources(self, sources: Sequence[Source]) -> None:
        """Raise InputError if a result would replace one of the sources."""
        known: dict[tuple[int, int] | None, Source] = {_identity(source.path): source for source in sources}
        known.pop(None, None)
        for source in sources:
            for path in self.files(source).values():
                held = known.get(_identity(path)) or _within(path, sources if source.is_video else ())
                if held is not None:
                    raise InputError(
                        f"{path}: a result would replace the source {held.path} there; use another folder (-o)"
                    )


def _within(folder: Path, sources: Iterable[Source]) -> Source | None:
    """A source in a folder of frames."""
    begin = os.path.realpath(folder) + os.sep
    return next((source for source in sources if os.path.realpath(source.path).startswith(begin)), None)


def _content(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in _PLACES}


def any_in(folder: Path) -> bool:
    """Whether a folder exists and is not empty."""
    return folder.is_dir() and any(folder.iterdir())


def _identity(path: str | os.PathLike[str]) -> tuple[int, int] | None:
    try:
        state = os.stat(path)
    except (OSError, ValueError):
        return None
    return state.st_dev, state.st_ino


def _differences(names: Sequence[str], before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Which settings differ: short ones with their values."""
    shown = [
        _DIGESTS.get(name, f"{name} {before.get(name)} (now {now[name]})")
        for name in names
        if name in _DIGESTS or len(str(now[name])) < 40
    ]
    return ", ".join(shown or [f"another {name}" for name in names])
