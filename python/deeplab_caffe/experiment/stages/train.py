"""The stages `train` and `train2`: training in one or two stages, from the newest snapshot if there is one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ... import engine
from ...engine import Training
from ...errors import InputError
from ...evaluation.training_tables import table_files
from ...formats import schema
from ...formats.definition import read_definition, read_solver
from ...formats.filler_types import FILLER_TYPES
from ...nets import (
    experiment_folder,
    initial_weights,
    prototxt_folder,
    published_names,
    starts_from,
    trained_weights,
)
from .. import provenance
from ..class_weights import not_weighted
from ..different_nets import refuse_different_nets
from ..earlier_trainings import Snapshots
from ..fingerprints import file_contents, fingerprint, net_meaning, solver_meaning
from ..folder import Experiment
from ..hand_edits import hand_edits, origin_files
from ..merging import marks_in
from ..net_inputs import check_data_layers, files, matrices, sources
from ..settings import saved_settings
from ..watching import validation, watcher


def train_inputs(experiment: Experiment) -> Sequence[Any]:
    return _inputs(experiment, "")


def train2_inputs(experiment: Experiment) -> Sequence[Any]:
    return _inputs(experiment, "2")


def _inputs(experiment: Experiment, stage: str, with_files: bool = True) -> list[Any]:
    """Everything the result depends on: solver, net, lists, initial weights, and the images and labels."""
    net = experiment.prototxt / f"train{stage}.prototxt"
    solver = experiment.prototxt / f"solver{stage}.prototxt"
    contents = [file_contents(files(net), experiment.folder / "stages" / "contents.json")] if with_files else []
    read = [*sources(net), *matrices(net)]
    usual = Path(prototxt_folder(experiment.origin), net.name) if experiment.is_variant else None
    return [solver_meaning(solver, usual), net_meaning(net), *read, *contents, *_initial_weights(experiment, stage)]


def _initial_weights(experiment: Experiment, stage: str) -> list[Path]:
    """The file of a stage's initial weights, which may not exist.

    It is model/init<stage>.caffemodel if that exists. Otherwise it is the result of an earlier training: of stage 1
    for stage 2, and for stage 1 of the experiment that the model starts from.
    """
    given = experiment.model / f"init{stage}.caffemodel"
    if given.is_file():
        return [given]
    if stage:
        return [final_weights(experiment)]
    before = starts_from(experiment.name)
    left = _weights_of(before, experiment) if before else None
    return [left if left and left.is_file() else given]


def _weights_of(name: str, experiment: Experiment) -> Path | None:
    """The weights that stage 1 of `<data set>/<model>` leaves, by its solver, or by its recipe if that is not there."""
    solvers = (folder / "solver.prototxt" for folder in _prototxts_before(name, experiment))
    solver = next((path for path in solvers if path.is_file()), None)
    if solver:
        return _weights_left_by(solver)
    return Path(trained_weights(name)) if name in published_names() else None


def _prototxts_before(name: str, experiment: Experiment) -> list[Path]:
    """Where the nets of the model that an experiment starts from may lie.

    They are where its experiment says; that is one beside this experiment's, or the usual one. On other data than its
    publication's, and with options, a model has them in its experiment's folder.
    """
    folders = [_folder_before(name, experiment), Path(experiment_folder(name))]
    said = [Path(nets) for folder in folders if (nets := saved_settings(folder).nets)]
    usual = Path(prototxt_folder(name))
    return [*said, folders[0] / "prototxt", usual, folders[1] / "prototxt"] if experiment.origin else [*said, usual]


def _folder_before(name: str, experiment: Experiment) -> Path:
    return experiment.folder.with_name(name.partition("/")[2])


def train_outputs(experiment: Experiment) -> list[Path]:
    return [final_weights(experiment, "")]


def train2_outputs(experiment: Experiment) -> list[Path]:
    return [final_weights(experiment, "2")]


def tests_other_weights(experiment: Experiment) -> str | None:
    """Why there is nothing to train where a weight file to test is given, or None."""
    given = experiment.testing.weights
    if given is None:
        return None
    first = experiment.model / "init.caffemodel"
    return f"skipped, --weights {given} is tested as it is (initial weights of a training are {first})"


def without_stage2(experiment: Experiment) -> str | None:
    if reason := tests_other_weights(experiment):
        return reason
    if (experiment.prototxt / "solver2.prototxt").is_file():
        return None
    return "skipped, this experiment has no second training stage"


def final_weights(experiment: Experiment, stage: str = "") -> Path:
    """The weights that a finished training stage ("" or "2") leaves; InputError if there is no solver yet."""
    solver = experiment.prototxt / f"solver{stage}.prototxt"
    if not solver.is_file():
        raise InputError(f"{solver} does not exist; run the stage prototxt first")
    return _weights_left_by(solver)


def _weights_left_by(solver: Path) -> Path:
    param = read_solver(solver)
    suffix = ".h5" if param.snapshot_format == schema.SolverParameter.HDF5 else ""
    return Path(f"{param.snapshot_prefix}_iter_{param.max_iter}.caffemodel{suffix}")


def train(experiment: Experiment) -> None:
    """Stage 1, from model/init.caffemodel or random weights; resumes from the newest snapshot.

    Raises:
        InputError: the net needs initial weights that do not exist, or its input is invalid.
        Stopped: a signal stopped the training.
    """
    if _provided_by_user(experiment):
        print(f"{final_weights(experiment)} was provided, not trained here: used as is", flush=True)
        return
    (weights,) = _initial_weights(experiment, "")
    if not weights.is_file():
        _check_random_start(experiment, weights)
    _train(experiment, "", weights if weights.is_file() else None)


def train2(experiment: Experiment) -> None:
    """Stage 2, from model/init2.caffemodel if it exists, otherwise from the weights of stage 1."""
    (weights,) = _initial_weights(experiment, "2")
    if not weights.is_file():
        raise InputError(f"{weights} does not exist; run the stage train first")
    _train(experiment, "2", weights)


def _provided_by_user(experiment: Experiment) -> bool:
    """Whether the final weights exist although no training was ever started."""
    return final_weights(experiment).is_file() and not (experiment.model / "train.json").exists()


def _check_random_start(experiment: Experiment, weights: Path) -> None:
    """Check that a net without initial weights can learn from random ones; say so if its recipe has weights."""
    net = experiment.prototxt / "train.prototxt"
    for p in read_definition(net).param.layer:
        problem = _cannot_learn(p) if p.type == "Convolution" else None
        if problem:
            reason, otherwise = problem
            raise InputError(
                f"{net}: layer '{p.name}' {reason}, so it must start from trained weights: "
                f"{initial_weights(experiment.name)}. Put them at {weights}{_train_before(experiment)}{otherwise}"
            )
    if starts_from(experiment.name):
        print(
            f"note: no initial weights, so all layers start from random ones; {experiment.name} is meant to start from "
            f"{initial_weights(experiment.name)}. Put them at {weights}{_train_before(experiment)}",
            flush=True,
        )


def _cannot_learn(convolution: Any) -> tuple[str, str] | None:
    """Why a convolution cannot start from random weights, and what else to do: from zeros it would never learn."""
    own = convolution.convolution_param
    if not own.HasField("weight_filler"):
        return "has no weight_filler", ", or train from random weights: deeplab prototxt … --from-scratch"
    filler = FILLER_TYPES.get(own.weight_filler.type)
    is_random = filler is not None and not (filler.one_value or filler.is_final)
    if is_random and convolution.param and convolution.param[0].lr_mult == 0:
        return "is frozen (lr_mult 0) and random", ""
    return None


def _train_before(experiment: Experiment) -> str:
    """How to train the model that this one starts from; "" if it starts from none."""
    before = starts_from(experiment.origin or experiment.name)
    if not before:
        return ""
    folder = _folder_before(before, experiment)
    other = f" --data {experiment.dataset_file}" if experiment.origin and not experiment.is_variant else ""
    other += f" --exp {folder}" if experiment.origin and folder != Path(experiment_folder(before)) else ""
    return f", or train them first: deeplab train {before}{other}"


def _train(experiment: Experiment, stage: str, weights: Path | None) -> None:
    refuse_different_nets(experiment)
    solver_file = experiment.prototxt / f"solver{stage}.prototxt"
    for path, lines in hand_edits(experiment).items():
        print(f"{path}, edited by hand: {'; '.join(lines)}", flush=True)
    read = [solver_file, experiment.prototxt / f"train{stage}.prototxt", *origin_files(experiment)]
    for mark in marks_in(read):
        print(f"warning: {mark}; your value is trained, choose one and remove the mark", flush=True)
    check_data_layers(experiment.prototxt / f"train{stage}.prototxt", experiment.dataset())
    if why := not_weighted(experiment, f"train{stage}"):
        print(f"warning: {why}", flush=True)
    snapshots = _snapshots(experiment, stage)
    tested = validation(experiment, stage)
    training = Training(
        solver_file,
        experiment.log(f"train{stage}"),
        weights,
        snapshots.begin,
        try_first=snapshots.must_move,
        watcher=watcher(experiment, stage, tested),
        validation=tested,
    )
    engine.current().train(training)
    net = experiment.prototxt / f"train{stage}.prototxt"
    provenance.record(final_weights(experiment, stage), sources(net), weights, experiment.command)


def forget(experiment: Experiment) -> None:
    """Make stage 1 start from the beginning: its snapshots will be moved to another folder."""
    _snapshots(experiment, "").forget()


def forget2(experiment: Experiment) -> None:
    """Make stage 2 start from the beginning: its snapshots will be moved to another folder."""
    _snapshots(experiment, "2").forget()


def _snapshots(experiment: Experiment, stage: str) -> Snapshots:
    """The snapshots of a stage, and what the training that is wanted now is made of."""
    prefix = Path(read_solver(experiment.prototxt / f"solver{stage}.prototxt").snapshot_prefix)
    wanted = fingerprint(_inputs(experiment, stage))
    former = fingerprint(_inputs(experiment, stage, with_files=False))  # of version 0.1.0
    marker, log = experiment.model / f"train{stage}.json", experiment.log(f"train{stage}")
    return Snapshots(marker, log, prefix, wanted, former, table_files(log.parent, f"train{stage}"))
