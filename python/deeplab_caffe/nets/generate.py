"""The texts of a model's prototxt files, made from its name and options."""

from __future__ import annotations

import shlex
from dataclasses import fields, replace
from typing import get_args

from ..data import Dataset, named_dataset
from ..data.label_statistics import check_class_count
from ..errors import InputError
from ..formats.bvlc import to_bvlc
from ..formats.prototxt import Document
from ..formats.signature import sign
from ..formats.writer import format_message
from .blocks import Spec
from .model_names import look_up
from .net_context import NetContext, Role
from .option_flags import command_line
from .options import GeneratorOptions
from .solver_recipes import Recipe, solver
from .variant import SPECIAL_OPTIONS, Variant
from .variants import VARIANTS

_PURPOSES = {
    "train": "the net of stage 1",
    "train2": "the net of stage 2",
    "test": "the net that scores a list of images",
    "deploy": "the net for one image from anywhere",
    "solver": "solver of stage 1",
    "solver2": "solver of stage 2",
}


def generate(name: str, options: GeneratorOptions | None = None, dataset: Dataset | None = None) -> dict[str, str]:
    """Generate the nets and solvers of a model: train, test, deploy and solver, and train2 and solver2 of stage 2.

    There is no stage 2 if the model has none, if the data set has no list for it, or if options.iterations2 is 0.
    Paths in the texts are relative to the folder that commands are run in.

    Args:
        name: `<data set>/<model>`, such as `voc12/largefov`.
        options: what differs from the model's recipe.
        dataset: the data set; by default options.dataset, or the one of this name (see `named_dataset`).

    Returns:
        File name to text, as {"train.prototxt": "# DeepLab-LargeFOV, …", …}.

    Raises:
        InputError: the model, a list or an option is unknown or does not fit.
    """
    options = options or GeneratorOptions()
    dataset_name, variant = look_up(name)
    dataset = dataset or named_dataset(options.dataset or dataset_name)
    if dataset.name != dataset_name:
        raise InputError(f"{dataset.file} describes '{dataset.name}', but '{name}' asks for '{dataset_name}'")
    check_class_count(dataset.classes, str(dataset.file))
    _refuse_unread(name, variant, options)
    contexts = _contexts(name, options, dataset)
    texts = {role: _net_text(name, variant, context) for role, context in contexts.items()}
    folder, model = prototxt_folder(name, options), f"{experiment_folder(name, options)}/model"
    for role in [role for role in ("train", "train2") if role in contexts]:
        message = solver(contexts[role].recipe, f"{folder}/{role}.prototxt", f"{model}/{role}")
        texts[role.replace("train", "solver")] = format_message(message)
    command = shlex.join(["deeplab", "prototxt", name, *command_line(options)])
    return {
        f"{role}.prototxt": sign(f"{variant.title}, on {dataset.title}: {_PURPOSES[role]}.", command, text)
        for role, text in texts.items()
    }


def list_names(name: str, options: GeneratorOptions, dataset: Dataset) -> dict[str, str]:
    """Which list of the data set each net of a model reads.

    Args:
        name: `<data set>/<model>`.
        options: lists that are named in them come first.
        dataset: where the usual lists are looked for.

    Returns:
        Role to the name of a list: train, test, and train2 if there is a stage 2; semi-supervised nets read a second
        list of weakly labelled images, under weak and weak2.

    Raises:
        InputError: the data set has no such list.
    """
    contexts = {role: context for role, context in _contexts(name, options, dataset).items() if role != "deploy"}
    names = {str(role): context.list_name for role, context in contexts.items()}
    mixed = [context for context in contexts.values() if context.is_training and context.recipe.weak_lists]
    return names | {context.role.replace("train", "weak"): context.weak_list for context in mixed}


def lists_that_exist(name: str, options: GeneratorOptions, dataset: Dataset) -> dict[str, str]:
    """Options that choose lists which have a file, for stages whose usual list has none.

    Without such a list stage 2 is left out (`iterations2`).

    Returns:
        Option to its value; empty if all lists have a file, or if there is no other choice.
    """
    chosen: dict[str, str] = {}
    for role, context in _contexts(name, options, dataset).items():
        if role == "deploy" or context.list_file.is_file():
            continue
        others = [other for other in context.usual_lists if other in dataset.lists]
        found = next((other for other in others if dataset.list_path(other).is_file()), None)
        if found is None and role != "train2":
            return {}
        chosen |= {"iterations2": "0"} if found is None else {f"{role}_set": found}
    return chosen


