"""The stages `train` and `train2`."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..caffe import log
from ..caffe.net_building import read_definition
from ..caffe.signals import SignalHandler
from ..caffe.snapshot import newest
from ..caffe.solver import Solver, read_solver
from ..caffe.solvers import get_solver
from ..errors import InputError
from ..files import write_text
from .layout import Experiment


class Stopped(Exception):
    """Training was stopped by a signal, after a snapshot."""


def train_inputs(experiment: Experiment) -> Sequence[Any]:
    return _inputs(experiment, "")


def train2_inputs(experiment: Experiment) -> Sequence[Any]:
    return [*_inputs(experiment, "2"), *train_outputs(experiment)]


def _inputs(experiment: Experiment, stage: str) -> list[Path]:
    """What the outcome depends on: solver, net, list, initial weights."""
    folder = experiment.prototxt
    net = folder / f"train{stage}.prototxt"
    return [folder / f"solver{stage}.prototxt", net, *_sources(net), _given_weights(experiment, stage)]


def _sources(net: Path) -> list[Path]:
    if not net.is_file():
        return []
    layers = read_definition(net).param.layer
    return [Path(p.image_data_param.source) for p in layers if p.type == "ImageSegData"]


def _given_weights(experiment: Experiment, stage: str) -> Path:
    return experiment.model / f"init{stage}.caffemodel"


def train_outputs(experiment: Experiment) -> list[Path]:
    return [final_weights(experiment, "")]


def train2_outputs(experiment: Experiment) -> list[Path]:
    return [final_weights(experiment, "2")]


def without_stage2(experiment: Experiment) -> str | None:
    if (experiment.prototxt / "solver2.prototxt").is_file():
        return None
    return "this experiment has no second stage"


def final_weights(experiment: Experiment, stage: str = "") -> Path:
    """The `.caffemodel` that a finished stage leaves."""
    solver = experiment.prototxt / f"solver{stage}.prototxt"
    if not solver.is_file():
        return experiment.model / f"train{stage}_iter_?.caffemodel"
    param = read_solver(solver)
    return Path(f"{param.snapshot_prefix}_iter_{param.max_iter}.caffemodel")


def train(experiment: Experiment) -> None:
    """Stage 1, from random weights or model/init.caffemodel; goes on from the newest snapshot there is."""
    weights = _given_weights(experiment, "")
    if not weights.is_file():
        _refuse_without_weights(experiment, weights)
    _train(experiment, "", weights if weights.is_file() else None)


def train2(experiment: Experiment) -> None:
    """Stage 2, from model/init2.caffemodel if there is one, else from stage 1."""
    given = _given_weights(experiment, "2")
    _train(experiment, "2", given if given.is_file() else final_weights(experiment, ""))


def _refuse_without_weights(experiment: Experiment, weights: Path) -> None:
    """A trunk whose layers state no filler would start at zero and never learn."""
    net = experiment.prototxt / "train.prototxt"
    for p in read_definition(net).param.layer:
        if p.type == "Convolution" and not p.convolution_param.HasField("weight_filler"):
            raise InputError(
                f"{net}: layer '{p.name}' states no weight_filler, so it must start from trained weights. Put them at "
                f"{weights} (for LargeFOV: the reduced VGG-16 named vgg16_20M.caffemodel), or train from random "
                "weights: deeplab prototxt … --from-scratch"
            )


def _train(experiment: Experiment, stage: str, weights: Path | None) -> None:
    solver_file = experiment.prototxt / f"solver{stage}.prototxt"
    param = read_solver(solver_file)
    _set_old_snapshots_aside(experiment, stage, param.snapshot_prefix)
    log_file = experiment.log(f"train{stage}")
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with log_file.open("a") as stream:
        log.add_file(stream)
        log.set_stderr(not sys.stderr.isatty())
        try:
            _solve(str(solver_file), weights, newest(param.snapshot_prefix))
        finally:
            log.remove_file(stream)
            log.set_stderr(True)


def _solve(solver_file: str, weights: Path | None, state: str | None) -> None:
    solver = get_solver(solver_file)
    if state:
        print(f"going on from {state}", flush=True)
        solver.restore(state)
    elif weights:
        print(f"starting from {weights}", flush=True)
        log.info(f"Finetuning from {weights}")
        solver.net.copy_from(weights)
    try:
        with SignalHandler() as signals, _progress(solver) as bar:
            solver.action = signals
            solver.add_callback(lambda: None, lambda: _advance(bar, solver))
            solver.solve()
    finally:
        solver.net.close()
    if solver.iter < solver.param.max_iter:
        done = f"iteration {solver.iter} of {solver.param.max_iter}"
        raise Stopped(f"stopped at {done}; the same command goes on from there")


def _progress(solver: Solver) -> Any:
    return tqdm(
        total=solver.param.max_iter, initial=solver.iter, unit="it", desc="train", disable=not sys.stderr.isatty()
    )


def _advance(bar: Any, solver: Solver) -> None:
    if bar.disable:
        return
    bar.update()
    if solver.iter % 10 == 0:
        bar.set_postfix_str(f"loss {solver.smoothed_loss:.3f}", refresh=False)


def _set_old_snapshots_aside(experiment: Experiment, stage: str, prefix: str) -> None:
    """Snapshots of another net, list or solver cannot be gone on from: they move to a folder of their own."""
    from .stages import fingerprint

    marker = experiment.model / f"train{stage}.json"
    present = {"inputs": fingerprint(_inputs(experiment, stage))}
    try:
        before = json.loads(marker.read_text())
    except (OSError, ValueError):
        before = None
    if before != present:
        stem = Path(prefix)
        pattern = re.compile(rf"{re.escape(stem.name)}_iter_\d+\.\w")
        old = [p for p in stem.parent.glob("*") if pattern.match(p.name)]
        if old:
            number = 1 + len(list(stem.parent.glob("before-*")))
            aside = stem.parent / f"before-{number}"
            aside.mkdir(parents=True)
            log_file = experiment.log(f"train{stage}")
            for path in [*old, *([log_file] if log_file.exists() else [])]:
                path.rename(aside / path.name)
            print(f"net, list or solver have changed: snapshots of before are now in {aside}", flush=True)
        write_text(marker, json.dumps(present) + "\n")
