"""Creates an experiment by its name: that of a published model, or the demo."""

from __future__ import annotations

import json
import os
import shlex
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..crf.search import SearchSpace
from ..data import Dataset, description_file, read_dataset
from ..data.synthetic import description
from ..errors import InputError
from ..evaluation import Trimap
from ..files import write_text
from ..nets import (
    GeneratorOptions,
    check_options,
    command_line,
    experiment_folder,
    list_names,
    look_up,
    prototxt_folder,
)
from ..reading import read_json, reason_of
from ..spelling import did_you_mean
from .folder import Experiment
from .testing import Testing, testing_of

#: Options of the demo: a quarter of the channels, batch normalization, random initial weights. base_lr: the classifier
#: learns ten times as fast as the rest, so a short training diverges above 0.01. dropout: with so few channels the
#: usual 0.5 drops too much.
DEMO_OPTIONS = GeneratorOptions(
    batch_size=8,
    base_lr=0.01,
    policy="poly",
    display=10,
    random_seed=1,
    solver_mode="CPU",
    width=0.25,
    batch_norm=True,
    moving_average_fraction=0.95,
    dropout=0.1,
    scale=1 / 58,
)
SYNTHETIC_FOLDER = Path("data/synthetic")


def published(name: str, options: GeneratorOptions | None = None, testing: Testing | None = None) -> Experiment:
    """The experiment of a published model, on the prototxts in `prototxt/`.

    If `options.dataset` describes another data set, the model is trained on that one: its nets are generated in the
    experiment's folder, with the manual edits of the published ones applied.

    Args:
        name: `<data set>/<model>`, such as "voc12/largefov".
        options: options of the generated nets and solvers.
        testing: how to test; by default once, or as the publication does (see `testing_of`).

    Raises:
        InputError: the data set has no description, no model has this name, or an option does not fit.
    """
    options = options or GeneratorOptions()
    look_up(name)
    dataset_name, _, model = name.partition("/")
    file = description_file(options.dataset or dataset_name)
    if file == SYNTHETIC_FOLDER / "dataset.toml" and not file.is_file():
        raise InputError(f"'{name}': {file} does not exist; run `deeplab data demo` to draw it")
    dataset = read_dataset(file)
    described = dataset.name
    if options.stated():
        check_options(f"{described}/{model}", options, _without_files(dataset))
    testing = testing_of(f"{described}/{model}", testing)
    _check_stage(f"{described}/{model}", options, dataset, testing)
    if described != dataset_name:
        return _on_other_data(f"{described}/{model}", name, options, file, testing)
    return Experiment(
        name=name,
        folder=Path(experiment_folder(name, options)),
        prototxt=Path(prototxt_folder(name, options)),
        dataset_file=file,
        options=options,
        widen_search=False,
        command=shlex.join(["deeplab", "all", name, *command_line(options), *testing.command_line()]),
        testing=testing,
    )


def _check_stage(name: str, options: GeneratorOptions, dataset: Dataset, testing: Testing) -> None:
    """Refuse --stage 2 of a model without a second stage."""
    if testing.stage == 2 and "train2" not in list_names(name, options, _without_files(dataset)):
        raise InputError(f"--stage 2: {name} on {dataset.file} has no second training stage")


def _on_other_data(name: str, origin: str, options: GeneratorOptions, file: Path, testing: Testing) -> Experiment:
    """A published model on a data set that its publication does not use."""
    folder = Path(experiment_folder(name, options))
    options = replace(options, dataset=str(file), experiment=str(folder), folder=options.folder or f"{folder}/prototxt")
    return Experiment(
        name=name,
        folder=folder,
        prototxt=Path(prototxt_folder(name, options)),
        dataset_file=file,
        options=options,
        command=shlex.join(["deeplab", "all", origin, *command_line(options), *testing.command_line()]),
        origin=origin,
        testing=testing,
    )


