"""The stages `test` and `evaluate`: from weights to labels, from labels to numbers."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from .. import engine
from ..crf import resize_scores
from ..crf.search import SearchResult
from ..data import Dataset, ListEntry, image_size, list_id, read_label, write_label
from ..errors import InputError
from ..evaluation import Scores, confusion_matrix
from ..files import cpus, replacing, write_text
from ..formats.definition import read_definition
from ..formats.prototxt import Document
from ..formats.python_layers import layer_type, with_source
from ..nets import signed_anew
from ..progress import tracked
from . import provenance
from .fingerprints import file_states, net_meaning
from .layout import Experiment
from .training import final_weights

#: written last into a folder of results
DONE = "done.json"


def lists(experiment: Experiment) -> list[str]:
    """The lists that are scored: the test list, and the one that the CRF is searched on."""
    return list(dict.fromkeys([experiment.test_list, experiment.search_list]))


def test_inputs(experiment: Experiment) -> Sequence[Any]:
    dataset = experiment.dataset()
    images = [dataset.path_of(e.image) for name in lists(experiment) for e in dataset.entries(name, needs_label=False)]
    precision = engine.current().precision
    lower = [precision] if precision != "float32" else []
    return [final_weights(experiment), net_meaning(experiment.prototxt / "test.prototxt"), file_states(images), *lower]


def test_outputs(experiment: Experiment) -> list[Path]:
    return [place(name) / DONE for name in lists(experiment) for place in (experiment.scores, experiment.result)]


def test(experiment: Experiment) -> None:
    """Run the test net over the lists: score maps at the net's resolution, and predicted labels."""
    weights = final_weights(experiment)
    if not weights.is_file():
        raise InputError(f"{weights} is not there; run the stage train first")
    for name in lists(experiment):
        _score_list(experiment, experiment.dataset(), name, weights)


def _score_list(experiment: Experiment, dataset: Dataset, name: str, weights: Path) -> None:
    net_file = _test_net(experiment, dataset, name)
    net = engine.current().test_net(net_file, weights)
    scores_blob, size = _score_blob(net, net_file)
    run_net = engine.current().runner(net, scores_blob)
    scores_folder, result = experiment.scores(name), experiment.result(name)
    for place in (scores_folder, result):
        empty_folder(place)
    entries = dataset.entries(name, needs_label=False)
    ids = unique_ids(entries, dataset.lists[name])
    if said := provenance.warning(weights, name, (entry.image for entry in entries)):
        print(said, file=sys.stderr, flush=True)

    def keep(scores: np.ndarray, entry: ListEntry, image_id: str) -> None:
        with replacing(scores_folder / f"{image_id}.npy") as temporary:
            np.save(temporary, scores)
        labels = resize_scores(scores, size, image_size(dataset.path_of(entry.image))).argmax(0)
        write_label(result / f"{image_id}.png", labels, dataset.palette)

    pending: list[Future[None]] = []
    with ThreadPoolExecutor(cpus()) as pool:  # the net goes on while results are written
        for entry, image_id in tracked(list(zip(entries, ids, strict=True)), f"test {name}", unit="image"):
            pending.append(pool.submit(keep, run_net()[0].copy(), entry, image_id))
            if len(pending) > 4 * cpus():
                pending.pop(0).result()
        for future in pending:
            future.result()
    for place in (scores_folder, result):
        write_text(place / DONE, json.dumps({"size": size, "weights": str(weights)}) + "\n")


def _test_net(experiment: Experiment, dataset: Dataset, name: str) -> Path:
    """The test net on a list: test.prototxt itself, or a copy written beside it whose source is the other list."""
    path = experiment.prototxt / "test.prototxt"
    if name == experiment.test_list:
        return path
    copy = experiment.prototxt / f"test_{name}.prototxt"
    text = with_source(Document.read(path), dataset.lists[name].as_posix())
    write_text(copy, signed_anew(text, f"{path.name} on the list '{name}'."))
    return copy


def _score_blob(net: Any, net_file: Path) -> tuple[str, tuple[int, int]]:
    """The blob of the scores as the net computes them, and the size it enlarges them to.

    A last Interp layer that only enlarges is left out: what it does is done again for each image's own size.
    """
    layers = {p.name: p for p in read_definition(net_file).param.layer if p.name in set(net._layer_names)}
    found = _score_blobs(net, layers.values())
    if len(found) != 1:
        raise InputError(f"{net_file}: {len(found)} outputs look like scores, wanted one: {found or net.outputs}")
    makers = {top: layer for layer in net._layer_names for top in net.top_names[layer]}
    height, width = net.blobs[found[0]].data.shape[2:]
    layer, blob = makers[found[0]], found[0]
    if layer in layers and layer_type(layers[layer]) == "Interp":
        blob = net.bottom_names[layer][0]
    return blob, (int(height), int(width))


