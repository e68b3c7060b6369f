"""`deeplab predict` beside the stage `test`, on the same images with the same net, taking turns.

    deeplab all demo --data datasets/camvid.toml --quick --exp exper/camvid_quick
    python bench/predict.py exper/camvid_quick [--repeat 3]

Both load the net, read the images of the test list, compute them and write files: `test` score maps and labels,
`predict` labels, and with its default flags overlays too. Prints medians of seconds and of the processor's seconds, and
their ratio to `test`'s; and whether the labels are the same. The folder's results of `test` are written again.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from deeplab_caffe import Segmenter, engine
from deeplab_caffe.caffe.log import warnings_only
from deeplab_caffe.data import read_label
from deeplab_caffe.experiment import Experiment, demo
from deeplab_caffe.experiment.stages.test import test
from deeplab_caffe.experiment.testing import Testing
from deeplab_caffe.prediction.predict import predict_all
from deeplab_caffe.prediction.results import RECORD, Results, Wanted
from deeplab_caffe.prediction.sources import find_sources

REFERENCE = "test"
CLOCKS = {"s": time.perf_counter, "processor s": time.process_time}


def predicted(experiment: Experiment, output: Path, overlay: bool) -> None:
    """Label the images of the test list."""
    model = Segmenter.load(experiment.folder)
    dataset = experiment.dataset()
    words = [dataset.path_of(entry.image) for entry in dataset.entries(experiment.test_list)]
    results = Results(output, Wanted(overlay=overlay))
    results.begin({}, force=True)
    for outcome in predict_all(model, find_sources(words, output, RECORD), results, force=True, shown=False):
        assert outcome.status == "done", outcome.error


def tasks(experiment: Experiment, folder: Path) -> dict[str, Callable[[], None]]:
    return {
        REFERENCE: lambda: test(experiment),
        "predict, labels alone": lambda: predicted(experiment, folder / "labels", False),
        "predict": lambda: predicted(experiment, folder / "both", True),
    }


def timed(task: Callable[[], None]) -> list[float]:
    """Seconds by each clock."""
    began = [clock() for clock in CLOCKS.values()]
    with contextlib.redirect_stderr(io.StringIO()), warnings_only():
        task()
    return [clock() - start for clock, start in zip(CLOCKS.values(), began, strict=True)]


def share_of_equal(experiment: Experiment, folder: Path) -> float:
    """The part of the pixels whose labels are the same."""
    paths = sorted((folder / "both" / "labels").glob("*.png"))
    results = experiment.result(experiment.test_list)
    return float(np.mean([np.mean(read_label(path) == read_label(results / path.name)) for path in paths]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("experiment", help="the folder of a demo that is trained")
    parser.add_argument("--repeat", type=int, default=3)
    given = parser.parse_args()
    experiment = demo(folder=given.experiment, testing=Testing(preset="default"))  # the list of a search is not tested
    engine.current().choose_device(None, False, 1)
    with tempfile.TemporaryDirectory() as name:
        turns = tasks(experiment, Path(name))
        times: dict[str, list[list[float]]] = {task: [] for task in turns}
        for turn in range(given.repeat + 1):
            for task, work in turns.items():
                found = timed(work)
                if turn:  # the first one is not counted
                    times[task].append(found)
        equal = share_of_equal(experiment, Path(name))
    medians = {task: [statistics.median(each) for each in zip(*rows, strict=True)] for task, rows in times.items()}
    count = len(experiment.dataset().entries(experiment.test_list))
    print(f"{count} images of {experiment.test_list}; labels equal in {equal:.3%} of the pixels\n")
    print("| | " + " | ".join(f"{clock} | ratio" for clock in CLOCKS) + " |\n|---|" + "---|" * 2 * len(CLOCKS))
    for task, row in medians.items():
        cells = [f"{value:.1f} | {value / own:.2f}" for value, own in zip(row, medians[REFERENCE], strict=True)]
        print(f"| {task} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
