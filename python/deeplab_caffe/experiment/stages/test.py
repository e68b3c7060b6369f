"""The stage `test`: runs the nets over lists of images, from weights to score maps and labels."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ... import engine, inference
from ...arrays import Label, Size
from ...crf import resize_scores
from ...data import Dataset, ListEntry, image_size, read_image, write_label
from ...errors import InputError
from ...files import cpus, replacing, write_text
from ...formats.prototxt import Document
from ...formats.python_layers import with_source
from ...nets import signed_anew
from ...progress import tracked
from .. import provenance
from ..different_nets import refuse_different_nets
from ..fingerprints import file_states, net_meaning
from ..folder import Experiment
from ..net_inputs import check_data_layers
from ..results import DONE, empty_folder, unique_ids
from ..stored_scores import StoredScores, thinned
from ..tested_weights import ListWeights, existing_weights_for, lacks_second_stage, weights_for


def test_inputs(experiment: Experiment) -> Sequence[Any]:
    dataset, names, protocol = experiment.dataset(), experiment.tested_lists, experiment.testing.protocol
    images = [dataset.path_of(e.image) for name in names for e in dataset.entries(name, needs_label=False)]
    how = engine.current()
    lower = [how.precision] if how.precision != "float32" else []
    lower += ["exact"] if how.exact else []
    weights = dict.fromkeys(weights_for(experiment, name).path for name in names)
    passes = [] if protocol.is_plain else [str(protocol), net_meaning(experiment.prototxt / "deploy.prototxt")]
    return [*weights, net_meaning(experiment.prototxt / "test.prototxt"), file_states(images), *lower, *passes]


def test_outputs(experiment: Experiment) -> list[Path]:
    return [place(name) / DONE for name in experiment.tested_lists for place in (experiment.scores, experiment.result)]


def test(experiment: Experiment) -> None:
    """Run a net over the lists and write score maps and predicted labels.

    A plain test runs the test net, which pads each image to its crop. With scales, mirrored images or regions the
    deploy net is reshaped to what is needed; both have the same layers, also option test_output_stride.

    Raises:
        InputError: the weights are missing or do not fit the net, the nets compute different things, or the net has no
            single output of scores.
    """
    weights = {name: existing_weights_for(experiment, name) for name in experiment.tested_lists}
    refuse_different_nets(experiment)
    for name, tested in weights.items():
        if len({found.path for found in weights.values()}) > 1 or not tested.stage:
            print(f"test {name}: {tested}", flush=True)
        if lacks_second_stage(experiment, name):
            _warn(f"'{name}' is meant for the weights of the second training stage, which is not finished")
        run = _run_test_net if experiment.testing.protocol.is_plain else _run_protocol
        run(experiment, experiment.dataset(), name, tested)


def _warn(text: str) -> None:
    print(f"warning: {text}", file=sys.stderr, flush=True)


# -- the results of a list


class _Item(NamedTuple):
    """An image of a list, and the name of its results."""

    entry: ListEntry
    id: str


class _Results:
    """The folders of a list's results, written by threads while the net computes the next ones."""

    def __init__(self, experiment: Experiment, dataset: Dataset, name: str, pool: ThreadPoolExecutor) -> None:
        self.dataset = dataset
        self.scores, self.labels = experiment.scores(name), experiment.result(name)
        self._pool, self._pending = pool, list[Future[None]]()

    def begin(self) -> None:
        for place in (self.scores, self.labels):
            empty_folder(place)

    def keep(self, item: _Item, write: Any, *arrays: NDArray[Any]) -> None:
        """Call `write` in a thread; waits while many results are to be written."""
        self._pending.append(self._pool.submit(write, item, *arrays))
        if len(self._pending) > 4 * cpus():
            self._pending.pop(0).result()

    def end(self, done: StoredScores) -> None:
        for future in self._pending:
            future.result()
        for place in (self.scores, self.labels):
            done.write(place)

    def write(self, item: _Item, maps: NDArray[Any], labels: Label) -> None:
        with replacing(self.scores / f"{item.id}.npy") as temporary:
            np.save(temporary, maps)
        write_label(self.labels / f"{item.id}.png", labels, self.dataset.palette)


