"""The stages of an experiment, in order; what is finished and unchanged is not done again.

Beside each stage's function stand `<stage>_inputs` (files and values that decide whether it must run again) and
`<stage>_outputs` (files that must be there if it is finished; where a stage writes many, the one it writes last).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError, Stopped
from ..files import write_text
from ..spelling import did_you_mean
from . import preparation, refining, reporting, scoring, training
from .fingerprints import fingerprint
from .layout import Experiment, remember


@dataclass(frozen=True)
class Stage:
    """One stage.

    after: stages that must be finished before; if one of them is done anew on other inputs, so is this one.
    skipped: why it does not take part in an experiment, or None. show: prints the result of a stage done before.
    forget: called before a forced run, for a stage that would go on from what is there.
    """

    name: str
    run: Callable[[Experiment], None]
    inputs: Callable[[Experiment], Sequence[Any]]
    outputs: Callable[[Experiment], Sequence[Path]]
    after: tuple[str, ...] = ()
    skipped: Callable[[Experiment], str | None] = lambda experiment: None
    show: Callable[[Experiment], None] = lambda experiment: None
    forget: Callable[[Experiment], None] = lambda experiment: None


STAGES = {
    stage.name: stage
    for stage in (
        Stage("data", preparation.prepare_data, preparation.data_inputs, preparation.data_outputs),
        Stage("prototxt", preparation.write_prototxt, preparation.prototxt_inputs, preparation.prototxt_outputs),
        Stage("train", training.train, training.train_inputs, training.train_outputs, forget=training.forget),
        Stage(
            "train2",
            training.train2,
            training.train2_inputs,
            training.train2_outputs,
            skipped=training.without_stage2,
            forget=training.forget2,
        ),
        Stage("test", scoring.test, scoring.test_inputs, scoring.test_outputs),
        Stage("search", refining.search, refining.search_inputs, refining.search_outputs, after=("data", "test")),
        Stage("crf", refining.crf, refining.crf_inputs, refining.crf_outputs, after=("test", "search")),
        Stage(
            "evaluate",
            scoring.evaluate,
            scoring.evaluate_inputs,
            scoring.evaluate_outputs,
            after=("data", "test", "crf"),
            show=scoring.show_scores,
        ),
        Stage(
            "report",
            reporting.report,
            reporting.report_inputs,
            reporting.report_outputs,
            after=("search", "evaluate"),
            show=reporting.show_path,
        ),
    )
}


def run(experiment: Experiment, names: Sequence[str] | None = None, force: bool = False) -> None:
    """Run the named stages (all of them by default), each unless it is finished and its inputs are unchanged.

    `force` runs them in any case. Raises InputError for an unknown stage, one whose turn has not come, or for what a
    stage finds wrong.
    """
    for name in names or STAGES:
        if name not in STAGES:
            raise InputError(f"there is no stage '{name}'{did_you_mean(name, STAGES)} (stages: {', '.join(STAGES)})")
    for name in _with_nets(experiment, names) if names else STAGES:
        _run_stage(experiment, STAGES[name], force)
        remember(experiment)
    if names:
        _note_outdated(experiment, names)


def _with_nets(experiment: Experiment, names: Sequence[str]) -> list[str]:
    """The stages, before the training of nets that follow those of another experiment the one that makes them."""
    follows = experiment.origin and "train" in names and "prototxt" not in names
    return ["prototxt", *names] if follows else list(names)


def seconds(experiment: Experiment) -> dict[str, float]:
    """How long the last run of each finished stage took."""
    found = {name: _read_stamp(experiment, name) for name in STAGES}
    return {name: float(stamp["seconds"]) for name, stamp in found.items() if stamp}


def _run_stage(experiment: Experiment, stage: Stage, force: bool) -> None:
    reason = stage.skipped(experiment)
    if reason:
        print(f"== {stage.name}: {reason}", flush=True)
        return
    inputs = _inputs(experiment, stage)
    stamp = _read_stamp(experiment, stage.name)
    complete = all(path.exists() for path in stage.outputs(experiment))
    if not force and complete and stamp and stamp["inputs"] == inputs:
        print(f"== {stage.name}: done before, nothing has changed", flush=True)
        stage.show(experiment)
        return
    print(f"== {stage.name}", flush=True)
    path = _stamp_path(experiment, stage.name)
    path.unlink(missing_ok=True)  # a stage that is interrupted now is not finished
    if force:
        stage.forget(experiment)
    start = time.monotonic()
    try:
        stage.run(experiment)
    except KeyboardInterrupt:
        how = "the same command goes on from what is finished"
        raise Stopped(f"interrupted in the stage {stage.name}; {how}") from None
    _write_stamp(experiment, stage, inputs, time.monotonic() - start)


def check_ready(experiment: Experiment, name: str) -> None:
    """Raises InputError if a stage before the one named is not finished."""
    _inputs(experiment, STAGES[name])


def note_finished(experiment: Experiment, name: str, seconds: float) -> None:
    """Take the stage as done: its outputs were written, in so many seconds, by other means."""
    _write_stamp(experiment, STAGES[name], _inputs(experiment, STAGES[name]), seconds)


def _write_stamp(experiment: Experiment, stage: Stage, inputs: str, seconds: float) -> None:
    stamp = {"inputs": inputs, "seconds": round(seconds, 1)}
    write_text(_stamp_path(experiment, stage.name), json.dumps(stamp) + "\n")


def _note_outdated(experiment: Experiment, names: Sequence[str]) -> None:
    """Say which earlier stages, left out now, would be done again."""
    order = list(STAGES)
    earlier = [n for n in order[: max(order.index(name) for name in names)] if n not in names]
    outdated = [n for n in earlier if _is_outdated(experiment, STAGES[n])]
    if outdated:
        print(f"note: {', '.join(outdated)} would be done again, since what went into it has changed", flush=True)


def _is_outdated(experiment: Experiment, stage: Stage) -> bool:
    """Whether a stage was finished, but on other inputs than those of now."""
    stamp = _read_stamp(experiment, stage.name)
    if stamp is None or stage.skipped(experiment):
        return False
    try:
        return bool(stamp["inputs"] != _inputs(experiment, stage))
    except InputError:
        return True


def _inputs(experiment: Experiment, stage: Stage) -> str:
    """The hash of all that a stage depends on; InputError if a stage before it is not finished."""
    return fingerprint([*(_done(experiment, name, stage) for name in stage.after), *stage.inputs(experiment)])


def _done(experiment: Experiment, name: str, wanted_by: Stage) -> str:
    """What a finished stage was made from; InputError if it is not finished."""
    stamp = _read_stamp(experiment, name)
    if stamp is None:
        raise InputError(
            f"the stage {wanted_by.name} of {experiment.folder} needs {name} to be finished: run that first"
        )
    return str(stamp["inputs"])


def _stamp_path(experiment: Experiment, name: str) -> Path:
    return experiment.folder / "stages" / f"{name}.json"


def _read_stamp(experiment: Experiment, name: str) -> dict[str, Any] | None:
    """The record of a finished stage; None if it is not finished or the record cannot be read."""
    try:
        stamp = json.loads(_stamp_path(experiment, name).read_text())
    except (OSError, ValueError):
        return None
    return stamp if isinstance(stamp, dict) and {"inputs", "seconds"} <= set(stamp) else None
