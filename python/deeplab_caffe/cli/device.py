"""The flags that say which Caffe runs, where and how, and their effect."""

from __future__ import annotations

import argparse

from .. import engine


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--caffe, --gpu, --workers, --precision and the others on how to compute."""
    which = "the Caffe that runs the nets: the embedded one, or the system's pycaffe; DEEPLAB_CAFFE says it too"
    parser.add_argument("--caffe", choices=("embedded", "system"), help=which)
    parser.add_argument("--allow-python-layers", action="store_true", help="let nets import their Python layers")
    several = "or, to train, on several: 0,1 or all; batch_size is each one's"
    parser.add_argument("--gpu", metavar="N", help=f"run on this CUDA device (the first, if there is one), {several}")
    uninitialized = "test with layers that the weights say nothing of"
    parser.add_argument("--allow-uninitialized", action="store_true", help=uninitialized)
    parser.add_argument("--workers", metavar="N", type=int, default=1, help="train with N processes on the CPU")
    lower = "compute in bfloat16: faster, a little less exact; weights stay float32"
    parser.add_argument("--precision", choices=("float32", "bf16"), default="float32", help=lower)
    fewer = "train with few activations kept and computed again: less memory, more time"
    parser.add_argument("--recompute", action="store_true", help=fewer)


def choose(arguments: argparse.Namespace, wants_gpu: bool) -> None:
    """Compute on the devices, and in the precision, that the flags name; without a device on the solver's."""
    engine.current().allow_uninitialized = arguments.allow_uninitialized
    engine.current().choose_precision(arguments.precision, arguments.recompute)
    engine.current().choose_device(arguments.gpu, wants_gpu, arguments.workers)
