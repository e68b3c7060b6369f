"""What experiments did differently: the settings of their nets, trainings, tests and CRFs that are not the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..formats.prototxt import Document
from ..nets import stated_command
from .hand_edits import edited_files
from .ledger import NEUTRAL
from .report_settings import readable, solver_settings
from .results import DONE, read_json
from .settings import nets_of
from .stored_scores import StoredScores

#: what a table shows for a setting that an experiment does not have
NONE = "–"
#: settings of solvers and data layers that say where things are, which differs between any two experiments
_PLACES = ("train_net", "net", "test_net", "snapshot_prefix", "root_folder", "snapshot", "display")
#: of a training's record
_HARDWARE = ("processor", "cores", "GPU", "torch")


def different_settings(experiments: Mapping[str, Path]) -> list[tuple[str, list[str]]]:
    """The settings that are not the same in all experiments, each with its value in every one of them.

    Args:
        experiments: {name: folder}.

    Returns:
        (setting, values in the order of the experiments); `NONE` for what an experiment does not state. Where a record
        or a net is missing or damaged, its settings are left out.
    """
    known = [_settings(folder) for folder in experiments.values()]
    names = dict.fromkeys(name for each in known for name in each)
    rows = [(name, [each.get(name, NONE) for each in known]) for name in names]
    return [(name, values) for name, values in rows if len(set(values)) > 1]


def _settings(folder: Path) -> dict[str, str]:
    """All settings of an experiment, {`training: base_lr`: `0.001`}."""
    found: dict[str, str] = {}
    for read in (_of_nets, _of_solvers, _of_test, _of_crf, _of_training):
        found |= _or_nothing(read, folder)
    return found


def _or_nothing(read: Callable[[Path], dict[str, str]], folder: Path) -> dict[str, str]:
    try:
        return read(folder)
    except InputError:  # a net without a header, or a stage that has not run
        return {}


def _of_nets(folder: Path) -> dict[str, str]:
    nets = nets_of(folder)
    if nets is None:
        return {}
    model, options = stated_command(Document.read(nets / "train.prototxt"))
    stated = {name: _text(value) for name, value in options.stated().items() if name not in NEUTRAL}
    edited = ", ".join(path.name for path in edited_files(nets))
    return {"model": model, **{f"net: {n}": v for n, v in stated.items()}, "edited by hand": edited or NONE}


def _of_solvers(folder: Path) -> dict[str, str]:
    nets = nets_of(folder)
    sections = solver_settings(nets) if nets else {}
    return {
        f"{section}: {name}": Path(str(value)).name if name == "source" else str(value)
        for section, values in sections.items()
        for name, value in values.items()
        if name not in _PLACES
    }


def _of_test(folder: Path) -> dict[str, str]:
    name = str(read_json(folder / "evaluation.json").get("list"))
    stored = StoredScores.read(folder / "scores" / name)
    return {"test: list": name, "test: weights": Path(stored.weights).name, "test: protocol": stored.protocol or NONE}


def _of_crf(folder: Path) -> dict[str, str]:
    name = str(read_json(folder / "evaluation.json").get("list"))
    done = read_json(folder / "result_crf" / name / DONE)
    if not done.get("used"):
        return {"CRF": "not used"}
    parameters = read_json(folder / "crf" / "parameters.json") if (folder / "crf/parameters.json").is_file() else {}
    shown = {f"CRF: {key}": str(readable(value)) for key, value in parameters.items()}
    return {"CRF": str(done.get("from", "")), **shown}


def _of_training(folder: Path) -> dict[str, str]:
    record = read_json(folder / "stages" / "train.json")
    found: Any = record.get("made_with")
    made = found if isinstance(found, dict) else {}  # records of earlier versions have none
    known = {f"trained with: {name}": str(made[name]) for name in _HARDWARE if name in made}
    return {**known, "time of training, seconds": str(record.get("seconds", NONE))}


def _text(value: object) -> str:
    return ",".join(map(_text, value)) if isinstance(value, Sequence) and not isinstance(value, str) else f"{value}"
