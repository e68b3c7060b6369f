"""Records of finished stages, `stages/<stage>.json`: a hash of the inputs, and how long the stage took."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..files import write_text
from ..reading import read_json
from .folder import Experiment

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
    record = {"inputs": inputs, "seconds": round(seconds, 1)}
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
