"""The CRF beside pydensecrf: one table of what is to be reached, what was measured, and whether it was.

    pip install pydensecrf2 scikit-image         # the peer, and four photographs
    python bench/crf.py                          # all of it, about ten minutes
    python bench/crf.py --only image compact     # some of it
    python bench/crf.py --image a.jpg b.jpg      # your own images, with drawn scores
    python bench/crf.py --device cuda            # the GPU too, in batches of eight

Images have 500 x 375 pixels, 21 classes; ten iterations. Ours and the peer take turns on one core, from image and unary
to labels; medians. On a machine with other work add `--clock cpu`, the processor's time instead of the clock's.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from crf_scenes import scenes, unary_of
from deeplab_caffe.crf import (
    CRFParameters,
    MeanField,
    Pairwise,
    bilateral_lattice,
    crf_batch,
    crf_labels,
    dense_crf,
    position_lattice,
    unary_from_probabilities,
)

SETTINGS = [CRFParameters(4, 30, 3), CRFParameters(4, 60, 5), CRFParameters(4, 100, 6)]
EPS = 0.05
RECORDED = Path(__file__).parent.parent / "tests" / "data" / "crf"
GRID = [(float(alpha), float(beta)) for alpha in range(30, 101, 10) for beta in range(3, 7)]
GRID_W1 = (3.0, 4.0, 5.0, 6.0)


class Row(NamedTuple):
    """One line of the table."""

    what: str
    goal: str
    measured: str
    met: bool | None


class Bench(NamedTuple):
    """What every measurement gets."""

    images: dict[str, NDArray[np.uint8]]
    unaries: dict[str, NDArray[np.float32]]
    repeat: int
    clock: Callable[[], float]
    device: str

    def pairs(self) -> list[tuple[str, NDArray[np.uint8], NDArray[np.float32]]]:
        return [(name, image, self.unaries[name]) for name, image in self.images.items()]

    def interleaved(self, tasks: dict[str, Callable[[], object]]) -> dict[str, float]:
        """Median milliseconds; the tasks take turns, after one turn that is not counted."""
        times: dict[str, list[float]] = {name: [] for name in tasks}
        for turn in range(self.repeat + 1):
            for name, task in tasks.items():
                began = self.clock()
                task()
                if turn:
                    times[name].append(1e3 * (self.clock() - began))
        return {name: statistics.median(values) for name, values in times.items()}


def one_image(bench: Bench) -> list[Row]:
    """Time and labels of one image, all classes and compacted, for each image and setting."""
    print(
        f"{'image':14} {'alpha/beta':>10} {'M/N':>5} {'peer':>7} {'ours':>7} {'ratio':>6} {'compact':>8} {'ratio':>6}"
    )
    whole, compacted, vertices = [], [], []
    for name, image, unary in bench.pairs():
        for setting in SETTINGS:
            times = bench.interleaved(
                {
                    "peer": lambda i=image, u=unary, s=setting: crf_labels(i, u, s, "pydensecrf"),
                    "ours": lambda i=image, u=unary, s=setting: crf_labels(i, u, s),
                    "compact": lambda i=image, u=unary, s=setting: crf_labels(i, u, s, compact=EPS),
                }
            )
            whole.append(times["peer"] / times["ours"])
            compacted.append(times["peer"] / times["compact"])
            vertices.append(
                bilateral_lattice(image, setting.sigma_alpha, setting.sigma_beta).size / image[:, :, 0].size
            )
            print(
                f"{name[:14]:14} {setting.sigma_alpha:>6g}/{setting.sigma_beta:<3g} {vertices[-1]:5.2f} "
                f"{times['peer']:7.0f} {times['ours']:7.0f} {whole[-1]:6.2f} {times['compact']:8.0f} "
                f"{compacted[-1]:6.2f}",
                flush=True,
            )
    median, worst = statistics.median(whole), min(whole)
    small = statistics.median(compacted)
    kept = sorted({len(MeanField(unary, EPS).kept) for unary in bench.unaries.values()})
    return [
        Row("one image, all classes, against pydensecrf", ">= 7 median, >= 3.5 worst",
            f"{median:.2f} median, {worst:.2f} worst", median >= 7 and worst >= 3.5),
        Row(f"one image, compacted ({' to '.join(map(str, {kept[0], kept[-1]}))} classes active)", ">= 11 median",
            f"{small:.2f} median", small >= 11),
    ]  # fmt: skip


def agreement(bench: Bench) -> list[Row]:
    """Labels and probabilities against pydensecrf's, both normalizations; labels also compacted."""
    different, farthest, compacted = 0, 0.0, 0
    for _, image, unary in bench.pairs():
        for setting in SETTINGS:
            for normalization in ("after", "symmetric"):
                parameters = dataclasses.replace(setting, normalization=normalization)
                peer = dense_crf(image, unary, parameters, "pydensecrf")
                ours = dense_crf(image, unary, parameters)
                small = crf_labels(image, unary, parameters, compact=EPS)
                different = max(different, int((ours.argmax(0) != peer.argmax(0)).sum()))
                compacted = max(compacted, int((small != peer.argmax(0)).sum()))
                farthest = max(farthest, float(np.abs(ours - peer).max()))
    measured = f"{different} px, {farthest:.1e} (compacted: {compacted} px)"
    what = "labels and probabilities against pydensecrf, the worst image"
    return [Row(what, "0 px (2 allowed), 1e-4", measured, different <= 2 and farthest <= 1e-4)]


