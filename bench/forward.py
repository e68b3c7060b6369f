"""LargeFOV forward: ours beside OpenCV, onnxruntime, OpenVINO, ncnn and the net hand-written in PyTorch, interleaved.

    python bench/forward.py                    # 1 x 3 x 513 x 513 on the CPU
    python bench/forward.py --device cuda      # ours and PyTorch on the first CUDA device

Random weights, the same in all. Each run goes from a numpy image to scores at the image's size. Prints medians, their
ratio to the hand-written net in channels_last, how far the scores are from our plain execution's, as a share of their
largest, and the memory that each takes beyond our net's weights, in a process of its own. `make bench_peers` installs
the peers. Run it on an idle machine.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch

import peers
import timing
from deeplab_caffe import caffe
from handwritten import with_weights_of

PROTOTXT = Path(__file__).parents[1] / "prototxt" / "voc12" / "largefov" / "deploy.prototxt"
#: what the others are measured by
REFERENCE = {"float32": "PyTorch, channels_last", "bf16": "PyTorch, channels_last, bf16"}

NCNN = "ncnn"


def filled_net(size: int) -> caffe.Net:
    """LargeFOV for one image, with weights that keep activations of one order."""
    net = caffe.Net(str(PROTOTXT), caffe.TEST)
    random = np.random.default_rng(0)
    for blobs in net.params.values():
        shape = blobs[0].shape
        weights = random.standard_normal(shape, np.float32) * np.float32((2 / np.prod(shape[1:])) ** 0.5)
        blobs[0].data_tensor().copy_(torch.from_numpy(weights))
    net.blobs["data"].reshape(1, 3, size, size)
    return net


def makers(net: caffe.Net, folder: Path, arguments: argparse.Namespace) -> dict[str, Callable[[], peers.Run]]:
    """What makes each of the runs from our net; `write_files` must have been called."""
    onnx, threads, device = folder / "largefov.onnx", arguments.threads, arguments.device
    found: dict[str, Callable[[], peers.Run]] = {
        "ours, plain": lambda: partial(_scores, net.forward),
        "ours, planned": lambda: partial(_scores, net.plan().forward),
        "ours, planned, exact": lambda: partial(_scores, net.plan(exact=True).forward),
        "ours, planned, bf16": lambda: partial(_scores, net.plan(precision="bf16").forward),
        "PyTorch, NCHW": lambda: _pytorch(net, device, torch.contiguous_format, torch.float32),
        REFERENCE["float32"]: lambda: _pytorch(net, device, torch.channels_last, torch.float32),
        REFERENCE["bf16"]: lambda: _pytorch(net, device, torch.channels_last, torch.bfloat16),
    }
    if device == "cpu":
        found |= {
            "OpenCV": lambda: peers.opencv(folder / "deploy.prototxt", folder / "largefov.caffemodel", threads),
            "onnxruntime": lambda: peers.onnxruntime(onnx, threads),
            "OpenVINO": lambda: peers.openvino(onnx, threads, "f32"),
            "OpenVINO, bf16": lambda: peers.openvino(onnx, threads, "bf16"),
            NCNN: lambda: peers.ncnn(folder / "largefov", threads, True),
            "ncnn, no Winograd": lambda: peers.ncnn(folder / "largefov", threads, False),
        }
    return found


def _scores(run: Callable[..., dict[str, np.ndarray]], image: np.ndarray) -> np.ndarray:
    (scores,) = run(data=image).values()
    return scores


def _pytorch(net: caffe.Net, device: str, layout: torch.memory_format, dtype: torch.dtype) -> peers.Run:
    """The hand-written net."""
    model = with_weights_of(net.params).eval().to(device, dtype, memory_format=layout)

    @torch.no_grad()
    def run(image: np.ndarray) -> np.ndarray:
        scores = model(torch.from_numpy(image).to(device, dtype, memory_format=layout))
        return scores.float().cpu().numpy()

    return run


def write_files(net: caffe.Net, image: np.ndarray, folder: Path) -> None:
    """What the peers read: Caffe's files, which OpenCV takes the image's size from, and those of ONNX and ncnn."""
    net.save(folder / "largefov.caffemodel")
    before, rest = PROTOTXT.read_text().split("shape {", 1)
    dims = " ".join(f"dim: {d}" for d in image.shape)
    (folder / "deploy.prototxt").write_text(f"{before}shape {{ {dims} }}{rest.split('}', 1)[1]}")
    for name, write, file in (("ONNX", peers.export, "largefov.onnx"), (NCNN, peers.convert_to_ncnn, "largefov")):
        try:
            write(with_weights_of(net.params).eval(), image, folder / file)
        except peers.Absent as reason:
            print(f"{name}: {reason}")


def main() -> None:
    """Print the table and the ratios that there are goals for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=513, help="height and width; 8 k + 1")
    timing.add_arguments(parser, repeat=11)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.device == "cuda":
        caffe.set_mode_gpu()
    image = np.random.default_rng(1).normal(0, 50, (1, 3, arguments.size, arguments.size)).astype(np.float32)
    if arguments.child:
        name, folder = arguments.child
        make = makers(filled_net(arguments.size), Path(folder), arguments)[name]
        timing.print_peak(make, image)
        return
    with tempfile.TemporaryDirectory() as folder:
        show(image, Path(folder), arguments)