def demo(
    data: str | None = None,
    folder: str | None = None,
    options: GeneratorOptions | None = None,
    quick: bool = False,
    forget: Sequence[str] = (),
    testing: Testing | None = None,
) -> Experiment:
    """The demo: the whole pipeline with a narrow net, on the synthetic sample or on another data set.

    The settings of the first call are saved in the experiment's folder. Later calls on the folder reuse them, except
    those given again.

    Args:
        data: name or TOML file of a data set; None: the synthetic sample.
        folder: folder of the experiment; None: `exper/demo`, or `exper/<data set>`.
        options: override the demo's own options.
        quick: make everything as short as possible, with every stage still running.
        forget: names of saved options that are removed from the saved settings.
        testing: how to test; saved like the options.

    Raises:
        InputError: the folder is a file, holds an experiment on other data, its saved settings are damaged, or an
            option does not fit.

    Example:
        >>> experiment = demo(folder="exper/new", quick=True)
        >>> experiment.name, experiment.options.iterations, experiment.synthetic
        ('synthetic/largefov', 20, {'train': 48, 'val': 12})
    """
    data = str(description_file(data)) if data else None
    if folder is None:
        name = "demo" if data is None else read_dataset(data).name
        folder = f"exper/{name}{'_quick' if quick else ''}"
    base = Path(folder)
    if base.exists() and not base.is_dir():
        raise InputError(f"--exp: {base} is a file; expected the folder of an experiment")
    before = _remembered(base, forget)
    if before and data and before.get("data") != data:
        held = before.get("data") or "the synthetic sample"
        raise InputError(f"{base} holds an experiment on {held}; use another folder for {data} (--exp)")
    given = (options or GeneratorOptions()).stated()
    _refuse_others_options(given)
    kept = {name: value for name, value in before.get("options", {}).items() if name not in given}
    if kept:
        print(f"{base}, settings as before: {', '.join(f'{name} {value}' for name, value in kept.items())}", flush=True)
    data = data or before.get("data")
    quick = quick or bool(before.get("quick"))
    stated = {**kept, **given}
    asked = _tested(before, testing, base)
    command = ["deeplab", "all", "demo", *(["--data", data] if data else []), "--exp", folder]
    command += ["--quick"] * quick + command_line(GeneratorOptions(**stated)) + asked.command_line()
    synthetic = {} if data else {"train": 48, "val": 12} if quick else {"train": 240, "val": 60}
    drawn = SYNTHETIC_FOLDER.with_name("synthetic_quick") if quick else SYNTHETIC_FOLDER
    file = Path(data) if data else drawn / "dataset.toml"
    name = f"{'synthetic' if synthetic else read_dataset(file).name}/largefov"
    iterations = 20 if quick else 600 if synthetic else 1500
    chosen = _demo_options(stated, base, iterations)
    _check_demo(name, [chosen, _demo_options(given, base, iterations)], _described(file, bool(synthetic)), kept)
    _check_stage(name, chosen, _described(file, bool(synthetic)), asked)
    space = SearchSpace()
    if quick:
        space = SearchSpace(w1="3:2:5", sigma_alpha="30:40:70", sigma_beta="4", fine_sigma_alpha="-8:8:8")
    return Experiment(
        name=name,
        folder=base,
        prototxt=base / "prototxt",
        dataset_file=file,
        options=chosen,
        hold_out=0.1,
        synthetic=synthetic,
        search_images=4 if quick else 20,
        search_space=space,
        widen_search=not quick,
        remembered={"data": data, "quick": quick, "options": stated, "testing": dict(asked.stated())},
        command=shlex.join(command),
        first_trimap=Trimap(tuple(range(1, 41))) if synthetic else None,
        testing=asked,
    )


def _tested(before: Mapping[str, Any], testing: Testing | None, base: Path) -> Testing:
    """How the demo is tested: as stated now, and for the rest as before."""
    given = dict((testing or Testing()).stated())
    kept = {name: value for name, value in before.get("testing", {}).items() if name not in given}
    if "weights" in given or "stage" in given:
        kept = {name: value for name, value in kept.items() if name not in ("weights", "stage")}
    if kept:
        print(f"{base}, tested as before: {', '.join(f'{name} {value}' for name, value in kept.items())}", flush=True)
    return Testing(**kept, **given).checked()


