"""The stage `prototxt`: writes the nets and solvers."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...errors import InputError
from ...formats.prototxt import Document
from ...nets import generate, stated_command, write_files
from ...nets.option_flags import flag_of
from ...package_files import or_packaged
from ..class_weights import class_weight_inputs, write_class_weights
from ..folder import Experiment
from ..hand_edits import edited_files, origin_files, with_edits
from ..merging import merge_files


def prototxt_inputs(experiment: Experiment) -> Sequence[Any]:
    edited = origin_files(experiment)
    counted = class_weight_inputs(experiment.name, experiment.options)
    stated = dict(experiment.options.stated())
    return [or_packaged(experiment.prepared_dataset), experiment.name, stated, _force(), *edited, *counted]


def prototxt_outputs(experiment: Experiment) -> list[Path]:
    weights = ["class_weights.binaryproto"] if experiment.options.class_weights else []
    nets = [f"{name}.prototxt" for name in ("train", "test", "deploy", "solver")]
    return [experiment.prototxt / name for name in [*nets, *weights]]


def write_prototxt(experiment: Experiment) -> None:
    """Write the nets and solvers, and the weights of the classes.

    Edited nets are kept; with `merging` they are merged with what is generated now, with FORCE=1 overwritten.
    """
    merging = experiment.merging
    if merging is not None and _force():
        raise InputError("--merge keeps your edits, FORCE=1 overwrites them; choose one")
    files = with_edits(experiment, generate(experiment.name, experiment.options))
    write_class_weights(experiment.name, experiment.options)  # first: they may be refused
    if merging is None:
        done = write_files(experiment.prototxt, files, _force())
        said = str(done)
    else:
        merged = merge_files(experiment.prototxt, files, merging.base)
        merging.left[:] = merged.left
        said = str(merged)
    print(said)


def refuse_edited(experiment: Experiment, stages: Collection[str]) -> None:
    """Check that the options given now reach the nets of these stages, which stay as they are where they were edited.

    Raises:
        InputError: an option would change a file that was edited by hand.
    """
    read = {f"{role}.prototxt" for stage in stages for role in _READ.get(stage, ())}
    edited = [path for path in edited_files(experiment.prototxt) if path.name in read]
    if _force() or not experiment.given or not edited:
        return
    given = {name: getattr(experiment.options, name) for name in experiment.given}
    if kept := [str(path) for path in edited if _would_change(Document.read(path), given)]:
        stated = " ".join(flag_of(name) for name in experiment.given)
        raise InputError(
            f"{stated}: not possible, because these were edited by hand: {', '.join(kept)}. Make the change there and "
            f"leave the flags out; or merge both with `deeplab prototxt {experiment.name} {stated} --merge`; or write "
            "the files again with FORCE=1"
        )


#: nets and solvers that a stage reads
_READ = {
    "train": ("train", "solver"),
    "train2": ("train2", "solver2"),
    "test": ("test", "deploy"),
}


def _would_change(edited: Document, given: Mapping[str, Any]) -> bool:
    """Whether options change what the command in the header of an edited file makes of it."""
    name, options = stated_command(edited)
    file = Path(edited.filename).name
    before, after = (_body(generate(name, chosen).get(file, "")) for chosen in (options, replace(options, **given)))
    return before != after


def _body(text: str) -> str:
    """A generated file without comments, as those of its header."""
    return "\n".join(line for line in text.splitlines() if not line.startswith("#"))


def _force() -> bool:
    return os.environ.get("FORCE") == "1"