def show(image: np.ndarray, folder: Path, arguments: argparse.Namespace) -> None:
    """Measure and print."""
    net = filled_net(arguments.size)
    if arguments.device == "cpu":
        write_files(net, image, folder)
    runs = {}
    for name, make in makers(net, folder, arguments).items():
        try:
            runs[name] = make()
        except peers.Absent as reason:
            print(f"{name}: {reason}")
    wanted = runs["ours, plain"](image).copy()
    apart = {name: np.abs(run(image) - wanted).max() / np.abs(wanted).max() for name, run in runs.items()}
    tasks = {name: partial(run, image) for name, run in runs.items()}
    times = timing.interleaved(tasks, arguments.repeat, timing.CLOCKS[arguments.clock])
    where = timing.machine(arguments.threads, arguments.device)
    print(f"LargeFOV, 1 x 3 x {arguments.size} x {arguments.size}, {where}, median of {arguments.repeat}\n")
    megabytes = {name: timing.peak(name, str(folder)) for name in times}
    rows = [
        [name, f"{t:.0f}", f"{_to_reference(name, times):.2f}", f"{apart[name]:.1e}", megabytes[name]]
        for name, t in sorted(times.items(), key=lambda item: item[1])
    ]
    print(timing.table(["", "ms", "to PyTorch, channels_last", "scores apart", "peak MB"], rows))
    figures = {row[0]: {"ms": times[row[0]], "apart": apart[row[0]], "peak_mb": float(row[-1])} for row in rows}
    timing.record(arguments, f"LargeFOV, 1 x 3 x {arguments.size} x {arguments.size}", figures)
    print()
    for line in goals(times, megabytes):
        print(line)


def _to_reference(name: str, times: dict[str, float]) -> float:
    return times[name] / times[REFERENCE["bf16" if "bf16" in name else "float32"]]


def goals(times: dict[str, float], megabytes: dict[str, str]) -> Iterator[str]:
    """What was reached of what was aimed at."""
    mine, reference = "ours, planned", REFERENCE["float32"]
    others = {n: t for n, t in times.items() if not n.startswith(("ours", NCNN)) and "bf16" not in n}
    best = min(others, key=others.__getitem__)
    yield f"planned float32 to the best peer, {best}: {times[mine] / others[best]:.2f} (goal 0.75)"
    if NCNN in times:
        yield f"planned float32 to ncnn: {times[mine] / times[NCNN]:.2f} (goal 0.9)"
    memory = float(megabytes[mine]) / float(megabytes[reference])
    yield f"memory of planned float32 to PyTorch in channels_last: {memory:.2f} (goal 1.2)"
    lower, exact = times[f"{mine}, bf16"], times[f"{mine}, exact"]
    yield f"planned, exact, to PyTorch in channels_last: {exact / times[reference]:.2f} (goal 1.1)"
    yield f"planned bf16 to PyTorch in channels_last: {lower / times[REFERENCE['bf16']]:.2f} (goal 1.1)"
    yield f"plain to PyTorch in channels_last: {times['ours, plain'] / times[reference]:.2f} (goal 1.3)"


if __name__ == "__main__":
    main()
