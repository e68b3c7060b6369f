"""The stages `test`, `search`, `crf` and `evaluate`: from weights to numbers."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from .. import engine
from ..crf import CRFParameters, crf_labels, resize_scores
from ..crf.search import FileItem, SearchResult, coarse_to_fine, heat_map
from ..data import Dataset, ListEntry, image_size, list_id, read_label, write_label
from ..errors import InputError
from ..evaluation import Scores, confusion_matrix
from ..files import replacing, write_text
from ..formats.prototxt import Block, Document
from .layout import Experiment
from .training import final_weights


def lists(experiment: Experiment) -> list[str]:
    """The lists that are scored: the test list, and the one that the CRF is searched on."""
    return list(dict.fromkeys([experiment.test_list, experiment.search_list]))


def test_inputs(experiment: Experiment) -> Sequence[Any]:
    dataset = experiment.dataset()
    files = [final_weights(experiment), experiment.prototxt / "test.prototxt", dataset.root.as_posix()]
    return [*files, *(dataset.lists[name] for name in lists(experiment))]


def test_outputs(experiment: Experiment) -> list[Path]:
    return [experiment.scores(name) / "net.json" for name in lists(experiment)]


def test(experiment: Experiment) -> None:
    """Run the test net over the lists: score maps at the net's resolution, and predicted labels."""
    weights = final_weights(experiment)
    if not weights.is_file():
        raise InputError(f"{weights} is not there; run the stage train first")
    for name in lists(experiment):
        _score_list(experiment, experiment.dataset(), name, str(weights))


def _score_list(experiment: Experiment, dataset: Dataset, name: str, weights: str) -> None:
    caffe = engine.caffe()
    definition = _test_net(experiment, dataset, name)
    net = caffe.Net(str(definition), weights, caffe.TEST)
    scores_blob, final_blob = _score_blobs(net)
    folder, result = experiment.scores(name), experiment.result(name)
    for place in (folder, result):
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
    entries = dataset.entries(name, needs_label=False)
    ids = unique_ids(entries, dataset.lists[name])
    size = (0, 0)
    for entry, image_id in progress(zip(entries, ids, strict=True), f"test {name}", len(entries)):
        net.forward()
        scores = np.ascontiguousarray(net.blobs[scores_blob].data[0])
        height, width = net.blobs[final_blob].data.shape[2:]
        size = (int(height), int(width))
        with replacing(folder / f"{image_id}.npy") as temporary:
            np.save(temporary, scores)
        image = image_size(dataset.path_of(entry.image))
        labels = resize_scores(scores, size, image).argmax(0)
        write_label(result / f"{image_id}.png", labels, dataset.palette)
    write_text(folder / "net.json", json.dumps({"size": size, "weights": weights}) + "\n")


def _test_net(experiment: Experiment, dataset: Dataset, name: str) -> Path:
    """The test net on a list: test.prototxt itself, or a copy of it whose source is the other list."""
    path = experiment.prototxt / "test.prototxt"
    if name == experiment.test_list:
        return path
    document = Document.read(path)
    for layer in document.root.all("layer"):
        for item in layer.value.all("image_data_param") if isinstance(layer.value, Block) else ():
            for source in item.value.all("source") if isinstance(item.value, Block) else ():
                span = source.value
                text = f'{document.text[: span.start]}"{dataset.lists[name].as_posix()}"{document.text[span.end :]}'
                copy = experiment.prototxt / f"test_{name}.prototxt"
                write_text(copy, text)
                return copy
    raise InputError(f"{path}: no image_data_param with a source, which names the list to test on")


def _score_blobs(net: Any) -> tuple[str, str]:
    """The scores as the net computed them, and as it gives them out (enlarged by a last Interp layer)."""
    outputs = [name for name in net.outputs if net.blobs[name].data.ndim == 4 and net.blobs[name].data.shape[1] > 1]
    if len(outputs) != 1:
        raise InputError(f"the test net has {len(outputs)} outputs that look like scores, wanted one: {net.outputs}")
    for index, layer in enumerate(net._layer_names):
        if outputs[0] in net.top_names[layer] and net.layers[index].type == "Interp":
            return net.bottom_names[layer][0], outputs[0]
    return outputs[0], outputs[0]


def search_inputs(experiment: Experiment) -> Sequence[Any]:
    return [*test_inputs(experiment), experiment.search_images, repr(experiment.search_space)]


def search_outputs(experiment: Experiment) -> list[Path]:
    return [experiment.search_result, experiment.crf_parameters]