def recordings(bench: Bench) -> list[Row]:
    """Labels against those the DeepLab program was recorded to give."""
    different = 0
    for path in sorted(RECORDED.glob("*.npz")):
        with np.load(path) as file:
            names = ("bi_w", "bi_xy_std", "bi_rgb_std", "pos_w", "pos_xy_std")
            parameters = CRFParameters.from_caffe(**{name: file[name].item() for name in names})
            labels = crf_labels(file["image"], unary_from_probabilities(file["prob"]), parameters)
            different += int((labels != file["labels_deeplab"]).sum())
    return [Row("labels against the DeepLab program's, three crops", "0 px", f"{different} px", different == 0)]


def exact(bench: Bench) -> list[Row]:
    """Labels against mean field with the exact kernels, on the middle of each image."""
    shares = []
    for _, image, unary in bench.pairs():
        part = np.s_[94:282, 125:375]
        crop, energies = image[part], unary[(slice(None), *part)]
        for setting in SETTINGS[:2]:
            labels = crf_labels(crop, energies, setting)
            shares.append(float((labels == crf_labels(crop, energies, setting, "exact")).mean()))
    measured = f"{100 * min(shares):.2f} to {100 * max(shares):.2f} %"
    return [Row("labels that are those of exact kernels, crops of 188 x 250", ">= 98 %", measured, min(shares) >= 0.98)]


def grid(bench: Bench) -> list[Row]:
    """The 128 settings on the first image, each part by all in turn."""
    _, image, unary = bench.pairs()[0]
    seconds = dict.fromkeys(("peer", "ours", "compact"), 0.0)
    fields = {"ours": MeanField(unary), "compact": MeanField(unary, EPS)}
    different = 0
    for alpha, beta in GRID:
        began = bench.clock()
        peer = [crf_labels(image, unary, CRFParameters(w1, alpha, beta), "pydensecrf") for w1 in GRID_W1]
        seconds["peer"] += bench.clock() - began
        for name, field in fields.items():
            began = bench.clock()
            labels = _four(field, image, alpha, beta)
            seconds[name] += bench.clock() - began
            if name == "ours":
                different = max(different, *(int((a != b).sum()) for a, b in zip(labels, peer, strict=True)))
    print(f"grid: {seconds['peer']:.1f} s, ours {seconds['ours']:.1f} s, compacted {seconds['compact']:.1f} s; "
          f"at most {different} px differ")  # fmt: skip
    whole, small = (seconds["peer"] / seconds[name] for name in fields)
    return [Row("128 settings on one image against a pydensecrf loop", ">= 4.5 all classes, >= 12 compacted",
                f"{whole:.2f}, {small:.2f}", whole >= 4.5 and small >= 12)]  # fmt: skip


