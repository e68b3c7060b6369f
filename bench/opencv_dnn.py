"""A MobileNet-SSD and a pose net: `deeplab_caffe.cv2_dnn` beside OpenCV's own dnn and PyTorch, in turns, on the CPU.

    python bench/opencv_dnn.py                      # both nets: 300 x 300 and 368 x 368
    python bench/opencv_dnn.py ssd --threads 1 --clock cpu

Random weights, the same in all; the SSD finds some tens of boxes, as a trained one does. Each run goes from a numpy
image to what the net says of it. PyTorch runs the module that `deeplab export torch` writes. Prints medians and their
ratio to OpenCV 4's. Run it on an idle machine, or with one thread and the processor's time.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import runpy
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

import opencv_dnn_nets as nets
import peers
import timing
from deeplab_caffe import caffe, cv2_dnn
from deeplab_caffe.cli import main as deeplab

#: name → its prototxt, the side of its image
NETS: dict[str, tuple[Callable[[], str], int]] = {"ssd": (nets.mobilenet_ssd, 300), "pose": (nets.pose, 368)}


def fill(net: caffe.Net) -> None:
    """Weights that keep activations of one order; of an SSD's scores most are the background's."""
    random = np.random.default_rng(0)
    for name, blobs in net.params.items():
        for blob in blobs:
            spread = (2 / np.prod(blob.shape[1:])) ** 0.5 if len(blob.shape) > 1 else 0.1
            blob.data[...] = random.normal(0, spread, blob.shape)
        if name.endswith("/bn"):
            blobs[1].data[...], blobs[2].data[...] = random.uniform(0.5, 1.5, blobs[1].shape), 1
        elif name.endswith("/scale"):
            blobs[0].data[...] += 1
        elif name.endswith("/conf_map"):
            blobs[0].data[...] *= 0.25
            blobs[1].data[::21] += 5


def ours(prototxt: Path, weights: Path) -> peers.Run:
    """OpenCV's names on the embedded Caffe."""
    net = cv2_dnn.readNetFromCaffe(prototxt, weights)

    def run(image: np.ndarray) -> np.ndarray:
        net.setInput(image)
        return net.forward()

    return run


def pytorch(prototxt: Path, weights: Path) -> peers.Run:
    """The exported module, in channels_last; its first output."""
    target = prototxt.with_name("exported")
    with contextlib.redirect_stdout(io.StringIO()):
        deeplab(["export", "torch", str(prototxt), "-w", str(weights), "-o", str(target), "--no-verify"])
    model = runpy.run_path(f"{target}.py")["Net"]()
    model.load_state_dict(load_file(f"{target}.safetensors"))
    model = model.eval().to(memory_format=torch.channels_last)

    def run(image: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            found = model(torch.from_numpy(image).to(memory_format=torch.channels_last))
        return next(iter(found.values())).numpy()

    return run


def measure(name: str, folder: Path, arguments: argparse.Namespace) -> None:
    """Print the table of one net."""
    write, size = NETS[name]
    prototxt, weights = folder / "net.prototxt", folder / "net.caffemodel"
    prototxt.write_text(write())
    net = caffe.Net(str(prototxt), caffe.TEST)
    fill(net)
    net.save(weights)
    image = np.random.default_rng(1).normal(0, 1, (1, 3, size, size)).astype(np.float32)
    runs = {"ours": ours(prototxt, weights), "PyTorch, exported": pytorch(prototxt, weights)}
    try:
        runs["OpenCV"] = peers.opencv(prototxt, weights, arguments.threads)
    except peers.Absent as reason:
        print(f"OpenCV: {reason}")
    answer = runs["ours"](image)
    if "OpenCV" in runs:
        apart = np.abs(runs["OpenCV"](image) - answer).max() / np.abs(answer).max()
        print(f"{name}: {answer.shape}, ours and OpenCV's apart by {apart:.0e} of the largest value")
    tasks = {way: partial(run, image) for way, run in runs.items()}
    times = timing.interleaved(tasks, arguments.repeat, timing.CLOCKS[arguments.clock])
    where = f"{timing.machine(arguments.threads, 'cpu')}, load {os.getloadavg()[0]:.1f}"
    print(f"{name}, 1 x 3 x {size} x {size}, {where}, {arguments.clock} time, median of {arguments.repeat}\n")
    base = times.get("OpenCV", times["ours"])
    rows = [[way, f"{t:.1f}", f"{t / base:.2f}"] for way, t in sorted(times.items(), key=lambda item: item[1])]
    print(timing.table(["", "ms", "to OpenCV" if "OpenCV" in times else "to ours"], rows), end="\n\n")


def main() -> None:
    """Measure the nets that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nets", nargs="*", default=list(NETS), metavar="NET", help=" or ".join(NETS))
    parser.add_argument("--repeat", type=int, default=11)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--clock", choices=timing.CLOCKS, default="wall")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    caffe.set_mode_cpu()
    for name in arguments.nets:
        if name not in NETS:
            parser.error(f"no net '{name}'; there are {', '.join(NETS)}")
        with tempfile.TemporaryDirectory() as folder:
            measure(name, Path(folder), arguments)


if __name__ == "__main__":
    main()
