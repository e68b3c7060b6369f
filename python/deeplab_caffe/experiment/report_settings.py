"""The settings that a report lists, and what it says of the search for the CRF's parameters."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..crf.search import SearchResult
from ..errors import InputError
from ..evaluation import differing_classes
from ..formats.definition import read_definition, read_solver
from ..formats.python_layers import layer_type, parameters
from ..nets import look_up
from .class_weights import class_weight_settings
from .folder import Experiment
from .hand_edits import hand_edits
from .ledger import trained_otherwise
from .stages.crf import parameters_of, source_of
from .stored_scores import StoredScores


def settings(experiment: Experiment, search: SearchResult | None) -> dict[str, dict[str, object]]:
    """The settings of a report, {section: {name: value}}: of the net, the training, the tests and the CRF."""
    edited: dict[str, object] = {path: "; ".join(lines) for path, lines in hand_edits(experiment).items()}
    return {
        "net": _net_settings(experiment),
        **solver_settings(experiment.prototxt),
        **class_weight_settings(experiment),
        **({"edited by hand": edited} if edited else {}),
        **{f"test of the list '{name}'": _test_settings(experiment, name) for name in experiment.tested_lists},
        "CRF": _crf_settings(experiment, search),
    }


def _net_settings(experiment: Experiment) -> dict[str, object]:
    """What the model is called, and how its generation differs from the published one."""
    shown: dict[str, object] = {"model": experiment.name}
    with contextlib.suppress(InputError):  # a data set or model that no publication has
        shown["what it is"] = look_up(experiment.name)[1].title
    with contextlib.suppress(InputError):  # nets that nothing generated
        shown["changed"] = " ".join(trained_otherwise(experiment)) or "nothing"
    return shown


def _test_settings(experiment: Experiment, name: str) -> dict[str, object]:
    """Weights and protocol of a tested list."""
    stored = StoredScores.read(experiment.scores(name))
    stage = {"stage": stored.stage} if stored.stage else {}
    return {"weights": stored.weights, **stage, "protocol": stored.protocol or "scale 1"}


def _crf_settings(experiment: Experiment, search: SearchResult | None) -> dict[str, object]:
    shown = {name: readable(value) for name, value in asdict(parameters_of(experiment)).items()}
    if search is None:
        return {**shown, "from": source_of(experiment)}
    images = f"{search.images} image{'s' * (search.images != 1)}"
    return {**shown, "searched on": f"{images} of the list '{experiment.search_list}'"}


def solver_settings(prototxt: Path) -> dict[str, dict[str, object]]:
    """The settings of the training, read from the solver and net files of a folder."""
    sections: dict[str, dict[str, object]] = {}
    for stage in ("", "2"):
        solver_file = prototxt / f"solver{stage}.prototxt"
        if not solver_file.is_file():
            continue
        solver = read_solver(solver_file)
        shown = _fields(solver)
        for layer in read_definition(solver.train_net or solver.net).param.layer:
            if layer_type(layer) == "ImageSegData":
                shown.update((name, readable(value)) for name, value in parameters(layer).items())
            if layer_type(layer) == "InfogainLoss":
                shown["class weights"] = layer.infogain_loss_param.source or f"the blob {layer.bottom[-1]}"
        sections[f"training{f', stage {stage}' if stage else ''}"] = shown
    return sections


def _fields(message: Any) -> dict[str, object]:
    """The fields that are set in a message, enums by name."""
    shown: dict[str, object] = {}
    for field, value in message.ListFields():
        named = field.enum_type and isinstance(value, int)
        shown[field.name] = field.enum_type.values_by_number[value].name if named else readable(value)
    return shown


def readable(value: Any) -> object:
    """A value for people. Floats with six digits: float32 0.0005 is shown as 0.0005, not 0.0005000000237."""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {readable(v)}" for name, v in value.items())
    return value if isinstance(value, str | int) else ", ".join(str(readable(v)) for v in value)


def search_sentences(experiment: Experiment, search: SearchResult) -> list[str]:
    """How the CRF's parameters were chosen, in plain words."""
    tried = len({(row.w1, row.sigma_alpha, row.sigma_beta) for row in search.rows})
    return [
        _images_searched(experiment, search.images),
        f"{tried} combinations of w1 (how much similar colours count), sigma_alpha (over which distance, in pixels) "
        "and sigma_beta (how similar, in colour levels) were tried: a coarse grid, then a finer one around its best. "
        "Each cell of the picture is one of them, with the mean IoU in % that it gave on these images.",
        search.verdict(),
        *_means_of_different_classes(experiment, search),
        *filter(None, (search.widening(), search.edge())),
    ]


def _means_of_different_classes(experiment: Experiment, search: SearchResult) -> list[str]:
    """Sentences where the mean with the CRF is over other classes than the one without."""
    names = experiment.dataset().classes
    found = differing_classes(names, search.classes_before, search.classes_after, ("without CRF", "with the CRF"))
    return [f"{line[0].upper()}{line[1:]}." for line in found]


def _images_searched(experiment: Experiment, count: int) -> str:
    """On which images, why on those, and why not on all that there are."""
    name = experiment.search_list
    there = len(experiment.dataset().entries(name, needs_label=False))
    which = f"all {there} images" if count >= there else f"{count} of the {there} images"
    text = f"The parameters were chosen on {which} of the list '{name}'."
    if name == "heldout":
        text += (
            " These were set aside from the training list: the net has not learnt from them, so it errs on them as on "
            "new images; and the images that are scored above have no part in the choice."
        )
    if count < there:
        text += (
            f" No more than {experiment.search_images} are used here, at even intervals in the list, because each "
            "combination is tried on each image, which takes its time."
        )
    return text
