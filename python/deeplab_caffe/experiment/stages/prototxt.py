"""The stage `prototxt`: writes the nets and solvers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...nets import generate, write_files
from ..folder import Experiment
from ..hand_edits import origin_files, with_edits


def prototxt_inputs(experiment: Experiment) -> Sequence[Any]:
    edited = origin_files(experiment)
    return [experiment.prepared_dataset, experiment.name, dict(experiment.options.stated()), _force(), *edited]


def prototxt_outputs(experiment: Experiment) -> list[Path]:
    return [experiment.prototxt / f"{name}.prototxt" for name in ("train", "test", "deploy", "solver")]


def write_prototxt(experiment: Experiment) -> None:
    """Write the nets and solvers; manually edited files are kept, unless FORCE=1."""
    files = with_edits(experiment, generate(experiment.name, experiment.options))
    print(write_files(experiment.prototxt, files, _force()))


def _force() -> bool:
    return os.environ.get("FORCE") == "1"
