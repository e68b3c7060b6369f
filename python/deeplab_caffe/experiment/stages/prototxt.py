"""The stage `prototxt`: writes the nets and solvers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...nets import generate, write_files
from ...package_files import or_packaged
from ..class_weights import class_weight_inputs, write_class_weights
from ..folder import Experiment
from ..hand_edits import origin_files, with_edits


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
    """Write the nets and solvers, and the weights of the classes; edited nets are kept, unless FORCE=1."""
    files = with_edits(experiment, generate(experiment.name, experiment.options))
    write_class_weights(experiment.name, experiment.options)
    print(write_files(experiment.prototxt, files, _force()))


def _force() -> bool:
    return os.environ.get("FORCE") == "1"
