"""Creates an experiment by its name: that of a published model, or the demo."""

from __future__ import annotations

import os
import shlex
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from ..crf.search import SearchSpace
from ..data import Dataset, described_names, description_file, named_file, read_dataset
from ..data.synthetic import description
from ..errors import InputError
from ..evaluation import Trimap
from ..nets import (
    GeneratorOptions,
    check_options,
    command_line,
    experiment_folder,
    list_names,
    look_up,
    prototxt_folder,
)
from ..nets.option_flags import flag_of
from .folder import Experiment
from .settings import SAVED, Saved, described, flags, saved_settings
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
#: stages of published models that do not go on with saved options, or with saved settings of tests
_NEW_OPTIONS = {"prototxt", "all"}
_NEW_TESTING = {"data", "prototxt", "train", "train2", "test", "all"}


def published(
    name: str,
    options: GeneratorOptions | None = None,
    testing: Testing | None = None,
    forget: Sequence[str] = (),
    stage: str = "",
) -> Experiment:
    """The experiment of a published model, on the prototxts in `prototxt/`.

    If options change the nets, if they are for another folder or for another data set, they are generated in the
    experiment's folder, with the manual edits of the published ones applied.

    The settings of a call are saved in the experiment's folder once a stage has run, and later stages reuse them,
    except those given again. Stages that begin something do not: `prototxt` and `all` take the options from their call
    alone, and those up to `test` how lists are tested.

    Args:
        name: `<data set>/<model>`, such as "voc12/largefov".
        options: options of the generated nets and solvers.
        testing: how to test; by default once, or as the publication does (see `testing_of`).
        forget: names of saved settings that are removed from the folder.
        stage: the stage that is to run, or "all"; "" for reading what there is.

    Raises:
        InputError: the data set has no description, no model has this name, the saved settings are damaged, or an
            option does not fit.
    """
    look_up(name)
    given = dict((options or GeneratorOptions()).stated())
    data, exp = given.pop("dataset", None), given.pop("experiment", None)
    home = _home(name, data, exp)
    before = saved_settings(home.folder, forget)
    if stage in _NEW_OPTIONS:
        _say_what_is_not_used(before, given)
        stated = given
    else:
        stated = before.options_with(given)
        if data is None and before.data:
            data, home = before.data, _home(name, before.data, str(home.folder))
    asked = (testing or Testing()) if stage in _NEW_TESTING else before.testing_with(testing)
    own = home.is_own or bool(stated.keys() - {"folder"})
    chosen = _in_its_folder(home, data, exp, stated) if own else GeneratorOptions(**stated, dataset=data)
    if stated:
        _check_stated(home.name, [chosen, _in_its_folder(home, data, exp, given)], _without_files(home.dataset), before)
    settings = testing_of(home.name, asked)
    _check_stage(home.name, chosen, home.dataset, settings)
    nets = prototxt_folder(name, chosen)
    tests = before.testing if stage in _NEW_TESTING - {"test", "all"} else asked.stated()
    remembered = {"data": data, "options": stated, "testing": dict(tests), "nets": nets}
    written_elsewhere = stage == "prototxt" and "folder" in given  # beside the nets of the experiment
    is_plain = written_elsewhere or not (own or before.nets or remembered["testing"])
    words = command_line(GeneratorOptions(**stated, dataset=data, experiment=exp))
    return Experiment(
        name=home.name,
        folder=home.folder,
        prototxt=Path(nets),
        dataset_file=home.file,
        options=chosen,
        widen_search=home.name != name,
        remembered={} if is_plain else remembered,
        command=shlex.join(["deeplab", "all", name, *words, *settings.command_line()]),
        origin=name if own and not written_elsewhere else "",
        testing=settings,
        given=tuple(given.keys() - {"folder"}),
    )


class _Home(NamedTuple):
    """Where an experiment of a published model is, on which data, and whether its nets lie in its folder."""

    name: str
    dataset: Dataset
    file: Path
    folder: Path
    is_own: bool


def _home(name: str, data: str | None, exp: str | None) -> _Home:
    dataset_name, _, model = name.partition("/")
    file = description_file(data or dataset_name)
    if file == SYNTHETIC_FOLDER / "dataset.toml" and not file.is_file():
        raise InputError(f"'{name}': {file} does not exist; run `deeplab data demo` to draw it")
    dataset = read_dataset(file)
    name = f"{dataset.name}/{model}"
    usual = experiment_folder(name)
    folder = Path(exp or usual)
    other = dataset.name != dataset_name or (file != named_file(dataset_name) and dataset_name in described_names())
    return _Home(name, dataset, file, folder, other or folder != Path(usual))


