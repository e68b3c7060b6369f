"""Nets and solvers that were edited by hand: what was changed, and the same change in nets made for other data."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Mapping
from pathlib import Path

from ..errors import InputError
from ..formats.prototxt import Document
from ..inspection.carry_over import carry_over
from ..inspection.diff import diff_documents
from ..inspection.diff_text import summary
from ..nets import (
    Options,
    add_arguments,
    from_arguments,
    full_name,
    generate,
    is_untouched,
    made_by,
    prototxt_folder,
    signed_anew,
)
from .layout import Experiment

#: fields that every experiment has for itself
_OWN = ("train_net", "snapshot_prefix", "source", "root_folder")


def hand_edits(experiment: Experiment) -> dict[str, list[str]]:
    """What was changed by hand in an experiment's nets and solvers: file → short lines, `fc6: dilation 12 → 6`.

    A file that was edited without changing its meaning has no lines; one whose generated form is not known says so.
    """
    found = {str(path): _changes(path) for path in edited_files(experiment.prototxt)}
    return {path: lines for path, lines in found.items() if lines} | _carried(experiment)


def edited_files(folder: Path) -> list[Path]:
    """The generated nets and solvers of a folder that someone has edited."""
    return [path for path in sorted(folder.glob("*.prototxt")) if _is_edited(path)]


def origin_files(experiment: Experiment) -> list[Path]:
    """The files whose edits an experiment on other data takes over."""
    return edited_files(Path(prototxt_folder(experiment.origin))) if experiment.origin else []


def with_edits(experiment: Experiment, files: Mapping[str, str]) -> dict[str, str]:
    """Generated files with what was changed by hand in those of the model that the experiment is named after."""
    carried = dict(files)
    for path in origin_files(experiment):
        before = _generated(path)
        if path.name not in files or before is None:
            continue
        target = Document(files[path.name], f"{experiment.prototxt / path.name}")
        text = carry_over(Document(before, str(path)), Document.read(path), target, _OWN)
        carried[path.name] = signed_anew(text, f"Changed as {path} was by hand.")
    return carried


def _carried(experiment: Experiment) -> dict[str, list[str]]:
    return {str(path): lines for path in origin_files(experiment) if (lines := _changes(path))}


def _is_edited(path: Path) -> bool:
    text = path.read_text(encoding="utf-8", errors="replace")
    return made_by(text) is not None and not is_untouched(text)


def _changes(path: Path) -> list[str]:
    before = _generated(path)
    if before is None:
        return ["edited by hand; what it was made from cannot be made again"]
    return summary(diff_documents(Document(before, f"{path}, as generated"), Document.read(path)))


def _generated(path: Path) -> str | None:
    """The text that a file had when it was made: what its header's command makes; None if that makes nothing."""
    words = shlex.split(made_by(path.read_text(encoding="utf-8", errors="replace")) or "")
    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    parser.add_argument("name")
    add_arguments(parser)
    try:
        arguments, unknown = parser.parse_known_args(words[2:])
        options: Options = from_arguments(arguments)
        return None if unknown else generate(full_name(arguments.name), options).get(path.name)
    except (InputError, argparse.ArgumentError):
        return None
