"""`deeplab crf` on one image that is larger than the memory: time, memory, and what the seams of its tiles are.

    python bench/crf_large.py --side 30000 [--classes 3] [--sigma-alpha 30] [--folder SCRATCH] [--image PHOTO.jpg]

Draws a square image (.ppm) and its scores (.npy, float32: 4 bytes per pixel and class), runs the command in a process
of its own and follows that process's memory: what it allocated (RssAnon) and everything, pages of mapped files
included, which the system takes back when it needs them (VmHWM). Then it compares windows of the result with untiled
inference on the window and twice a tile's margin around it: windows on corners where four tiles meet, and windows
anywhere. The files are removed at the end. Linux only.
"""

from __future__ import annotations

import argparse
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from crf_scenes import busy_image
from deeplab_caffe.crf import CRFParameters
from deeplab_caffe.crf.batch import DEFAULT_OVERLAP
from deeplab_caffe.crf.batch.regions import Region
from deeplab_caffe.crf.batch.tiles import bands, default_tile, infer_region
from deeplab_caffe.data import read_image, read_label
from deeplab_caffe.data.images import open_image
from timing import table

STRIP, NEAR, REACH, ZOOM = 500, 8, 200, 4


class Run(NamedTuple):
    """Seconds, those of the processor, and the most megabytes: allocated, and with the pages of mapped files."""

    seconds: float
    processor: float
    allocated: float
    total: float


def draw(folder: Path, side: int, classes: int, photo: NDArray[np.uint8]) -> None:
    """`images/large.ppm` and `scores/large.npy`: the photo and its scores, mirrored again and again, shaded."""
    scores = scores_of(photo, classes)
    for name in ("images", "scores", "refined"):
        (folder / name).mkdir()
    columns, shade = mirrored(np.arange(side), photo.shape[1]), shading(side)
    maps = np.lib.format.open_memmap(folder / "scores/large.npy", "w+", np.float32, (classes, side, side))
    with (folder / "images/large.ppm").open("wb") as file:
        file.write(f"P6\n{side} {side}\n255\n".encode())
        for top in range(0, side, STRIP):
            rows = np.arange(top, min(top + STRIP, side))
            light = shade[rows][:, None] * shade
            strip = photo[mirrored(rows, photo.shape[0])][:, columns]
            file.write((strip * light[:, :, None]).astype(np.uint8).tobytes())
            maps[:, rows[0] : rows[-1] + 1] = scores[:, mirrored(rows, photo.shape[0])][:, :, columns] * light


def mirrored(positions: NDArray[np.int_], length: int) -> NDArray[np.int_]:
    """Indices that run to and fro over 0..length-1."""
    place = positions % (2 * length)
    return np.minimum(place, 2 * length - 1 - place)


def shading(side: int) -> NDArray[np.float32]:
    """Factors of 0.7 to 1 with a period that is no multiple of the photo's, so that no two places are the same."""
    return (0.85 + 0.15 * np.sin(np.arange(side) / 1733)).astype(np.float32)


def scores_of(photo: NDArray[np.uint8], classes: int) -> NDArray[np.float32]:
    """Scores (C, H, W): classes that follow the photo's colours, at stride 8 and with noise, enlarged."""
    rng = np.random.default_rng(0)
    height, width = (length // 8 for length in photo.shape[:2])
    small = cv2.GaussianBlur(cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA), (0, 0), 1.5)
    cv2.setRNGSeed(0)
    criteria = (cv2.TERM_CRITERIA_MAX_ITER, 20, 0)
    colours = small.reshape(-1, 3).astype(np.float32)
    _, label, _ = cv2.kmeans(colours, classes, None, criteria, 1, cv2.KMEANS_PP_CENTERS)
    maps = [3.0 * (label.reshape(height, width) == c) + rng.normal(0, 1, (height, width)) for c in range(classes)]
    return np.stack([cv2.resize(values.astype(np.float32), photo.shape[1::-1]) for values in maps])


