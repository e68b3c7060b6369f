"""The flags that say where and how the embedded Caffe runs, and their effect."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from .. import caffe


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--gpu and --allow-python-layers."""
    parser.add_argument("--allow-python-layers", action="store_true", help="let nets import their Python layers")
    parser.add_argument("--gpu", metavar="N", type=int, help="run on this CUDA device (the first, if there is one)")


@contextmanager
def python_layers(allowed: bool) -> Iterator[None]:
    """What a file names must not run here without the user's consent; a program that calls us may think otherwise."""
    caffe.allow_python_layers(allowed)
    try:
        yield
    finally:
        caffe.allow_python_layers()


def choose(gpu: int | None, wants_gpu: bool) -> None:
    """Compute on CUDA device `gpu`; if None, on the first one there is, where the solver asks for one."""
    if gpu is not None:
        caffe.set_device(gpu)
        caffe.set_mode_gpu()
    elif wants_gpu:
        if caffe.has_gpu():
            caffe.set_mode_gpu()
        else:
            print("the solver asks for a GPU; there is none here, so the CPU computes", file=sys.stderr)