def _four(field: MeanField, image: NDArray[np.uint8], alpha: float, beta: float) -> list[NDArray]:
    pairwise = Pairwise([position_lattice(*image.shape[:2], 3.0), bilateral_lattice(image, alpha, beta)])
    return [b.labels() for b in field.run_each(pairwise, [(3.0, w1) for w1 in GRID_W1], 10, "after")]


def two_cores(bench: Bench) -> list[Row]:
    """Images on two threads against one, by the clock; every core of the process may be used."""
    os.sched_setaffinity(0, CORES)
    work = [(image, unary) for _, image, unary in bench.pairs()] * 8
    times: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(bench.repeat):
        for threads, found in times.items():
            with ThreadPoolExecutor(threads) as pool:
                began = time.perf_counter()
                list(pool.map(lambda pair: crf_labels(*pair, SETTINGS[1]), work))
                found.append(time.perf_counter() - began)
    os.sched_setaffinity(0, {min(CORES)})
    ratio = statistics.median(times[1]) / statistics.median(times[2])
    return [Row("two cores over images", ">= 1.8 of one", f"{ratio:.2f}", ratio >= 1.8)]


def memory(bench: Bench) -> list[Row]:
    """Peak of a fresh process with one image, above what it held before."""
    ours, peer = (_child("memory", backend) for backend in ("native", "pydensecrf"))
    return [Row("memory, one image", "<= pydensecrf's", f"{ours:.0f} MB, pydensecrf {peer:.0f} MB", ours <= peer)]


def start_up(bench: Bench) -> list[Row]:
    """Import and first call in a fresh process, kernels cached by the runs before."""
    seconds = statistics.median(_child("start", bench.clock.__name__) for _ in range(5))
    return [Row("import and first call", "< 1 s", f"{seconds:.2f} s", seconds < 1)]


def _child(*arguments: str) -> float:
    command = [sys.executable, str(Path(__file__).with_name("crf_child.py")), *arguments]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def gpu(bench: Bench) -> list[Row]:
    """Eight images at once with torch on CUDA against pydensecrf on a core, per image, by the clock."""
    if bench.device != "cuda":
        return [Row("CUDA, batches of eight, per image", ">= 50 of pydensecrf's core", "not measured here", None)]
    _, image, unary = bench.pairs()[0]
    images, unaries = [image] * 8, [unary] * 8
    bench = bench._replace(clock=time.perf_counter)  # the labels that come back end the GPU's work
    times = bench.interleaved(
        {
            "peer": lambda: crf_labels(image, unary, SETTINGS[1], "pydensecrf"),
            "ours": lambda: crf_batch(images, unaries, SETTINGS[1], "torch", device="cuda"),
        }
    )
    ratio = 8 * times["peer"] / times["ours"]
    return [Row("CUDA, batches of eight, per image", ">= 50 of pydensecrf's core", f"{ratio:.1f}", ratio >= 50)]


PARTS = {
    "image": one_image,
    "agreement": agreement,
    "recordings": recordings,
    "exact": exact,
    "grid": grid,
    "cores": two_cores,
    "memory": memory,
    "start": start_up,
    "gpu": gpu,
}
CORES = os.sched_getaffinity(0)


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image", nargs="*", default=[], help="image files instead of the photographs")
    parser.add_argument("--only", nargs="*", choices=PARTS, default=list(PARTS), metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    arguments = parser.parse_args()
    images = scenes(arguments.image)
    unaries = {name: unary_of(image) for name, image in images.items()}
    clock = time.process_time if arguments.clock == "cpu" else time.perf_counter
    os.sched_setaffinity(0, {min(CORES)})
    bench = Bench(images, unaries, arguments.repeat, clock, arguments.device)
    rows = [row for name in arguments.only for row in PARTS[name](bench)]
    print("\n| what | goal | measured | met |\n|---|---|---|---|")
    for what, goal, measured, met in rows:
        print(f"| {what} | {goal} | {measured} | {'–' if met is None else 'yes' if met else 'no'} |")


if __name__ == "__main__":
    main()