def search(experiment: Experiment) -> None:
    """Search the CRF's parameters on the held-out list, coarse to fine."""
    dataset, name = experiment.dataset(), experiment.search_list
    result = coarse_to_fine(
        _items(experiment, dataset, name),
        dataset.num_classes,
        experiment.search_space,
        ignore_label=dataset.ignore_label,
        max_images=experiment.search_images,
        workers=os.cpu_count() or 1,
        state=experiment.folder / "crf" / "search.state",
    )
    result.save_csv(experiment.search_result.with_suffix(".csv"))
    heat_map(result, experiment.heat_map)
    result.best.save(experiment.crf_parameters)
    result.save(experiment.search_result)
    print(result.summary())


def _items(experiment: Experiment, dataset: Dataset, name: str) -> list[FileItem]:
    size = tuple(json.loads((experiment.scores(name) / "net.json").read_text())["size"])
    entries = dataset.entries(name)
    ids = unique_ids(entries, dataset.lists[name])
    return [
        FileItem(
            dataset.path_of(e.image),
            str(experiment.scores(name) / f"{i}.npy"),
            dataset.path_of(e.label or ""),
            (size[0], size[1]),
        )
        for e, i in zip(entries, ids, strict=True)
    ]


def crf_inputs(experiment: Experiment) -> Sequence[Any]:
    return [*test_inputs(experiment), experiment.search_result]


def crf_outputs(experiment: Experiment) -> list[Path]:
    return [experiment.result(experiment.test_list, crf=True)]


def crf(experiment: Experiment) -> None:
    """Refine the test list's labels with the parameters found; nothing to do if the CRF did not help."""
    folder = experiment.result(experiment.test_list, crf=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if not SearchResult.load(experiment.search_result).helps:
        print("the CRF did not help on the held-out images: it is not used")
        return
    dataset = experiment.dataset()
    items = _items(experiment, dataset, experiment.test_list)
    parameters = CRFParameters.load(experiment.crf_parameters)

    def refine(item: FileItem) -> None:
        sample = item.load()
        labels = crf_labels(sample.image, sample.unary, parameters)
        write_label(folder / f"{Path(item.scores).stem}.png", labels, dataset.palette)

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for _ in progress(pool.map(refine, items), "crf", len(items)):
            pass


def evaluate_inputs(experiment: Experiment) -> Sequence[Any]:
    return [*crf_inputs(experiment), experiment.dataset().classes]


def evaluate_outputs(experiment: Experiment) -> list[Path]:
    return [experiment.evaluation]


def evaluate(experiment: Experiment) -> None:
    """Score the labels before and after the CRF, each by one confusion matrix over the whole list."""
    dataset = experiment.dataset()
    before = count_folder(dataset, experiment.test_list, experiment.result(experiment.test_list))
    after = None
    if SearchResult.load(experiment.search_result).helps:
        after = count_folder(dataset, experiment.test_list, experiment.result(experiment.test_list, crf=True))
    scores = Scores.from_matrix(before)
    refined = Scores.from_matrix(after) if after is not None else None
    record = {
        "dataset": dataset.name,
        "list": experiment.test_list,
        "before": scores.to_json(dataset.classes),
        "after": refined.to_json(dataset.classes) if refined else None,
        "confusion_before": before.tolist(),
        "confusion_after": after.tolist() if after is not None else None,
    }
    write_text(experiment.evaluation, json.dumps(record) + "\n")
    print(scores.table(dataset.classes, refined))


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

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
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
            raise InputError(f"{path}:{entry.line}: image name '{image_id}' stands in line {seen[image_id]} already")
        seen[image_id] = entry.line
    return list(seen)


def progress(items: Iterable[Any], what: str, total: int) -> Iterable[Any]:
    """A bar with rate and time left on a terminal, a line every now and then elsewhere."""
    if sys.stderr.isatty():
        return tqdm(items, what, total, unit="image")
    return tqdm(items, what, total, unit="image", mininterval=15, ascii=True, bar_format=_LINE, file=_Lines())


_LINE = "{desc}: {n_fmt}/{total_fmt} images, {rate_fmt}, {remaining} left"


class _Lines:
    """Turns the bar's carriage returns into lines."""

    def write(self, text: str) -> None:
        text = text.strip("\r\n ")
        if text and not text.startswith("\x1b"):
            print(text, flush=True)

    def flush(self) -> None:
        sys.stdout.flush()
