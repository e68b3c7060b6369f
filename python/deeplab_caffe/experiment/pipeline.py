"""The pipeline: the table of stages, and running them; a stage that is finished and unchanged is skipped.

In a stage's module, `<stage>_inputs` are the files and values that decide whether the stage must run again, and
`<stage>_outputs` are the files that exist when it is finished (if it writes many, the one that is written last).
"""

from __future__ import annotations

import contextlib
import functools
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError, Stopped
from ..locks import locked_folder
from ..spelling import did_you_mean
from ..temporary_files import remove_dead_leftovers
from .fingerprints import fingerprint
from .folder import Experiment
from .settings import remember
from .stage_records import read_record, record_path, write_record
from .stages import crf, data, evaluate, prototxt, report, search, test, train


@dataclass(frozen=True)
class Stage:
    """One stage of an experiment.

    Attributes:
        name: the stage's name, which is also its command.
        run: does the work.
        inputs: files and values that decide whether the stage must run again.
        outputs: files that exist when it is finished.
        after: stages that must be finished before; if one of them runs again on other inputs, so does this one.
        skipped: the reason why an experiment has no such stage, or None.
        show: prints the result of a stage that is skipped because it is finished.
        forget: called before a forced run of a stage that would otherwise resume earlier work.
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
        Stage("data", data.prepare_data, data.data_inputs, data.data_outputs),
        Stage("prototxt", prototxt.write_prototxt, prototxt.prototxt_inputs, prototxt.prototxt_outputs),
        Stage(
            "train",
            train.train,
            train.train_inputs,
            train.train_outputs,
            skipped=train.tests_other_weights,
            forget=train.forget,
        ),
        Stage(
            "train2",
            train.train2,
            train.train2_inputs,
            train.train2_outputs,
            skipped=train.without_stage2,
            forget=train.forget2,
        ),
        Stage("test", test.test, test.test_inputs, test.test_outputs),
        Stage(
            "search",
            search.search,
            search.search_inputs,
            search.search_outputs,
            after=("data", "test"),
            skipped=search.not_needed,
        ),
        Stage("crf", crf.crf, crf.crf_inputs, crf.crf_outputs, after=("test", "search")),
        Stage(
            "evaluate",
            evaluate.evaluate,
            evaluate.evaluate_inputs,
            evaluate.evaluate_outputs,
            after=("data", "test", "crf"),
            skipped=evaluate.without_labels,
            show=evaluate.show_scores,
        ),
        Stage(
            "report",
            report.report,
            report.report_inputs,
            report.report_outputs,
            after=("test", "search", "crf", "evaluate"),
            show=report.show_path,
        ),
    )
}

#: stages that read nets and solvers
_NEED_NETS = {"train", "train2", "test"}


def run(
    experiment: Experiment,
    names: Sequence[str] | None = None,
    force: bool = False,
    prepare: Callable[[], None] = lambda: None,
) -> None:
    """Run stages, each unless it is finished and its inputs are unchanged.

    The experiment is locked as soon as there is something to do; what others have finished can be shown meanwhile.

    Args:
        names: the stages to run; None: all of them.
        force: run them even if they are finished.
        prepare: called once, before the first stage that has something to do; chooses the device.

    Raises:
        InputError: a stage is unknown, needs another one to be finished first, or finds invalid input; or another
            process is writing into the experiment.
        Stopped: the user interrupted a stage.
        NotFinite: the training has diverged.
    """
    for name in names or STAGES:
        if name not in STAGES:
            raise InputError(f"unknown stage '{name}'{did_you_mean(name, STAGES)} (stages: {', '.join(STAGES)})")
    with contextlib.ExitStack() as held:

        @functools.cache
        def begin() -> None:
            prepare()
            held.enter_context(lock(experiment))

        chosen = _with_nets(experiment, names) if names else list(STAGES)
        for name in chosen:
            _run_stage(experiment, STAGES[name], force, begin)
            remember(experiment)
    if names:
        _note_outdated(experiment, names)


@contextlib.contextmanager
def lock(experiment: Experiment) -> Iterator[None]:
    """A context in which no other process writes into an experiment; what killed ones left there is removed.

    Of the processes of one torchrun, the first holds the lock.

    Raises:
        InputError: another process is writing; says which one.
    """
    if int(os.environ.get("WORLD_SIZE") or 1) > 1 and int(os.environ.get("RANK") or 0):
        yield
        return
    with locked_folder(experiment.folder, f"the experiment {experiment.folder} is in use"):
        for folder, _, _ in os.walk(experiment.folder):
            remove_dead_leftovers(folder)
        yield


def _with_nets(experiment: Experiment, names: Sequence[str]) -> list[str]:
    """The stages, and `prototxt` where nets must follow the options or those of the origin, or do not exist yet."""
    if "prototxt" in names:
        return list(names)
    follows = experiment.origin and "train" in names
    missing = _NEED_NETS & set(names) and _lacks_nets(experiment)
    prototxt.refuse_edited(experiment, names)
    written = follows or missing or experiment.given
    chosen = [*names, *["prototxt"] * bool(written)]
    return [name for name in STAGES if name in chosen]


def _lacks_nets(experiment: Experiment) -> bool:
    """Whether nets that can be generated without an earlier stage have not been written yet."""
    return not experiment.hold_out and not all(path.is_file() for path in prototxt.prototxt_outputs(experiment))


def _run_stage(experiment: Experiment, stage: Stage, force: bool, begin: Callable[[], None]) -> None:
    reason = stage.skipped(experiment)
    if reason:
        print(f"== {stage.name}: {reason}", flush=True)
        return
    inputs = _inputs(experiment, stage)
    record = read_record(experiment, stage.name)
    complete = all(path.exists() for path in stage.outputs(experiment))
    if not force and complete and record and record["inputs"] == inputs:
        print(f"== {stage.name}: already done, nothing has changed", flush=True)
        stage.show(experiment)
        return
    begin()
    print(f"== {stage.name}", flush=True)
    record_path(experiment, stage.name).unlink(missing_ok=True)  # so that an interrupted stage is not finished
    if force:
        stage.forget(experiment)
    start = time.monotonic()
    try:
        stage.run(experiment)
    except KeyboardInterrupt as stop:
        raise Stopped(f"interrupted in stage {stage.name}; run the same command again to continue", stop) from None
    write_record(experiment, stage.name, inputs, time.monotonic() - start)


def check_ready(experiment: Experiment, name: str) -> None:
    """Raise InputError if a stage that must run before the named one is not finished."""
    _inputs(experiment, STAGES[name])


def note_finished(experiment: Experiment, name: str, seconds: float) -> None:
    """Record a stage as finished whose outputs were written outside the pipeline, in `seconds`."""
    write_record(experiment, name, _inputs(experiment, STAGES[name]), seconds)


def _note_outdated(experiment: Experiment, names: Sequence[str]) -> None:
    """Print which earlier stages, not run now, are out of date."""
    order = list(STAGES)
    earlier = [n for n in order[: max(order.index(name) for name in names)] if n not in names]
    outdated = [n for n in earlier if _is_outdated(experiment, STAGES[n])]
    if outdated:
        print(f"note: out of date, because the inputs have changed: {', '.join(outdated)}", flush=True)


def _is_outdated(experiment: Experiment, stage: Stage) -> bool:
    """Whether a stage was finished on inputs that have changed since."""
    record = read_record(experiment, stage.name)
    if record is None or stage.skipped(experiment):
        return False
    try:
        return bool(record["inputs"] != _inputs(experiment, stage))
    except InputError:
        return True


def _inputs(experiment: Experiment, stage: Stage) -> str:
    """The hash of everything a stage depends on; InputError if a stage before it is not finished."""
    return fingerprint([*(_inputs_of(experiment, name, stage) for name in stage.after), *stage.inputs(experiment)])


def _inputs_of(experiment: Experiment, name: str, needed_by: Stage) -> str:
    """The inputs' hash of a finished stage, or why it is skipped; InputError if it is not finished."""
    if reason := STAGES[name].skipped(experiment):
        return reason
    record = read_record(experiment, name)
    if record is None:
        raise InputError(f"stage {needed_by.name} of {experiment.folder}: stage {name} is not finished; run it first")
    return str(record["inputs"])
