"""LargeFOV forward: ours beside OpenCV, onnxruntime, OpenVINO and the net hand-written in PyTorch, interleaved.

    python bench/forward.py                    # 1 x 3 x 513 x 513 on the CPU
    python bench/forward.py --device cuda      # ours and PyTorch on the first CUDA device

Random weights, the same in all. Each run goes from a numpy image to scores at the image's size. Prints medians, their
ratio to the hand-written net in channels_last, and how far the scores are from our plain execution's, as a share of
their largest. The peers are installed by `pip install -c constraints.txt -e '.[bench]'`. Run it on an idle machine.
"""

from __future__ import annotations

import argparse
import copy
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch

import peers
import timing
from deeplab_caffe import caffe
from handwritten import LargeFOV, with_weights_of

PROTOTXT = Path(__file__).parents[1] / "prototxt" / "voc12" / "largefov" / "deploy.prototxt"
#: what the others are measured by
REFERENCE = {"float32": "PyTorch, channels_last", "bf16": "PyTorch, channels_last, bf16"}


def filled_net(size: int) -> caffe.Net:
    """LargeFOV for one image, with weights that keep activations of one order."""
    net = caffe.Net(str(PROTOTXT), caffe.TEST)
    random = np.random.default_rng(0)
    for blobs in net.params.values():
        shape = blobs[0].shape
        weights = random.standard_normal(shape, np.float32) * np.float32((2 / np.prod(shape[1:])) ** 0.5)
        blobs[0].set_data(torch.from_numpy(weights).to(blobs[0].data_tensor().device))
    net.blobs["data"].reshape(1, 3, size, size)
    return net


def ours(net: caffe.Net) -> Iterator[tuple[str, peers.Run]]:
    """The plain execution, and the planned one in both precisions."""
    runs: dict[str, Callable[..., dict[str, np.ndarray]]] = {
        "ours, plain": net.forward,
        "ours, planned": net.plan().forward,
        "ours, planned, bf16": net.plan(precision="bf16").forward,
    }
    for name, run in runs.items():
        yield name, partial(_scores, run)


def _scores(run: Callable[..., dict[str, np.ndarray]], image: np.ndarray) -> np.ndarray:
    (scores,) = run(data=image).values()
    return scores


def pytorch(model: LargeFOV, device: str) -> Iterator[tuple[str, peers.Run]]:
    """The hand-written net in two layouts and two precisions."""
    last = torch.channels_last
    yield "PyTorch, NCHW", partial(_infer, model.to(device), device)
    yield REFERENCE["float32"], partial(_infer, copy.deepcopy(model).to(device, memory_format=last), device)
    lower = copy.deepcopy(model).to(device, torch.bfloat16, memory_format=last)
    yield REFERENCE["bf16"], partial(_infer, lower, device)


@torch.no_grad()
def _infer(model: LargeFOV, device: str, image: np.ndarray) -> np.ndarray:
    weight = model.convolutions()[0].weight
    layout = torch.channels_last if weight.is_contiguous(memory_format=torch.channels_last) else torch.contiguous_format
    scores = model(torch.from_numpy(image).to(device, weight.dtype, memory_format=layout))
    return scores.float().cpu().numpy()


def runtimes(model: LargeFOV, weights: Path, image: np.ndarray, threads: int) -> Iterator[tuple[str, peers.Run]]:
    """The peers that are there; says which are not."""
    onnx = weights.with_name("largefov.onnx")
    try:
        peers.export(model, image, onnx)
    except peers.Absent as reason:
        print(f"ONNX: {reason}")
    makers = {
        "OpenCV": lambda: peers.opencv(_fixed(weights.with_name("deploy.prototxt"), image.shape), weights, threads),
        "onnxruntime": lambda: peers.onnxruntime(onnx, threads),
        "OpenVINO": lambda: peers.openvino(onnx, threads, "f32"),
        "OpenVINO, bf16": lambda: peers.openvino(onnx, threads, "bf16"),
    }
    for name, make in makers.items():
        try:
            yield name, make()
        except peers.Absent as reason:
            print(f"{name}: {reason}")


def _fixed(path: Path, shape: tuple[int, ...]) -> Path:
    """A copy of the prototxt with the image's size in it, which OpenCV takes from there."""
    text = PROTOTXT.read_text()
    before, rest = text.split("shape {", 1)
    dims = " ".join(f"dim: {d}" for d in shape)
    path.write_text(f"{before}shape {{ {dims} }}{rest.split('}', 1)[1]}")
    return path


def main() -> None:
    """Print the table and the ratios that there are goals for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=513, help="height and width; 8 k + 1")
    timing.add_arguments(parser, repeat=11)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.device == "cuda":
        caffe.set_mode_gpu()
    image = np.random.default_rng(1).normal(0, 50, (1, 3, arguments.size, arguments.size)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        runs = collect(image, Path(folder), arguments)
        show(runs, image, arguments)


def collect(image: np.ndarray, folder: Path, arguments: argparse.Namespace) -> dict[str, peers.Run]:
    """All runs, by name."""
    net = filled_net(arguments.size)
    model = with_weights_of(net.params).eval()
    runs = dict(ours(net))
    if arguments.device == "cpu":
        weights = folder / "largefov.caffemodel"
        net.save(weights)
        runs.update(runtimes(model, weights, image, arguments.threads))
    runs.update(pytorch(model, arguments.device))
    return runs


def show(runs: dict[str, peers.Run], image: np.ndarray, arguments: argparse.Namespace) -> None:
    """Measure and print."""
    wanted = runs["ours, plain"](image).copy()
    apart = {name: np.abs(run(image) - wanted).max() / np.abs(wanted).max() for name, run in runs.items()}
    tasks = {name: partial(run, image) for name, run in runs.items()}
    times = timing.interleaved(tasks, arguments.repeat, timing.CLOCKS[arguments.clock])
    where = timing.machine(arguments.threads, arguments.device)
    print(f"LargeFOV, 1 x 3 x {arguments.size} x {arguments.size}, {where}, median of {arguments.repeat}\n")
    rows = [
        [name, f"{t:.0f}", f"{t / times[REFERENCE['bf16' if 'bf16' in name else 'float32']]:.2f}", f"{apart[name]:.1e}"]
        for name, t in sorted(times.items(), key=lambda item: item[1])
    ]
    print(timing.table(["", "ms", "to PyTorch, channels_last", "scores apart"], rows))
    print()
    for line in goals(times):
        print(line)


def goals(times: dict[str, float]) -> Iterator[str]:
    """What was reached of what was aimed at."""
    for precision, mark in (("float32", ""), ("bf16", ", bf16")):
        mine = times[f"ours, planned{mark}"]
        others = {n: t for n, t in times.items() if not n.startswith("ours") and ("bf16" in n) == bool(mark)}
        best = min(others, key=others.__getitem__)
        yield f"planned {precision} to PyTorch in channels_last: {mine / times[REFERENCE[precision]]:.2f} (goal 1.1)"
        yield f"planned {precision} to the best peer, {best}: {mine / others[best]:.2f} (goal 1.25)"
    yield f"plain to PyTorch in channels_last: {times['ours, plain'] / times[REFERENCE['float32']]:.2f} (goal 1.3)"


if __name__ == "__main__":
    main()