def _score_blobs(net: Any, layers: Iterable[Any]) -> list[str]:
    """Outputs that are maps of several channels; if there are none, such maps that the net itself scores or writes."""
    taken = [p.bottom[0] for p in layers if layer_type(p) in ("SegAccuracy", "MatWrite")]
    for names in (net.outputs, dict.fromkeys(taken)):
        found = [name for name in names if len(net.blobs[name].shape) == 4 and net.blobs[name].shape[1] > 1]
        if found:
            return found
    return []


def evaluate_inputs(experiment: Experiment) -> Sequence[Any]:
    return [experiment.dataset().classes]


def evaluate_outputs(experiment: Experiment) -> list[Path]:
    return [experiment.evaluation]


def evaluate(experiment: Experiment) -> None:
    """Score the labels before and after the CRF, each by one confusion matrix over the whole list."""
    dataset, name = experiment.dataset(), experiment.test_list
    before = count_folder(dataset, name, experiment.result(name))
    after = None
    if SearchResult.load(experiment.search_result).helps:
        after = count_folder(dataset, name, experiment.result(name, crf=True))
    record = {
        "dataset": dataset.name,
        "list": name,
        "before": Scores.from_matrix(before).to_json(dataset.classes),
        "after": Scores.from_matrix(after).to_json(dataset.classes) if after is not None else None,
        "confusion_before": before.tolist(),
        "confusion_after": after.tolist() if after is not None else None,
    }
    write_text(experiment.evaluation, json.dumps(record) + "\n")
    show_scores(experiment)


def show_scores(experiment: Experiment) -> None:
    """Print the table of scores."""
    before, after = read_scores(experiment)
    print(before.table(experiment.dataset().classes, after), flush=True)


def read_scores(experiment: Experiment) -> tuple[Scores, Scores | None]:
    """The scores that `evaluate` wrote, before and after the CRF."""
    record = read_json(experiment.evaluation)
    before, after = (record.get(f"confusion_{when}") for when in ("before", "after"))
    return Scores.from_matrix(np.array(before)), Scores.from_matrix(np.array(after)) if after else None


def count_folder(dataset: Dataset, list_name: str, folder: Path) -> np.ndarray:
    """The (C, C) confusion matrix of the label files <id>.png in a folder against the labels of a list."""
    entries = dataset.entries(list_name)
    ids = unique_ids(entries, dataset.lists[list_name])
    total = np.zeros((dataset.num_classes, dataset.num_classes), np.int64)

    def count(entry: ListEntry, image_id: str) -> np.ndarray:
        label = read_label(dataset.path_of(entry.label or ""))
        prediction = read_label(folder / f"{image_id}.png")
        try:
            return confusion_matrix(label, prediction, dataset.num_classes, dataset.ignore_label)
        except InputError as error:
            raise InputError(f"{folder / image_id}.png against {entry.label}: {error}") from None

    with ThreadPoolExecutor(cpus()) as pool:
        for matrix in pool.map(count, entries, ids):
            total += matrix
    return total


# -- shared


def unique_ids(entries: Iterable[ListEntry], path: Path) -> list[str]:
    """The id of every entry: the image's name without folder and ending; InputError where two share one."""
    seen: dict[str, int] = {}
    for entry in entries:
        image_id = list_id(entry)
        if image_id in seen:
            raise InputError(
                f"{path}:{entry.line}: image name '{image_id}' stands in line {seen[image_id]} already; results are "
                "kept under it, so it must be unique"
            )
        seen[image_id] = entry.line
    return list(seen)


def empty_folder(folder: Path) -> None:
    """Make a folder, without whatever an earlier run left in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object that an earlier stage wrote; InputError where it is damaged."""
    try:
        value = json.loads(path.read_text())
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}; run the stage that writes it first") from None
    except ValueError as error:
        raise InputError(f"{path}: damaged ({error}); run the stage that writes it again, with --force") from None
    if not isinstance(value, dict):
        raise InputError(f"{path}: damaged; run the stage that writes it again, with --force")
    return value
