"""From a variant's name and options to the texts of its prototxt files."""

from __future__ import annotations

import shlex
from dataclasses import fields, replace
from typing import get_args

from ..data import Dataset, read_dataset
from ..errors import InputError
from ..formats.bvlc import to_bvlc
from ..formats.prototxt import Document
from ..formats.writer import format_message
from ..spelling import did_you_mean
from .arguments import command_line
from .blocks import Spec
from .options import Options
from .setting import Role, Setting
from .solvers import Recipe, solver
from .variant import SPECIAL_OPTIONS, Variant
from .variants import VARIANTS
from .write import sign

_PURPOSES = {
    "train": "the net of stage 1",
    "train2": "the net of stage 2",
    "test": "the net that scores a list of images",
    "deploy": "the net for one image from anywhere",
    "solver": "solver of stage 1",
    "solver2": "solver of stage 2",
}


def generate(name: str, options: Options | None = None, dataset: Dataset | None = None) -> dict[str, str]:
    """The files of `<data set>/<model>`, such as `voc12/largefov`: file name to text.

    train, test, deploy and solver .prototxt, and train2 and solver2 unless the model has no second stage, or the data
    set no list for it, or options.iterations2 is 0. Paths in the texts are relative to the folder that commands are
    run in. `dataset` replaces the one read from options.dataset or datasets/<data set>.toml. Raises InputError for
    anything unknown or unfit.
    """
    options = options or Options()
    dataset_name, variant = _look_up(name)
    dataset = dataset or read_dataset(options.dataset or f"datasets/{dataset_name}.toml")
    if dataset.name != dataset_name:
        raise InputError(f"{dataset.file} describes '{dataset.name}', but '{name}' asks for '{dataset_name}'")
    _refuse_unread(name, variant, options)
    settings = _settings(name, options, dataset)
    texts = {role: _net_text(name, variant, setting) for role, setting in settings.items()}
    folder, model = prototxt_folder(name, options), f"{experiment_folder(name, options)}/model"
    for role in [role for role in ("train", "train2") if role in settings]:
        message = solver(settings[role].recipe, f"{folder}/{role}.prototxt", f"{model}/{role}")
        texts[role.replace("train", "solver")] = format_message(message)
    command = shlex.join(["deeplab", "prototxt", name, *command_line(options)])
    return {
        f"{role}.prototxt": sign(f"{variant.title}, on {dataset.title}: {_PURPOSES[role]}.", command, text)
        for role, text in texts.items()
    }


def list_names(name: str, options: Options, dataset: Dataset) -> dict[str, str]:
    """Which list of the data set each net of `<data set>/<model>` reads: train, test, and train2 if there is one.

    Semi-supervised nets read two: weak or weak2 is the other.
    """
    settings = {role: setting for role, setting in _settings(name, options, dataset).items() if role != "deploy"}
    names = {str(role): setting.list_name for role, setting in settings.items()}
    mixed = [setting for setting in settings.values() if setting.is_training and setting.recipe.weak_lists]
    return names | {setting.role.replace("train", "weak"): setting.weak_list for setting in mixed}


def _settings(name: str, options: Options, dataset: Dataset) -> dict[str, Setting]:
    """What each net is made from, by its role."""
    variant = _look_up(name)[1]
    settings = {role: _setting(variant, role, options, dataset) for role in get_args(Role)}
    if not _has_stage2(variant, settings["train2"]):
        del settings["train2"]
    return settings


def _setting(variant: Variant, role: Role, options: Options, dataset: Dataset) -> Setting:
    stage = 2 if role == "train2" else 1
    recipe = _with_options(variant.recipe(stage, dataset.name), options, stage)
    return Setting(role, dataset, options, recipe, variant.sizes)


def prototxt_folder(name: str, options: Options | None = None) -> str:
    """Where the prototxts of `<data set>/<model>` belong: options.folder or prototxt/<data set>/<model>."""
    return (options and options.folder) or f"prototxt/{name}"


def experiment_folder(name: str, options: Options | None = None) -> str:
    """Where snapshots and results belong: options.experiment or exper/<data set>/<model>."""
    return (options and options.experiment) or f"exper/{name}"


def _look_up(name: str) -> tuple[str, Variant]:
    """Data set name and row of the table for `<data set>/<model>`."""
    dataset_name, slash, model = name.partition("/")
    if not slash or not dataset_name:
        raise InputError(f"got '{name}'; wanted <data set>/<model>, such as voc12/largefov")
    if model not in VARIANTS:
        hint = did_you_mean(model, VARIANTS, f"; known are: {', '.join(VARIANTS)}")
        raise InputError(f"'{name}': there is no model '{model}'{hint}")
    return dataset_name, VARIANTS[model]


def _refuse_unread(name: str, variant: Variant, options: Options) -> None:
    """No option is passed over in silence."""
    for option in SPECIAL_OPTIONS:
        if getattr(options, option) is not None and option not in variant.reads:
            users = [model for model, row in VARIANTS.items() if option in row.reads]
            raise InputError(f"option {option}: {name} has no use for it, as {users[0]} or {users[-1]} have")


def _with_options(recipe: Recipe, options: Options, stage: int) -> Recipe:
    """A stage's recipe with every option that is stated and that it has a field for."""
    stated = {name: value for name, value in options.stated().items() if name not in ("crop", "iterations")}
    iterations = options.iterations if stage == 1 else options.iterations2
    stated |= {} if iterations is None else {"iterations": iterations}
    return replace(recipe, **{f.name: stated[f.name] for f in fields(recipe) if f.name in stated})


def _has_stage2(variant: Variant, setting: Setting) -> bool:
    """Not where it has no iterations, nor where nobody asked for it and publication or data set know of none."""
    options = setting.options
    is_asked = options.train2_set is not None or options.iterations2 is not None
    has_list = not set(setting.usual_lists).isdisjoint(setting.dataset.lists)
    return setting.recipe.iterations > 0 and (is_asked or (has_list and len(variant.recipes) > 1))


def _net_text(name: str, variant: Variant, setting: Setting) -> str:
    n = Spec(setting.style)
    variant.build(n, setting)
    net = n.to_proto()
    net.name = name.partition("/")[2]
    text = format_message(net, n.sections)
    return to_bvlc(Document(text, f"{setting.role}.prototxt")) if setting.options.dialect == "bvlc" else text