def _contexts(name: str, options: GeneratorOptions, dataset: Dataset) -> dict[str, NetContext]:
    """The context of each net, by its role."""
    variant = look_up(name)[1]
    folder = prototxt_folder(name, options)
    contexts = {role: _context(variant, role, options, dataset, folder) for role in get_args(Role)}
    if not _has_stage2(variant, contexts["train2"]):
        del contexts["train2"]
        if options.base_lr2 is not None:
            raise InputError(
                f"option base_lr2: {name} has no second training stage here; ask for one with iterations2, or leave "
                "base_lr2 out"
            )
    return contexts


def _context(variant: Variant, role: Role, options: GeneratorOptions, dataset: Dataset, folder: str) -> NetContext:
    stage = 2 if role == "train2" else 1
    recipe = _with_options(variant.recipe(stage, dataset.name), options, stage)
    return NetContext(role, dataset, options, recipe, variant.sizes, folder)


def check_options(name: str, options: GeneratorOptions, dataset: Dataset) -> None:
    """Check a model's name and options without writing a net.

    Raises:
        InputError: the model, a list or an option is unknown or does not fit.
    """
    _refuse_unread(name, look_up(name)[1], options)
    for context in _contexts(name, options, dataset).values():
        assert context.size
        if context.role != "deploy":
            assert context.list_name
    list_names(name, options, dataset)


def prototxt_folder(name: str, options: GeneratorOptions | None = None) -> str:
    """The folder of the prototxts of `<data set>/<model>`: options.folder, or prototxt/<data set>/<model>."""
    return (options and options.folder) or f"prototxt/{name}"


def experiment_folder(name: str, options: GeneratorOptions | None = None) -> str:
    """The folder of snapshots and results: options.experiment, or exper/<data set>/<model>."""
    return (options and options.experiment) or f"exper/{name}"


def trained_weights(name: str) -> str:
    """Where stage 1 of `<data set>/<model>`, generated without options, leaves its weights.

    Example:
        >>> trained_weights("voc12/largefov")
        'exper/voc12/largefov/model/train_iter_20000.caffemodel'
    """
    dataset_name, variant = look_up(name)
    return f"{experiment_folder(name)}/model/train_iter_{variant.recipe(1, dataset_name).iterations}.caffemodel"


def _refuse_unread(name: str, variant: Variant, options: GeneratorOptions) -> None:
    """Refuse options that do not apply to the model, rather than ignore them."""
    for option in SPECIAL_OPTIONS:
        if getattr(options, option) is not None and option not in variant.reads:
            users = [model for model, row in VARIANTS.items() if option in row.reads]
            models = f"{users[0]} or {users[-1]}"
            raise InputError(f"option {option}: does not apply to {name}, only to models such as {models}")
    for option, reason in variant.refuses.items():
        if getattr(options, option) is not None:
            raise InputError(f"option {option}: does not apply to {name}: {reason}")


def _with_options(recipe: Recipe, options: GeneratorOptions, stage: int) -> Recipe:
    """A stage's recipe with the values of all options that are given and that it has a field for."""
    stated = {name: value for name, value in options.stated().items() if name not in ("crop", "iterations")}
    iterations = options.iterations if stage == 1 else options.iterations2
    stated |= {} if iterations is None else {"iterations": iterations}
    stated |= {"base_lr": options.base_lr2} if stage == 2 and options.base_lr2 is not None else {}
    return replace(recipe, **{f.name: stated[f.name] for f in fields(recipe) if f.name in stated})


def _has_stage2(variant: Variant, context: NetContext) -> bool:
    """Whether there is a stage 2: it has iterations, and the options ask for it, or both recipe and lists exist."""
    options, recipe = context.options, context.recipe
    is_asked = options.train2_set is not None or options.iterations2 is not None
    needed = [context.usual_lists, *([recipe.weak_lists] if recipe.weak_lists and options.weak2_set is None else [])]
    has_lists = all(not set(names).isdisjoint(context.dataset.lists) for names in needed)
    is_usual = has_lists and len(variant.recipes) > 1 and context.dataset.name not in variant.one_stage
    return recipe.iterations > 0 and (is_asked or is_usual)


def _net_text(name: str, variant: Variant, context: NetContext) -> str:
    n = Spec(context.style)
    variant.build(n, context)
    net = n.to_proto()
    net.name = name.partition("/")[2]
    text = format_message(net, n.sections)
    return to_bvlc(Document(text, f"{context.role}.prototxt")) if context.options.dialect == "bvlc" else text
