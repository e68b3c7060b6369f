"""A training step: ours beside the same net hand-written in PyTorch, interleaved; images per second and peak memory.

    python bench/train.py                                                 # LargeFOV, 2 images of 321 x 321, on the CPU
    python bench/train.py --device cuda --batch 30                        # on the first CUDA device
    python bench/train.py --net prototxt/voc12/resnet101_msc_aspp/train.prototxt --batch 1
    python bench/train.py --net prototxt/voc12/aspp_l/train.prototxt      # a net that is not hand-written: ours alone

Random weights and images. A step is forward, backward and the update: SGD with momentum, weight decay, and the net's
own multipliers of rate and decay. Memory is that of a process of its own: on the CPU how much its resident size grows
by, on CUDA what PyTorch allocates at most. Run it on an idle machine.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

import handwritten
import handwritten_resnet
import timing
from deeplab_caffe import caffe
from deeplab_caffe.formats import schema
from deeplab_caffe.formats.definition import read_definition

LARGEFOV = Path(__file__).parents[1] / "prototxt" / "voc12" / "largefov" / "train.prototxt"
#: the hand-written nets, by the folder of the prototxt
HANDWRITTEN: dict[str, Any] = {"largefov": handwritten, "resnet101_msc_aspp": handwritten_resnet}
REFERENCE = "PyTorch, channels_last"
#: ours: precision, and whether activations are computed again
OURS = {"ours": ("float32", False), "ours, recompute": ("float32", True), "ours, bf16": ("bf16", False)}
#: hand-written: layout, whether in bfloat16 by autocast, and whether compiled
THEIRS = {
    "PyTorch, NCHW": (torch.contiguous_format, False, False),
    REFERENCE: (torch.channels_last, False, False),
    f"{REFERENCE}, bf16": (torch.channels_last, True, False),
    f"{REFERENCE}, compiled": (torch.channels_last, False, True),
    f"{REFERENCE}, bf16, compiled": (torch.channels_last, True, True),
}
#: of the solver, as published for LargeFOV
RATE, MOMENTUM, DECAY = 1e-3, 0.9, 5e-4


def make_solver(arguments: argparse.Namespace) -> caffe.SGDSolver:
    """A solver of the net, its data layer replaced by inputs, with random weights and images."""
    net = read_definition(arguments.net).param
    for layer in [layer for layer in net.layer if not layer.bottom]:
        layer.CopyFrom(_input(layer, arguments.batch, arguments.crop))
    param = schema.SolverParameter(net_param=net, base_lr=RATE, lr_policy="fixed", max_iter=10**6)
    param.momentum, param.weight_decay, param.snapshot_prefix = MOMENTUM, DECAY, "bench"
    solver = caffe.SGDSolver(param)
    fill(solver.net)
    return solver


def _input(layer: Any, batch: int, crop: int) -> Any:
    shapes = [schema.BlobShape(dim=[batch, channels, crop, crop]) for channels in (3, 1)]
    return schema.LayerParameter(
        name=layer.name, type="Input", top=layer.top[:2], input_param=schema.InputParameter(shape=shapes)
    )


def fill(net: caffe.Net) -> None:
    """Weights that keep activations of one order, random images and labels."""
    random = np.random.default_rng(0)
    for name, blobs in net.params.items():
        if net.layer_dict[name].type == "BatchNorm":
            blobs[1].data_tensor().fill_(1)
            blobs[2].data_tensor().fill_(1)
        elif len(blobs[0].shape) > 1:
            spread = np.float32((2 / np.prod(blobs[0].shape[1:])) ** 0.5)
            values = torch.from_numpy(random.standard_normal(blobs[0].shape, np.float32) * spread)
            blobs[0].data_tensor().copy_(values)
    data, label = net.inputs
    net.blobs[data].data[...] = random.normal(0, 50, net.blobs[data].shape)
    net.blobs[label].data[...] = random.integers(0, 21, net.blobs[label].shape)


def our_step(arguments: argparse.Namespace, precision: str, recompute: bool) -> Callable[[], object]:
    """A step of our solver."""
    solver = make_solver(arguments)
    solver.net.keeps_diffs = False  # as the commands that train
    solver.set_precision(precision)
    if recompute:
        solver.net.recompute()
    return partial(solver.step, 1)


def their_step(
    arguments: argparse.Namespace, layout: torch.memory_format, bf16: bool, compiled: bool
) -> Callable[[], object]:
    """A step of the hand-written net from the same weights on the same images."""
    solver = make_solver(arguments)
    device = arguments.device
    written = HANDWRITTEN[arguments.net.parent.name]
    model = written.with_weights_of(solver.net.params).to(device, memory_format=layout).train()
    image, label = (torch.from_numpy(solver.net.blobs[name].data.copy()).to(device) for name in solver.net.inputs)
    update = torch.optim.SGD(written.groups(model, RATE, DECAY), momentum=MOMENTUM)
    loss = torch.compile(model.loss) if compiled else model.loss

    def step() -> None:
        update.zero_grad(set_to_none=True)
        with torch.autocast(device, torch.bfloat16, enabled=bf16):
            found = loss(image.to(memory_format=layout), label)
        found.backward()
        update.step()

    return step


def make(name: str, arguments: argparse.Namespace) -> Callable[[], object]:
    """The step of a name."""
    return our_step(arguments, *OURS[name]) if name in OURS else their_step(arguments, *THEIRS[name])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--net", type=Path, default=LARGEFOV, help="a training net with one data layer: image, label")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--crop", type=int, default=321)
    parser.add_argument("--only", nargs="+", metavar="NAME", help=f"of {', '.join([*OURS, *THEIRS])}")
    parser.add_argument("--compile", action="store_true", help="the hand-written net by torch.compile as well")
    timing.add_arguments(parser, repeat=5)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.device == "cuda":
        caffe.set_mode_gpu()
    if arguments.child:
        timing.print_peak(partial(make, arguments.child, arguments))
        return
    theirs = [name for name, how in THEIRS.items() if arguments.compile or not how[-1]]
    names = arguments.only or [*OURS, *(theirs if arguments.net.parent.name in HANDWRITTEN else [])]
    steps = {name: make(name, arguments) for name in names}
    show(timing.interleaved(steps, arguments.repeat, timing.CLOCKS[arguments.clock]), arguments)


def show(times: dict[str, float], arguments: argparse.Namespace) -> None:
    """Print times and peaks."""
    what = f"{arguments.net.parent.name}, {arguments.batch} x 3 x {arguments.crop} x {arguments.crop}"
    print(f"training {what}, {timing.machine(arguments.threads, arguments.device)}, median of {arguments.repeat}\n")
    reference = times.get(REFERENCE)
    compared = REFERENCE if reference else "ours"
    rows = [
        [name, f"{t:.0f}", f"{1e3 * arguments.batch / t:.2f}", f"{t / times[compared]:.2f}", timing.peak(name)]
        for name, t in times.items()
    ]
    print(timing.table(["", "ms a step", "images/s", f"to {compared}", "peak MB"], rows))
    timing.record(arguments, what, {row[0]: {"ms": times[row[0]], "peak_mb": float(row[-1])} for row in rows})
    if reference and "ours" in times:
        print(f"\na step to {REFERENCE}: {times['ours'] / reference:.2f} (goal 1.1)")


if __name__ == "__main__":
    main()
