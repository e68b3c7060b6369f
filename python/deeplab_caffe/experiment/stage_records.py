"""Records of finished stages, `stages/<stage>.json`: a hash of the inputs, how long it took, what it was made with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..files import write_text
from ..reading import read_json
from .folder import Experiment
from .made_with import made_with

#: the stages, in the order in which they run
STAGE_NAMES = ("data", "prototxt", "train", "train2", "test", "search", "crf", "evaluate", "report")


def record_path(experiment: Experiment, name: str) -> Path:
    """The file of a stage's record; it does not exist while the stage is not finished."""
    return experiment.folder / "stages" / f"{name}.json"


def write_record(experiment: Experiment, name: str, inputs: str, seconds: float) -> None:
    """Record that a stage is finished.

    Args:
        inputs: hash of everything the stage depends on.
        seconds: how long it took.
    """
    record = {"inputs": inputs, "seconds": round(seconds, 1), "made_with": made_with()}
    write_text(record_path(experiment, name), json.dumps(record) + "\n")


def read_record(experiment: Experiment, name: str) -> dict[str, Any] | None:
    """The record of a finished stage: "inputs" and "seconds"; None if it is not finished or the record is damaged."""
    try:
        record = read_json(record_path(experiment, name))
        record["seconds"] = float(record["seconds"])
        return record if isinstance(record["inputs"], str) else None
    except Exception:  # damaged: the stage runs again
        return None


def durations(experiment: Experiment) -> dict[str, float]:
    """Seconds that the last run of each finished stage took, in the order of the stages."""
    found = {name: read_record(experiment, name) for name in STAGE_NAMES}
    return {name: float(record["seconds"]) for name, record in found.items() if record}


def made_with_of(experiment: Experiment) -> dict[str, dict[str, str]]:
    """{stage: what it was made with} of the finished stages; stages of earlier versions have no record of it."""
    found = {name: read_record(experiment, name) for name in STAGE_NAMES}
    records = {name: record.get("made_with") for name, record in found.items() if record}
    return {name: _texts(record) for name, record in records.items() if isinstance(record, dict)}


def _texts(record: dict[str, Any]) -> dict[str, str]:
    return {str(name): str(value) for name, value in record.items()}