def _in_its_folder(home: _Home, data: str | None, exp: str | None, stated: Mapping[str, Any]) -> GeneratorOptions:
    """The options of nets that lie in the experiment's folder."""
    places = {"dataset": data and str(home.file), "experiment": str(home.folder) if exp or data else None}
    return GeneratorOptions(**{"folder": f"{home.folder}/prototxt", **places, **stated})


def _say_what_is_not_used(before: Saved, given: Mapping[str, Any]) -> None:
    if left := {name: value for name, value in before.options.items() if name not in given}:
        print(f"{before.folder}, settings of earlier calls that are not used: {flags(left)}", flush=True)


def _check_stage(name: str, options: GeneratorOptions, dataset: Dataset, testing: Testing) -> None:
    """Refuse --stage 2 of a model without a second stage."""
    if testing.stage == 2 and "train2" not in list_names(name, options, _without_files(dataset)):
        raise InputError(f"--stage 2: {name} on {dataset.file} has no second training stage")


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
    before = saved_settings(base, forget)
    if (base / SAVED).is_file() and data and before.data != data:
        held = before.data or "the synthetic sample"
        raise InputError(f"{base} holds an experiment on {held}; use another folder for {data} (--exp)")
    given = (options or GeneratorOptions()).stated()
    _refuse_others_options(given)
    stated = before.options_with(given)
    data = data or before.data
    quick = quick or before.quick
    asked = before.testing_with(testing).checked()
    command = ["deeplab", "all", "demo", *(["--data", data] if data else []), "--exp", folder]
    command += ["--quick"] * quick + command_line(GeneratorOptions(**stated)) + asked.command_line()
    synthetic = {} if data else {"train": 48, "val": 12} if quick else {"train": 240, "val": 60}
    drawn = SYNTHETIC_FOLDER.with_name("synthetic_quick") if quick else SYNTHETIC_FOLDER
    file = Path(data) if data else drawn / "dataset.toml"
    name = f"{'synthetic' if synthetic else read_dataset(file).name}/largefov"
    iterations = 20 if quick else 600 if synthetic else 1500
    chosen = _demo_options(stated, base, iterations)
    dataset = _described(file, bool(synthetic))
    with_held_out = _without_files(replace(dataset, lists={**dataset.lists, "heldout": Path("heldout.txt")}))
    _check_stated(name, [chosen, _demo_options(given, base, iterations)], with_held_out, before)
    _check_stage(name, chosen, dataset, asked)
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
        given=tuple(given),
    )


def _refuse_others_options(given: Mapping[str, Any]) -> None:
    """The demo has options of its own for files; others would be overridden."""
    own = {"dataset": "--data FILE", "experiment": "--exp FOLDER", "folder": "--exp FOLDER, in which the nets lie"}
    for name in own.keys() & given.keys():
        raise InputError(f"option {name} ({flag_of(name)}): not an option of the demo; use {own[name]}")


def _demo_options(stated: Mapping[str, Any], base: Path, iterations: int) -> GeneratorOptions:
    """The demo's options, overridden by the stated ones, and this experiment's own folders."""
    chosen: dict[str, Any] = {"iterations": iterations, **stated}
    chosen.setdefault("snapshot", max(5, chosen["iterations"] // 10))
    folders = {"dataset": str(base / "dataset.toml"), "experiment": str(base), "folder": str(base / "prototxt")}
    return replace(DEMO_OPTIONS, **{**chosen, **folders})


def _check_stated(name: str, options: Sequence[GeneratorOptions], dataset: Dataset, before: Saved) -> None:
    """Check the options before anything is done with them or saved.

    Args:
        name: `<data set>/<model>`.
        options: those to check, and the same without the saved ones.
        dataset: the data set, with lists that are not read.
        before: the saved ones.
    """
    try:
        check_options(name, options[0], dataset)
    except InputError as error:
        check_options(name, options[1], dataset)
        raise InputError(
            f"{error}; saved in {before.folder / SAVED} from an earlier call: {described(before.options)}; "
            "--forget OPTION removes one"
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
