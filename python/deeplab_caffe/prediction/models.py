"""Which model a word names: a bundle, or what an experiment has trained."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ..data import named_file, read_dataset
from ..errors import InputError
from ..experiment.settings import nets_of, places_of_nets
from ..experiment.testing import Testing, testing_of
from ..formats import bundle
from ..formats.definition import read_solver
from ..nets import full_name, look_up
from ..package_files import or_packaged
from ..reading import read_json
from ..spelling import did_you_mean
from .bundle_model import model_of_bundle
from .model import Model, check_weights

_SNAPSHOT = re.compile(r"(train2?)_iter_(\d+)\.caffemodel(?:\.h5)?")


def model_named(word: str | os.PathLike[str], testing: Testing | None = None) -> Model:
    """The model that a word names: a bundle, or an experiment (see `model_of_bundle`, `model_of_experiment`).

    Raises:
        InputError: it is neither, or damaged.
    """
    return (model_of_bundle if bundle.is_bundle(word) else model_of_experiment)(word, testing)


def model_of_experiment(word: str | os.PathLike[str], testing: Testing | None = None) -> Model:
    """The model that an experiment has trained.

    Args:
        word: the experiment's folder, or its name: demo, voc12/largefov, voc_largefov.
        testing: settings that override those with which the experiment was tested; `weights` and `stage` say which
            weights to use instead of those that are meant for images without labels: the last stage's.

    Raises:
        InputError: there is no such experiment, or it has no nets or weights yet; says what to do.
    """
    folder = experiment_at(os.fspath(word))
    name = "/".join(folder.resolve().parts[-2:])
    prototxt = _prototxt_of(folder)
    settings = _settings(folder, name, testing)
    test_net = prototxt / "test.prototxt"
    return Model(
        str(folder),
        prototxt / "deploy.prototxt",
        _weights(folder, prototxt, settings),
        test_net if test_net.is_file() else None,
        read_dataset(_description(folder, name)),
        settings.checked(),
        folder / "crf" / "parameters.json",
    )


def experiment_at(word: str) -> Path:
    """The folder of an experiment that a word names.

    Raises:
        InputError: there is none; names those that exist.
    """
    places = [Path(word), Path("exper", word)]
    if "/" not in word and not any(place.is_dir() for place in places):
        places += [Path("exper", name) for name in _full_names(word)]
    found = next((place for place in places if place.is_dir()), None)
    if found is not None:
        return found
    if os.path.isfile(word):
        expected = f"expected an experiment's folder or a bundle ({bundle.SUFFIX}); for files use --net and --weights"
        raise InputError(f"{word}: is a file; {expected}")
    known = _experiments()
    there = f"; there are {', '.join(known)}" if known else "; there are none in exper/: `deeplab all demo` makes one"
    raise InputError(f"{word}: no such experiment{did_you_mean(word, known, there)}")


def _full_names(word: str) -> list[str]:
    try:
        return [full_name(word)]
    except InputError:
        return []


def _experiments() -> list[str]:
    """Names of the experiments in exper/: demo, or voc12/largefov."""
    folders = sorted(path.parent for path in Path("exper").glob("**/model") if path.is_dir())
    return [folder.relative_to("exper").as_posix() for folder in folders]


def _prototxt_of(folder: Path) -> Path:
    found = nets_of(folder)
    if found is None:
        tried = " or ".join(str(place / "deploy.prototxt") for place in places_of_nets(folder))
        raise InputError(f"{folder}: has no net, expected {tried}; state the files with --net, --weights and --data")
    return found


def _description(folder: Path, name: str) -> Path:
    scored = folder / "evaluation.json"
    stated = read_json(scored).get("dataset_file") if scored.is_file() else None
    places = [folder / "dataset.toml", *([Path(stated)] if isinstance(stated, str) else [])]
    places.append(named_file(name.partition("/")[0]))
    found = next((place for place in places if or_packaged(place).is_file()), None)
    if found is None:
        raise InputError(
            f"{folder}: its data set is not described, expected {' or '.join(map(str, places))}; state the files with "
            "--net, --weights and --data"
        )
    return found


def _settings(folder: Path, name: str, given: Testing | None) -> Testing:
    """Those given; for the rest those that the experiment remembers, or that its publication states."""
    file = folder / "experiment.json"
    saved = dict(read_json(file).get("testing", {})) if file.is_file() else {}
    stated = dict((given or Testing()).stated())
    if "weights" in stated or "stage" in stated:
        saved = {key: value for key, value in saved.items() if key not in ("weights", "stage")}
    try:
        known = Testing(**{**saved, **stated})
    except TypeError as error:
        raise InputError(f"{file}: invalid settings of tests ({error})") from None
    return testing_of(name, known) if _is_published(name) else known


def _is_published(name: str) -> bool:
    try:
        look_up(name)
    except InputError:
        return False
    return True


# -- weights


def _weights(folder: Path, prototxt: Path, settings: Testing) -> Path:
    if settings.weights is not None:
        check_weights(Path(settings.weights))
        return Path(settings.weights)
    stages = [settings.stage] if settings.stage else [2, 1]
    for stage in stages:
        final = _final(folder, prototxt / f"solver{'' if stage == 1 else 2}.prototxt")
        if final is not None:
            return final
    newest = _newest(folder / "model", stages)
    if newest is None:
        stage_name = f"train{2 if settings.stage == 2 else ''}"
        raise InputError(
            f"{folder}: has no trained weights in {folder / 'model'}; run the stage {stage_name} first, or state a "
            "file with --weights"
        )
    return newest


def _final(folder: Path, solver: Path) -> Path | None:
    """The weights that a finished training leaves, whatever the working directory is."""
    if not solver.is_file():
        return None
    param = read_solver(solver)
    name = f"{Path(param.snapshot_prefix).name}_iter_{param.max_iter}.caffemodel"
    places = [folder / "model" / name, folder / "model" / f"{name}.h5"]
    return next((place for place in places if place.is_file()), None)


def _newest(model: Path, stages: list[int]) -> Path | None:
    """The newest snapshot of a training that is not finished."""
    wanted = {"train" if stage == 1 else "train2" for stage in stages}
    found = [(match, path) for path in model.glob("train*") if (match := _SNAPSHOT.fullmatch(path.name))]
    ranked = sorted((match[1], int(match[2]), path) for match, path in found if match[1] in wanted)
    return ranked[-1][2] if ranked else None


def is_final(model: Model) -> bool:
    """Whether the weights are those of a finished training, as far as the solvers beside the net say."""
    match = _SNAPSHOT.fullmatch(model.weights.name)
    solver = model.net.with_name("solver2.prototxt" if match and match[1] == "train2" else "solver.prototxt")
    return match is None or not solver.is_file() or int(match[2]) == read_solver(solver).max_iter
