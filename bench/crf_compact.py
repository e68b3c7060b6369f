"""Compaction of classes on real scores: how many stay active, which labels change, what time it saves.

    python bench/crf_compact.py SCORES IMAGES [--size 361x481] [--parameters FOUND/parameters.json]

For each eps the CRF runs on every image with all classes and compacted, in turns. "Time" is the processor's, to all
classes: of one image from unary to labels, and of the mean field alone on a lattice that is there, as in a search.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from deeplab_caffe.cli import crf_flags
from deeplab_caffe.crf import CRFParameters, MeanField, Pairwise, bilateral_lattice, crf_labels, position_lattice
from deeplab_caffe.crf.batch import Task, batch_tasks
from deeplab_caffe.crf.batch.regions import Region, image_scores
from deeplab_caffe.data import read_image
from deeplab_caffe.progress import tracked
from timing import table

HEAD = (
    *("eps", "active: least", "median", "most", "labels that differ", "images with any", "worst image"),
    *("time", "mean field alone"),
)


@dataclass
class Counted:
    """What one eps gave, a value for each image."""

    active: list[int] = field(default_factory=list)
    differs: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    alone: list[float] = field(default_factory=list)

    def row(self, eps: float, everything: Counted) -> list[str]:
        """Of the table; times as a share of those of `everything`."""
        active = (min(self.active), float(np.median(self.active)), max(self.active))
        times = (sum(self.whole) / sum(everything.whole), sum(self.alone) / sum(everything.alone))
        return [
            *(f"{eps:g}", *(f"{value:g}" for value in active), f"{100 * np.mean(self.differs):.4f} %"),
            *(f"{np.count_nonzero(self.differs)} of {len(self.differs)}", f"{100 * max(self.differs):.3f} %"),
            *(f"{value:.2f}" for value in times),
        ]


def timed(task: Callable[[], np.ndarray]) -> tuple[np.ndarray, float]:
    """What it gives, and the processor's seconds it took."""
    began = time.process_time()
    return task(), time.process_time() - began


def count(image: np.ndarray, unary: np.ndarray, parameters: CRFParameters, counted: dict[float, Counted]) -> float:
    """Add an image to each eps of `counted`; the share of its labels that the CRF changes."""
    bilateral = bilateral_lattice(image, parameters.sigma_alpha, parameters.sigma_beta)
    pairwise = Pairwise([position_lattice(*image.shape[:2], parameters.sigma_gamma), bilateral])
    weights, reference = (parameters.w2, parameters.w1), np.empty(0)
    for eps, kept in counted.items():
        labels, whole = timed(lambda eps=eps: crf_labels(image, unary, parameters, compact=eps))
        mean_field = MeanField(unary, eps)
        run = (pairwise, weights, parameters.iterations, parameters.normalization)
        _, alone = timed(lambda mean_field=mean_field, run=run: mean_field.run(*run).labels())
        reference = labels if eps == 0 else reference
        kept.active.append(mean_field.kept.size)
        kept.differs.append(float((labels != reference).mean()))
        kept.whole.append(whole)
        kept.alone.append(alone)
    return float((reference != unary.argmin(0)).mean())


def opened(task: Task, size: tuple[int, int] | str | None) -> tuple[np.ndarray, np.ndarray]:
    """An image and its unary energies."""
    image = read_image(task.image)
    whole = Region(0, 0, *image.shape[:2])
    net_size: Any = whole.size if size == "image" else size
    return image, image_scores(task.scores, "auto", net_size, whole.size).unary(whole)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scores")
    parser.add_argument("images")
    parser.add_argument("--size", help="of the net's input, HxW, or image")
    parser.add_argument("--parameters", help="JSON, as crf-search writes it (default: those of LargeFOV)")
    parser.add_argument("--eps", type=float, nargs="+", default=[0.01, 0.05, 0.1])
    arguments = parser.parse_args()
    parameters = CRFParameters.load(arguments.parameters) if arguments.parameters else CRFParameters(4, 65, 3)
    size = crf_flags.net_size(arguments.size)
    tasks = [task for task in batch_tasks(arguments.scores, arguments.images) if isinstance(task, Task)]
    columns = (0.0, *arguments.eps)
    count(*opened(tasks[0], size), parameters, {eps: Counted() for eps in columns})  # compiles the kernels
    counted = {eps: Counted() for eps in columns}
    changed = [count(*opened(task, size), parameters, counted) for task in tracked(tasks, "compaction")]
    print(table(HEAD, [kept.row(eps, counted[0.0]) for eps, kept in counted.items()]))
    print(f"\n{len(tasks)} images; the CRF changes {100 * np.mean(changed):.2f} % of their labels")


if __name__ == "__main__":
    main()
