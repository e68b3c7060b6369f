"""What an experiment's folder remembers of earlier calls: its options, how it is tested, its data and its nets."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..files import write_text
from ..nets import GeneratorOptions, command_line
from ..reading import read_json, reason_of
from ..spelling import did_you_mean
from .folder import Experiment
from .testing import Testing

#: the file of an experiment's saved settings
SAVED = "experiment.json"


@dataclass(frozen=True)
class Saved:
    """The settings that a folder remembers; all of them empty if it is new.

    Attributes:
        folder: that of the experiment.
        data: the TOML file of the data set, or None.
        quick: whether the demo is as short as possible.
        options: the options that were stated, by name.
        testing: the settings of tests that were stated, by name.
        nets: the folder of the nets; "" if it is not known.
    """

    folder: Path
    data: str | None = None
    quick: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    testing: Mapping[str, Any] = field(default_factory=dict)
    nets: str = ""

    def options_with(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The saved options and those given now, which come first; prints which ones are as before."""
        kept = {name: value for name, value in self.options.items() if name not in given}
        if kept:
            print(f"{self.folder}, settings as before: {described(kept)}", flush=True)
        return {**kept, **given}

    def testing_with(self, testing: Testing | None) -> Testing:
        """How to test: as given now, and for the rest as before; prints what is as before."""
        given = dict((testing or Testing()).stated())
        kept = {name: value for name, value in self.testing.items() if name not in given}
        if "weights" in given or "stage" in given:
            kept = {name: value for name, value in kept.items() if name not in ("weights", "stage")}
        if kept:
            print(f"{self.folder}, tested as before: {described(kept)}", flush=True)
        return Testing(**kept, **given)


def described(settings: Mapping[str, Any]) -> str:
    """Settings in words, `crop 161, width 0.25`."""
    return ", ".join(f"{name} {value}" for name, value in settings.items())


def saved_settings(folder: Path, forget: Sequence[str] = ()) -> Saved:
    """The settings saved in an experiment's folder. Those to forget are removed from it.

    Raises:
        InputError: they are damaged, or there is nothing of the name to forget.
    """
    path = folder / SAVED
    try:
        before = dict(read_json(path)) if forget or path.exists() else {}
        options, testing = dict(before.get("options", {})), dict(before.get("testing", {}))
        for option in forget:
            _forget(option.lstrip("-").replace("-", "_"), options, testing, path)
        GeneratorOptions(**options)
        Testing(**testing)
        for name in ("data", "nets"):
            if not isinstance(before.get(name), str | None):
                raise TypeError(f"{name} is {before[name]!r}; expected a path")
    except Exception as error:
        if forget and isinstance(error, InputError):
            raise
        reason = reason_of(error.__cause__ or error)
        ways = "remove it to start with new settings, or one option with --forget OPTION"
        raise InputError(f"{path}: invalid ({reason}); {ways}") from error
    if forget:
        before |= {"options": options, "testing": testing}
        write_text(path, json.dumps(before, indent=1) + "\n")
    return Saved(folder, before.get("data"), bool(before.get("quick")), options, testing, before.get("nets") or "")


def _forget(option: str, options: dict[str, Any], testing: dict[str, Any], path: Path) -> None:
    saved = [*options, *testing]
    if option not in saved:
        known = f"saved are: {', '.join(saved)}" if saved else "no options are saved"
        raise InputError(f"--forget {option}: {path} has no such option{did_you_mean(option, saved)}; {known}")
    (options if option in options else testing).pop(option)


def remember(experiment: Experiment) -> None:
    """Save the settings of this call in the experiment's folder, for later calls."""
    path, text = experiment.folder / SAVED, json.dumps(experiment.remembered, indent=1) + "\n"
    if experiment.remembered and (not path.is_file() or path.read_text(encoding="utf-8", errors="replace") != text):
        write_text(path, text)


def places_of_nets(folder: Path) -> list[Path]:
    """Where the nets of an experiment may be: where it remembers, in its folder, or in prototxt/ if it is published.

    Raises:
        InputError: the saved settings are damaged.
    """
    said = saved_settings(folder).nets
    usual = Path("prototxt", *folder.resolve().parts[-2:])
    return [*([Path(said)] if said else []), folder / "prototxt", usual]


def nets_of(folder: Path) -> Path | None:
    """The first of these places that has a deploy net; None: none has. Raises InputError, as `places_of_nets`."""
    return next((place for place in places_of_nets(folder) if (place / "deploy.prototxt").is_file()), None)


def flags(options: Mapping[str, Any]) -> str:
    """The flags that state options, for messages.

    Example:
        >>> flags({"width": 0.25, "batch_norm": True})
        '--width 0.25 --batch-norm'
    """
    return " ".join(command_line(GeneratorOptions(**options)))