def refine(folder: Path, flags: list[str]) -> Run:
    """Run the command, its progress on this terminal."""
    command = [sys.executable, "-m", "deeplab_caffe.cli", "crf", "--scores", folder / "scores", "--images"]
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    child = subprocess.Popen([*map(str, command), str(folder / "images"), "-o", str(folder / "refined"), *flags])
    allocated = total = 0.0
    while child.poll() is None:
        allocated, total = max(allocated, resident(child.pid, "RssAnon")), max(total, resident(child.pid, "VmHWM"))
        time.sleep(0.05)
    if child.returncode:
        raise SystemExit(f"the command failed: exit code {child.returncode}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return Run(time.perf_counter() - began, processor, allocated, total)


def resident(process: int, what: str) -> float:
    """Megabytes that the system counts for a process; 0 when it has ended."""
    try:
        found = re.search(rf"{what}:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    except OSError:
        found = None
    return int(found[1]) / 1e3 if found else 0.0


class Compared(NamedTuple):
    """Millions of pixels, and shares of them: different from untiled inference; changed by the CRF at all."""

    pixels: float
    near: float
    far: float
    changed: float


def compare(folder: Path, parameters: CRFParameters, windows: int) -> Compared:
    """Windows of the result, every other one on a corner of tiles, with untiled inference there."""
    labels, image = read_label(folder / "refined/large.png"), open_image(folder / "images/large.ppm")
    scores = np.load(folder / "scores/large.npy", mmap_mode="r")
    size = labels.shape
    edges = [tile_edges(length, parameters) for length in size]
    near = [distance_below(NEAR, edge, length) for edge, length in zip(edges, size, strict=True)]
    rng, counts, changed = np.random.default_rng(0), np.zeros((2, 2), int), 0
    for number in range(windows):
        on_seam = number % 2 == 0 and all(edges)
        centre = [int(rng.choice(edge)) if on_seam else int(rng.integers(size[0])) for edge in edges]
        window = around(centre, REACH, size)
        grown = around(centre, REACH + round(2 * DEFAULT_OVERLAP * parameters.sigma_alpha), size)
        unary = -np.asarray(scores[(slice(None), *grown.slices)])
        whole = infer_region(np.asarray(image[grown.slices]), unary, grown, parameters).labels()
        inner = tuple(slice(window[i] - grown[i], window[i + 2] - grown[i]) for i in (0, 1))
        differs = whole[inner] != labels[window.slices]
        changed += int((whole[inner] != unary.argmin(axis=0)[inner]).sum())
        at_seam = near[0][window.slices[0]][:, None] | near[1][window.slices[1]]
        for i, place in enumerate((at_seam, ~at_seam)):
            counts[i] += differs[place].sum(), place.sum()
    shares = counts[:, 0] / np.maximum(counts[:, 1], 1)
    total = int(counts[:, 1].sum())
    return Compared(total / 1e6, float(shares[0]), float(shares[1]), changed / total)


def tile_edges(length: int, parameters: CRFParameters) -> list[int]:
    """Where the command's tiles meet along a side of this length."""
    margin = round(DEFAULT_OVERLAP * parameters.sigma_alpha)
    row = next(bands((1, length), default_tile(margin), margin))
    return [part.left for part, _ in row[1:]]


def distance_below(most: int, edges: list[int], length: int) -> NDArray[np.bool_]:
    """Which of 0..length-1 lie within `most` of an edge."""
    near = np.zeros(length, bool)
    for edge in edges:
        near[edge - most : edge + most] = True
    return near


def around(centre: list[int], reach: int, size: tuple[int, ...]) -> Region:
    """The window that reaches so far to all sides, inside an image of this size."""
    low, high = (np.clip([c + sign * reach for c in centre], 0, size).tolist() for sign in (-1, 1))
    return Region(*low, *high)


def photograph(path: str | None) -> NDArray[np.uint8]:
    """The photo, or a drawn one, enlarged so that its regions are as large as a large image's."""
    photo = busy_image() if path is None else read_image(path)
    return np.asarray(cv2.resize(photo, None, fx=ZOOM, fy=ZOOM, interpolation=cv2.INTER_CUBIC), np.uint8)


def measured(side: int, arguments: argparse.Namespace) -> list[str]:
    """A row of the table."""
    parameters = CRFParameters(4, arguments.sigma_alpha, 4)
    flags = ["--w1", "4", "--sigma-alpha", str(arguments.sigma_alpha), "--sigma-beta", "4"]
    flags += ["--workers", str(arguments.workers), "--kind", "scores"]
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        draw(folder, side, arguments.classes, photograph(arguments.image))
        run = refine(folder, flags)
        compared = compare(folder, parameters, arguments.windows)
        gigabytes = (folder / "scores/large.npy").stat().st_size / 1e9
    tiles = (len(tile_edges(side, parameters)) + 1) ** 2
    return [
        *(f"{side} x {side}", f"{arguments.classes}", f"{tiles}", f"{gigabytes:.2f} GB"),
        *(f"{run.seconds:.0f} s", f"{run.processor:.0f} s", f"{side**2 / 1e6 / run.seconds:.2f}"),
        *(f"{run.allocated:.0f} MB", f"{run.total:.0f} MB"),
        *(f"{100 * share:.4f} %" for share in compared[1:]),
        f"{compared.pixels:.1f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, nargs="+", default=[3000], help="pixels")
    parser.add_argument("--classes", type=int, default=3)
    parser.add_argument("--sigma-alpha", type=float, default=30.0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--windows", type=int, default=40, help="how many are compared, half of them on seams")
    parser.add_argument("--image", help="a photo to draw with (default: a drawn one)")
    parser.add_argument("--folder", help="where the files lie meanwhile (default: the system's folder for such)")
    arguments = parser.parse_args()
    rows = []
    for side in arguments.side:
        rows.append(measured(side, arguments))
        print(table(HEAD, rows), flush=True)


HEAD = ["image", "classes", "tiles", "scores", "time", "processor", "megapixels/s", "allocated", "with mapped files"]
HEAD += ["near seams", "elsewhere", "changed by the CRF", "megapixels compared"]

if __name__ == "__main__":
    main()
