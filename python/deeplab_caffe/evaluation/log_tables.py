"""Logs as CSV, JSON and a short table for the terminal. A run is a pair (name, TrainLog)."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence

import numpy as np

from .train_log import TrainLog

Runs = Sequence[tuple[str, TrainLog]]


def csv_text(runs: Runs) -> str:
    """CSV with one row for each iteration in the logs: iteration, seconds, then the columns.

    If there are several runs, the first column is the run's name.

    Example:
        >>> from deeplab_caffe.evaluation.train_log import TrainLog
        >>> print(csv_text([("a", TrainLog({"loss": {0: 0.5, 10: 0.25}}))]), end="")
        iteration,seconds,loss
        0,,0.5
        10,,0.25
    """
    names = sorted({name for _, log in runs for name in log.columns})
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([*(["run"] if len(runs) > 1 else []), "iteration", "seconds", *names])
    for run, log in runs:
        for iteration in sorted({i for column in log.columns.values() for i in column}):
            cells = [_number(log.seconds.get(iteration))]
            cells += [_number(log.columns.get(name, {}).get(iteration)) for name in names]
            writer.writerow([*([run] if len(runs) > 1 else []), iteration, *cells])
    return buffer.getvalue()


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.9g}"


def json_text(runs: Runs) -> str:
    """JSON `{"runs": [{"name", "columns": {name: {"iteration": [...], "value": [...]}}, "seconds": {…}}]}`.

    NaN and infinity become null, because JSON has neither.
    """
    entries = []
    for run, log in runs:
        columns = {name: _series(log.columns[name]) for name in log.names}
        entries.append({"name": run, "columns": columns, "seconds": _series(log.seconds)})
    return json.dumps({"runs": entries}, indent=1, allow_nan=False) + "\n"


def _series(column: dict[int, float]) -> dict[str, list[float | None]]:
    order = sorted(column)
    return {"iteration": [*order], "value": [column[i] if math.isfinite(column[i]) else None for i in order]}


def summary(runs: Runs) -> str:
    """For each run its iterations and speed, and for each column its last, smallest and largest value."""
    return "\n\n".join(_summary(name, log) for name, log in runs)


def _summary(run: str, log: TrainLog) -> str:
    every = sorted({i for column in log.columns.values() for i in column})
    unit = "batches" if all(name.startswith("batch/") for name in log.names) else "iterations"
    lines = [f"{run}: {unit} {every[0]} to {every[-1]}{_speed(log)}"]
    width = max(map(len, log.names))
    lines.append(f"  {'':{width}}  {'values':>6}  {'last':>10}  {'smallest (at)':>20}  {'largest (at)':>20}")
    for name in log.names:
        iteration, values = log.series(name)
        finite = np.isfinite(values)
        row = f"  {name:{width}}  {len(values):>6}  {values[-1]:>10.6g}"
        if finite.any():
            for at in (np.nanargmin(np.where(finite, values, np.nan)), np.nanargmax(np.where(finite, values, np.nan))):
                row += f"  {f'{values[at]:.6g} ({iteration[at]})':>20}"
        if not finite.all():
            row += f"  not finite at {iteration[~finite][0]}"
        lines.append(row)
    return "\n".join(lines)


def _speed(log: TrainLog) -> str:
    """Iterations per second between the first and last log line with a time."""
    pairs = sorted(log.seconds.items())
    if len(pairs) < 2 or pairs[-1][1] <= pairs[0][1]:
        return ""
    (first, start), (last, end) = pairs[0], pairs[-1]
    return f", {end - start:.6g} s, {(last - first) / (end - start):.3g} iterations per second"
