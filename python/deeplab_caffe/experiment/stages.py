"""The stages of an experiment, in order; what is finished and unchanged is not done again."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..files import write_text
from ..formats.prototxt import nearest
from . import preparation, reporting, scoring, training
from .layout import Experiment, remember


@dataclass(frozen=True)
class Stage:
    """One stage: `inputs` (files, or anything that JSON holds) decide whether it must run; `outputs` must exist."""

    name: str
    run: Callable[[Experiment], None]
    inputs: Callable[[Experiment], Sequence[Any]]
    outputs: Callable[[Experiment], Sequence[Path]]
    #: Whether a stage that takes part can be left out in this experiment, and why
    skipped: Callable[[Experiment], str | None] = lambda experiment: None


STAGES = {
    stage.name: stage
    for stage in (
        Stage("data", preparation.prepare_data, preparation.data_inputs, preparation.data_outputs),
        Stage("prototxt", preparation.write_prototxt, preparation.prototxt_inputs, preparation.prototxt_outputs),
        Stage("train", training.train, training.train_inputs, training.train_outputs),
        Stage("train2", training.train2, training.train2_inputs, training.train2_outputs, training.without_stage2),
        Stage("test", scoring.test, scoring.test_inputs, scoring.test_outputs),
        Stage("search", scoring.search, scoring.search_inputs, scoring.search_outputs),
        Stage("crf", scoring.crf, scoring.crf_inputs, scoring.crf_outputs),
        Stage("evaluate", scoring.evaluate, scoring.evaluate_inputs, scoring.evaluate_outputs),
        Stage("report", reporting.report, reporting.report_inputs, reporting.report_outputs),
    )
}


def run(experiment: Experiment, names: Sequence[str] | None = None, force: bool = False) -> None:
    """Run the named stages (all of them by default), each unless it is finished and its inputs are unchanged.

    `force` runs them in any case. Raises InputError for an unknown stage, or for what a stage finds wrong.
    """
    for name in names or STAGES:
        if name not in STAGES:
            raise InputError(f"there is no stage '{name}'{nearest(name, list(STAGES))} (stages: {', '.join(STAGES)})")
    remember(experiment)
    for name in names or STAGES:
        _run_stage(experiment, STAGES[name], force)


def seconds(experiment: Experiment) -> dict[str, float]:
    """How long each finished stage took."""
    found = {name: _read_stamp(experiment, name) for name in STAGES}
    return {name: stamp["seconds"] for name, stamp in found.items() if stamp and stamp.get("seconds") is not None}


def _run_stage(experiment: Experiment, stage: Stage, force: bool) -> None:
    reason = stage.skipped(experiment)
    if reason:
        print(f"== {stage.name}: {reason}", flush=True)
        return
    before = fingerprint(stage.inputs(experiment))
    stamp = _read_stamp(experiment, stage.name)
    complete = all(path.exists() for path in stage.outputs(experiment))
    if not force and complete and stamp and stamp["inputs"] == before:
        print(f"== {stage.name}: done before, nothing has changed", flush=True)
        return
    print(f"== {stage.name}", flush=True)
    start = time.monotonic()
    stage.run(experiment)
    # An interrupted stage that went on counts what it took in all as far as is known.
    spent = time.monotonic() - start
    record = {"inputs": fingerprint(stage.inputs(experiment)), "seconds": round(spent, 1)}
    write_text(_stamp_path(experiment, stage.name), json.dumps(record) + "\n")


def _stamp_path(experiment: Experiment, name: str) -> Path:
    return experiment.folder / "stages" / f"{name}.json"


def _read_stamp(experiment: Experiment, name: str) -> dict[str, Any] | None:
    try:
        stamp = json.loads(_stamp_path(experiment, name).read_text())
    except (OSError, ValueError):
        return None
    return stamp if isinstance(stamp, dict) and "inputs" in stamp else None


def fingerprint(inputs: Sequence[Any]) -> str:
    """A hash of files (by content; absent ones as such) and of other values."""
    total = hashlib.sha256()
    for item in inputs:
        if isinstance(item, Path):
            content = hashlib.sha256(item.read_bytes()).hexdigest() if item.is_file() else "absent"
            total.update(f"{item.name} {content}\n".encode())
        else:
            total.update(f"{json.dumps(item, sort_keys=True, default=str)}\n".encode())
    return total.hexdigest()