def _refuse_others_options(given: Mapping[str, Any]) -> None:
    """The demo has options of its own for files; others would be overridden."""
    own = {"dataset": "--data FILE", "experiment": "--exp FOLDER", "folder": "--exp FOLDER, in which they lie"}
    for name in own.keys() & given.keys():
        raise InputError(f"--{name}: not an option of the demo; use {own[name]}")


def _demo_options(stated: Mapping[str, Any], base: Path, iterations: int) -> GeneratorOptions:
    """The demo's options, overridden by the stated ones, and this experiment's own folders."""
    chosen: dict[str, Any] = {"iterations": iterations, **stated}
    chosen.setdefault("snapshot", max(5, chosen["iterations"] // 10))
    folders = {"dataset": str(base / "dataset.toml"), "experiment": str(base), "folder": str(base / "prototxt")}
    return replace(DEMO_OPTIONS, **{**chosen, **folders})


def _check_demo(name: str, options: Sequence[GeneratorOptions], dataset: Dataset, kept: Mapping[str, Any]) -> None:
    """Check the options before anything is done with them or saved.

    Args:
        name: `<data set>/<model>`.
        options: those to check, and the same without the saved ones.
        dataset: the data set without the list that is held out.
        kept: the saved ones.
    """
    lists = {**dataset.lists, "heldout": Path("heldout.txt")}
    dataset = _without_files(replace(dataset, lists=lists))
    try:
        check_options(name, options[0], dataset)
    except InputError as error:
        check_options(name, options[1], dataset)
        saved = ", ".join(f"{option} {value}" for option, value in kept.items())
        file = Path(options[0].experiment or "", _SAVED)
        raise InputError(
            f"{error}; saved in {file} from an earlier call: {saved}; --forget OPTION removes one"
        ) from None


def _without_files(dataset: Dataset) -> Dataset:
    """The data set with lists that do not exist, so that they are not read."""
    return replace(dataset, lists={name: Path(os.devnull, name) for name in dataset.lists})


def _described(file: Path, synthetic: bool) -> Dataset:
    """The data set of a file; the synthetic sample may not be drawn yet."""
    if not synthetic:
        return read_dataset(file)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, file.name)
        path.write_text(description(), encoding="utf-8")
        return replace(read_dataset(path), file=file)


#: the file of an experiment's saved settings
_SAVED = "experiment.json"


def _remembered(folder: Path, forget: Sequence[str] = ()) -> dict[str, Any]:
    """The settings saved in an experiment's folder; empty if it is new. Options to forget are removed from it."""
    path = folder / _SAVED
    try:
        before = dict(read_json(path)) if forget or path.exists() else {}
        options, testing = dict(before.get("options", {})), dict(before.get("testing", {}))
        for option in forget:
            _forget(option.replace("-", "_"), options, testing, path)
        GeneratorOptions(**options)
        Testing(**testing)
        if not isinstance(before.get("data"), str | None):
            raise TypeError(f"data is {before['data']!r}; expected a path")
    except Exception as error:
        if forget and isinstance(error, InputError):
            raise
        reason = reason_of(error.__cause__ or error)
        ways = "remove it to start with new settings, or one option with --forget OPTION"
        raise InputError(f"{path}: invalid ({reason}); {ways}") from error
    if forget:
        before |= {"options": options, "testing": testing}
        write_text(path, json.dumps(before, indent=1) + "\n")
    return before


def _forget(option: str, options: dict[str, Any], testing: dict[str, Any], path: Path) -> None:
    saved = [*options, *testing]
    if option not in saved:
        known = f"saved are: {', '.join(saved)}" if saved else "no options are saved"
        raise InputError(f"--forget {option}: {path} has no such option{did_you_mean(option, saved)}; {known}")
    (options if option in options else testing).pop(option)


def remember(experiment: Experiment) -> None:
    """Save the settings of this call in the experiment's folder, for later calls."""
    path, text = experiment.folder / _SAVED, json.dumps(experiment.remembered, indent=1) + "\n"
    if experiment.remembered and (not path.is_file() or path.read_text(encoding="utf-8", errors="replace") != text):
        write_text(path, text)
