"""Nets of one experiment that compute different things, so that weights of one would mean nothing in another."""

from __future__ import annotations

from ..errors import InputError
from ..inspection.lint import Linter, chosen
from ..nets import generated_pairs, prototxt_folder
from .folder import Experiment
from .hand_edits import origin_files

RULE = "different-nets"


def refuse_different_nets(experiment: Experiment) -> None:
    """Check that the nets of an experiment compute the same, unless it may train different ones.

    Raises:
        InputError: a net differs from the training net; names layer, field, values and places, and the ways out.
    """
    train = experiment.prototxt / "train.prototxt"
    if experiment.allow_different_nets or not train.is_file():
        return
    found = Linter(chosen([RULE]), generator=generated_pairs).lint(train)
    if found:
        lines = [f"  {f.file}:{f.line}:{f.column}: {f.layer}: {f.message}" for f in found]
        folder = prototxt_folder(experiment.origin) if origin_files(experiment) else experiment.prototxt
        ways = (
            f"`deeplab prototxt sync {folder}` carries the edits of train.prototxt over to the others; "
            "--allow-different-nets goes on as they are"
        )
        raise InputError("\n".join([f"{experiment.prototxt}: the nets compute different things:", *lines, ways]))
