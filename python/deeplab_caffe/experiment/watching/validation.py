"""The net that a training is tested with while it runs: the test net on held-out images, which counts pixels."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ... import engine
from ...data import ListEntry, read_list, write_list
from ...engine import Validation
from ...errors import InputError
from ...files import write_text
from ...formats.definition import read_definition, read_solver
from ...formats.edits import Edits
from ...formats.prototxt import Document
from ...formats.python_layers import layer_type, parameters, with_source
from ...formats.tree import Block, Field
from ...formats.writer import quote
from ..folder import Experiment
from ..net_inputs import sources

#: the images of which TensorBoard gets pictures
PICTURES = 4
#: tests of an experiment that holds images out, over its training
_TESTS = 8
_SHORTEST = 10
#: the comment at the top of a file, with its signature
_HEADER = re.compile(r"\A(?:#[^\n]*\n)*")


def validation(experiment: Experiment, stage: str) -> Validation | None:
    """The test on held-out images that a training stage ("" or "2") runs at intervals; None: there is none.

    Its net is written to log/validation<stage>.prototxt, and the images that it reads to list/validation<stage>.txt.

    Raises:
        InputError: a test was asked for, but the solver has tests of its own, the Caffe cannot do it, there are no
            labels, or the test net has no scores.
    """
    stated = experiment.training.test_interval
    interval = _own_interval(experiment, stage) if stated is None else stated
    if not interval:
        return None
    if reason := _impossible(experiment, stage):
        if stated is not None:
            raise InputError(f"--test-interval {stated}: {reason}")
        return None
    entries = held_out(experiment)
    if seen := _trained_on(experiment, stage, entries):
        print(f"note: {seen}, so the scores on them during training are too optimistic", file=sys.stderr, flush=True)
    chosen = experiment.folder / "list" / f"validation{stage}.txt"
    chosen.parent.mkdir(parents=True, exist_ok=True)
    write_list(chosen, entries)
    net = experiment.folder / "log" / f"validation{stage}.prototxt"
    net.parent.mkdir(parents=True, exist_ok=True)
    write_text(net, validation_net(experiment.prototxt / "test.prototxt", chosen, experiment.dataset().ignore_label))
    batch = int(parameters(_data_layer(net)).get("batch_size", 1))
    pictures = PICTURES if experiment.training.tensorboard else 0
    return Validation(net, math.ceil(len(entries) / batch), interval, pictures)


def _own_interval(experiment: Experiment, stage: str) -> int:
    """Several tests over the training if images are held out anyway; published recipes have none."""
    if not experiment.hold_out:
        return 0
    return max(_SHORTEST, int(_solver(experiment, stage).max_iter) // _TESTS)


def _solver(experiment: Experiment, stage: str) -> Any:
    return read_solver(experiment.prototxt / f"solver{stage}.prototxt")


def _impossible(experiment: Experiment, stage: str) -> str | None:
    """Why the training cannot be tested meanwhile, or None."""
    if _solver(experiment, stage).test_iter:
        return f"{experiment.prototxt}/solver{stage}.prototxt has tests of its own (test_iter); remove one of the two"
    if not engine.current().validates:
        return "only supported by the embedded Caffe; for an installed one, add a test_net to the solver"
    if not experiment.has_labels(experiment.search_list):
        return f"the list '{experiment.search_list}' has no labels"
    return None


def held_out(experiment: Experiment) -> list[ListEntry]:
    """The images to test on: of the list that the CRF is searched on, at even intervals if it has too many."""
    entries = experiment.dataset().entries(experiment.search_list, needs_label=True)
    count = min(len(entries), experiment.training.val_images)
    return [entries[i] for i in np.linspace(0, len(entries) - 1, count).round().astype(int)]


def _trained_on(experiment: Experiment, stage: str, entries: Sequence[ListEntry]) -> str:
    """A phrase, if the net is trained on some of the images."""
    lists = sources(experiment.prototxt / f"train{stage}.prototxt")
    seen = {entry.image for path in lists for entry in read_list(path, needs_label=False)}
    known = sum(entry.image in seen for entry in entries)
    return f"{known} of the {len(entries)} images of '{experiment.search_list}' are trained on" if known else ""


def _data_layer(net: Path) -> Any:
    return next(p for p in read_definition(net).param.layer if layer_type(p) == "ImageSegData")


def validation_net(test_net: Path, source: Path, ignore_label: int | None) -> str:
    """The text of a test net, changed so that it reads another list, writes no files, and scores its labels.

    Args:
        test_net: its file.
        source: the list file.
        ignore_label: the label that does not count.

    Raises:
        InputError: the net has no scores.
    """
    changed = Document(with_source(Document.read(test_net), source.as_posix()), str(test_net))
    layers = read_definition(test_net).param.layer
    replaced = {p.name for p in layers if layer_type(p) in ("SegAccuracy", "MatWrite")}
    edits = Edits(changed)
    edits.remove_all([f for f in changed.root.all("layer") if _name(f) in replaced])
    accuracy = _accuracy_layer(_scores(layers, test_net), _data_layer(test_net).top[1], ignore_label)
    comment = f"{test_net} on {source}, which a training is tested on while it runs; written anew by each training"
    return f"# {comment}\n{_HEADER.sub('', edits.apply())}{accuracy}"


def _name(layer: Field) -> str | None:
    return layer.value.text_of("name") if isinstance(layer.value, Block) else None


def _scores(layers: Sequence[Any], test_net: Path) -> str:
    """The blob with the scores: what SegAccuracy reads, or else the one blob that is not used otherwise."""
    taken = [p.bottom[0] for p in layers if layer_type(p) == "SegAccuracy"]
    made = {top for p in layers if p.bottom for top in p.top}
    readers = [p for p in layers if layer_type(p) != "MatWrite"]
    used = {bottom for p in readers for bottom in p.bottom if bottom not in p.top}  # in place: the same blob
    found = list(dict.fromkeys(taken)) or sorted(made - used)
    if len(found) != 1:
        raise InputError(f"{test_net}: expected one output with scores but got {len(found)}: {', '.join(found)}")
    return found[0]


def _accuracy_layer(scores: str, label: str, ignore_label: int | None) -> str:
    ignored = "" if ignore_label is None else f"  seg_accuracy_param {{ ignore_label: {ignore_label} }}\n"
    bottoms = "".join(f"  bottom: {quote(name)}\n" for name in (scores, label))
    return f'\nlayer {{\n  name: "accuracy"\n  type: "SegAccuracy"\n{bottoms}  top: "accuracy"\n{ignored}}}\n'