@contextmanager
def _results(experiment: Experiment, dataset: Dataset, name: str) -> Iterator[_Results]:
    with ThreadPoolExecutor(cpus()) as pool:
        results = _Results(experiment, dataset, name, pool)
        results.begin()
        yield results


def _items(dataset: Dataset, name: str, weights: ListWeights) -> list[_Item]:
    """The images of a list; warns if the weights were trained on them."""
    entries = dataset.entries(name, needs_label=False)
    ids = unique_ids(entries, dataset.lists[name])
    if warning := provenance.warning(weights.path, name, (entry.image for entry in entries)):
        print(warning, file=sys.stderr, flush=True)
    return list(map(_Item, entries, ids))


# -- one pass of the test net


def _run_test_net(experiment: Experiment, dataset: Dataset, name: str, weights: ListWeights) -> None:
    net_file = _test_net(experiment, dataset, name)
    check_data_layers(net_file, dataset)
    net = engine.current().test_net(net_file, weights.path)
    found = inference.score_blob(net, net_file)
    run_net = engine.current().runner(net, found.name)
    items = _items(dataset, name, weights)

    with _results(experiment, dataset, name) as results:

        def write(item: _Item, maps: NDArray[Any]) -> None:
            path = dataset.path_of(item.entry.image)
            size = image_size(path, dataset.upright)
            _check_fits(path, size, found.size)
            results.write(item, maps, resize_scores(maps, found.size, size).argmax(0).astype(np.uint8))

        for item in tracked(items, f"test {name}", unit="image"):
            results.keep(item, write, run_net()[0].copy())
        protocol = str(experiment.testing.protocol)
        results.end(StoredScores(found.size, found.kind, str(weights.path), weights.stage, protocol))


def _check_fits(path: str, size: Size, net: Size) -> None:
    """Raise InputError if an image (height, width) is larger than the input of the net, which crops it."""
    if size[0] > net[0] or size[1] > net[1]:
        raise InputError(
            f"{path}: {size[1]}×{size[0]} pixels (width × height) are more than the test net's input of "
            f"{net[1]}×{net[0]}; test in regions, such as --tile {min(net)}, or with a larger --test-crop"
        )


def _test_net(experiment: Experiment, dataset: Dataset, name: str) -> Path:
    """The test net on a list: test.prototxt itself, or a copy next to it that reads the other list."""
    path = experiment.prototxt / "test.prototxt"
    if name == experiment.test_list:
        return path
    copy = experiment.prototxt / f"test_{name}.prototxt"
    text = with_source(Document.read(path), dataset.lists[name].as_posix())
    write_text(copy, signed_anew(text, f"{path.name} on the list '{name}'."))
    return copy


# -- several passes of the deploy net


def _run_protocol(experiment: Experiment, dataset: Dataset, name: str, weights: ListWeights) -> None:
    protocol = experiment.testing.protocol
    test_net = experiment.prototxt / "test.prototxt"
    check_data_layers(test_net, dataset)
    predictor = inference.load(experiment.prototxt / "deploy.prototxt", weights.path, test_net)
    items = _items(dataset, name, weights)

    def size_of(item: _Item) -> tuple[int, int]:
        return image_size(dataset.path_of(item.entry.image), dataset.upright)

    with _results(experiment, dataset, name) as results:
        for item in tracked(sorted(items, key=size_of), f"test {name}", unit="image"):  # a net of one shape is faster
            image = read_image(dataset.path_of(item.entry.image), dataset.upright)
            found = predictor.probabilities(image, protocol)
            results.keep(item, results.write, thinned(found), found.argmax(0).astype(np.uint8))
        results.end(StoredScores(None, "log-probabilities", str(weights.path), weights.stage, str(protocol)))
