"""The stage `test`: runs the test net over lists of images, from weights to score maps and labels."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from ... import engine
from ...crf import resize_scores
from ...data import Dataset, ListEntry, image_size, write_label
from ...errors import InputError
from ...files import cpus, replacing, write_text
from ...formats.definition import read_definition
from ...formats.prototxt import Document
from ...formats.python_layers import layer_type, with_source
from ...nets import signed_anew
from ...progress import tracked
from .. import provenance
from ..different_nets import refuse_different_nets
from ..fingerprints import file_states, net_meaning
from ..folder import Experiment
from ..net_inputs import check_data_layers
from ..results import DONE, empty_folder, unique_ids
from .train import final_weights


def lists(experiment: Experiment) -> list[str]:
    """The lists to score: the test list, and the list for the CRF search."""
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
    """Run the test net over the lists and write score maps, at the net's resolution, and predicted labels.

    Raises:
        InputError: the weights are missing or do not fit the net, the nets compute different things, or the net has no
            single output of scores.
    """
    weights = final_weights(experiment)
    if not weights.is_file():
        raise InputError(f"{weights} does not exist; run the stage train first")
    refuse_different_nets(experiment)
    for name in lists(experiment):
        _score_list(experiment, experiment.dataset(), name, weights)


def _score_list(experiment: Experiment, dataset: Dataset, name: str, weights: Path) -> None:
    net_file = _test_net(experiment, dataset, name)
    check_data_layers(net_file, dataset)
    net = engine.current().test_net(net_file, weights)
    scores_blob, size = _score_blob(net, net_file)
    run_net = engine.current().runner(net, scores_blob)
    scores_folder, result = experiment.scores(name), experiment.result(name)
    for place in (scores_folder, result):
        empty_folder(place)
    entries = dataset.entries(name, needs_label=False)
    ids = unique_ids(entries, dataset.lists[name])
    if warning := provenance.warning(weights, name, (entry.image for entry in entries)):
        print(warning, file=sys.stderr, flush=True)

    def keep(scores: np.ndarray, entry: ListEntry, image_id: str) -> None:
        with replacing(scores_folder / f"{image_id}.npy") as temporary:
            np.save(temporary, scores)
        image = image_size(dataset.path_of(entry.image), dataset.upright)
        labels = resize_scores(scores, size, image).argmax(0)
        write_label(result / f"{image_id}.png", labels, dataset.palette)

    pending: list[Future[None]] = []
    with ThreadPoolExecutor(cpus()) as pool:  # results are written while the net computes the next ones
        for entry, image_id in tracked(list(zip(entries, ids, strict=True)), f"test {name}", unit="image"):
            pending.append(pool.submit(keep, run_net()[0].copy(), entry, image_id))
            if len(pending) > 4 * cpus():
                pending.pop(0).result()
        for future in pending:
            future.result()
    for place in (scores_folder, result):
        write_text(place / DONE, json.dumps({"size": size, "weights": str(weights)}) + "\n")


def _test_net(experiment: Experiment, dataset: Dataset, name: str) -> Path:
    """The test net on a list: test.prototxt itself, or a copy next to it that reads the other list."""
    path = experiment.prototxt / "test.prototxt"
    if name == experiment.test_list:
        return path
    copy = experiment.prototxt / f"test_{name}.prototxt"
    text = with_source(Document.read(path), dataset.lists[name].as_posix())
    write_text(copy, signed_anew(text, f"{path.name} on the list '{name}'."))
    return copy


def _score_blob(net: Any, net_file: Path) -> tuple[str, tuple[int, int]]:
    """The blob with the scores as the net computes them, and the size (height, width) that it enlarges them to.

    A final Interp layer is skipped, because the scores are resized to the size of each image anyway. Uses only public
    names of pycaffe's Net.
    """
    layers = {p.name: p for p in read_definition(net_file).param.layer if p.name in net.top_names}
    found = _score_blobs(net, layers.values())
    if len(found) != 1:
        raise InputError(f"{net_file}: expected one output with scores but got {len(found)}: {found or net.outputs}")
    makers = {top: layer for layer, tops in net.top_names.items() for top in tops}
    height, width = net.blobs[found[0]].data.shape[2:]
    layer, blob = makers[found[0]], found[0]
    if layer in layers and layer_type(layers[layer]) == "Interp":
        blob = net.bottom_names[layer][0]
    return blob, (int(height), int(width))


def _score_blobs(net: Any, layers: Iterable[Any]) -> list[str]:
    """Outputs with several channels, (N, C, H, W); if there are none, such blobs that SegAccuracy or MatWrite reads."""
    taken = [p.bottom[0] for p in layers if layer_type(p) in ("SegAccuracy", "MatWrite")]
    for names in (net.outputs, dict.fromkeys(taken)):
        found = [name for name in names if len(net.blobs[name].shape) == 4 and net.blobs[name].shape[1] > 1]
        if found:
            return found
    return []
