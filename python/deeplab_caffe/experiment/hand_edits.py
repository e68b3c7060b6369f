"""Manual edits of generated nets and solvers: what was changed, and the same edits for nets on other data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..errors import InputError
from ..formats.prototxt import Document
from ..formats.signature import EDITS_OF
from ..inspection.diff import diff_documents
from ..inspection.diff_text import summary
from ..inspection.transplant import transplant
from ..nets import base_of, is_untouched, made_by, prototxt_folder, regenerated, signed_anew
from .folder import Experiment

#: fields whose values belong to each experiment and are not carried over
_OWN = ("train_net", "snapshot_prefix", "source", "root_folder")


def hand_edits(experiment: Experiment) -> dict[str, list[str]]:
    """The manual edits of an experiment's nets and solvers.

    Returns:
        {file: short lines such as `fc6: dilation 12 → 6`}. Files whose meaning did not change are left out; a file
        that cannot be compared with what was generated has one line that says so.
    """
    paths = [*edited_files(experiment.prototxt), *origin_files(experiment)]
    found = {str(path): _changes(path) for path in paths}
    return {path: lines for path, lines in found.items() if lines}


def edited_files(folder: Path) -> list[Path]:
    """The generated nets and solvers of a folder that were edited since."""
    return [path for path in sorted(folder.glob("*.prototxt")) if _is_edited(path)]


def origin_files(experiment: Experiment) -> list[Path]:
    """The edited files of the published model whose edits an experiment on other data takes over."""
    return edited_files(Path(prototxt_folder(experiment.origin))) if experiment.origin else []


def with_edits(experiment: Experiment, files: Mapping[str, str]) -> dict[str, str]:
    """Generated files with the manual edits of the published model applied.

    Args:
        files: file name → text, as generated for the experiment.

    Raises:
        InputError: an edit has no place in the experiment's net.
    """
    carried = dict(files)
    for path in origin_files(experiment):
        if path.name not in files:
            continue
        edited = Document.read(path)
        target = Document(files[path.name], f"{experiment.prototxt / path.name}")
        text = transplant(_started_from(edited)[0], edited, target, _OWN)
        carried[path.name] = signed_anew(text, f"{EDITS_OF}{path}.")
    return carried


def _is_edited(path: Path) -> bool:
    text = path.read_text(encoding="utf-8", errors="replace")
    return made_by(text) is not None and not is_untouched(text)


def _changes(path: Path) -> list[str]:
    try:
        edited = Document.read(path)
        base, is_it = _started_from(edited)
        found = summary(diff_documents(base, edited))
    except InputError as error:
        return [f"edited by hand; cannot tell what was changed ({error})"]
    remark = [] if is_it or not found else ["compared with what its command makes now, the text before is not known"]
    return [*found, *remark]


def _started_from(edited: Document) -> tuple[Document, bool]:
    """The generated text that an edit started from, and True; or what its command makes now, if that is not known."""
    try:
        return base_of(edited), True
    except InputError:
        return regenerated(edited), False
