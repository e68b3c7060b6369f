"""The flags that say where and how the embedded Caffe runs, and their effect."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from .. import caffe
from ..caffe import parallel
from ..errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--gpu, --workers and --allow-python-layers."""
    parser.add_argument("--allow-python-layers", action="store_true", help="let nets import their Python layers")
    several = "or, to train, on several: 0,1 or all; batch_size is each one's"
    parser.add_argument("--gpu", metavar="N", help=f"run on this CUDA device (the first, if there is one), {several}")
    parser.add_argument("--workers", metavar="N", type=int, default=1, help="train with N processes on the CPU")


@contextmanager
def python_layers(allowed: bool) -> Iterator[None]:
    """What a file names must not run here without the user's consent; a program that calls us may think otherwise."""
    caffe.allow_python_layers(allowed)
    try:
        yield
    finally:
        caffe.allow_python_layers()


def choose(gpu: str | None, wants_gpu: bool, workers: int = 1) -> None:
    """Compute on the CUDA devices `gpu`; if None, on the first one there is, where the solver asks for one.

    Only training uses several devices, or several `workers` on the CPU; all else computes on the first one.
    """
    if gpu is not None and workers != 1:
        raise InputError("--workers is for the CPU; with --gpu there is one worker for each device")
    if gpu is not None or workers != 1:
        parallel.choose(parallel.devices(gpu or "", workers))
    elif wants_gpu:
        if caffe.has_gpu():
            caffe.set_mode_gpu()
        else:
            print("the solver asks for a GPU; there is none here, so the CPU computes", file=sys.stderr)
