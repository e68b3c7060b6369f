"""Flags of commands that run nets: which Caffe runs them, where and how."""

from __future__ import annotations

import argparse

from .. import engine
from ..nets.option_flags import TakesFlags


def add_arguments(parser: TakesFlags) -> None:
    """Add those of `add_running`, and --workers, --recompute and --allow-not-finite-weights."""
    add_running(parser, several="; train and train2 also on several: 0,1 or all; batch_size is per device")
    parser.add_argument("--workers", metavar="N", type=int, default=1, help="train with N processes on the CPU")
    fewer = "train with few activations kept and the others recomputed: less memory, more time"
    parser.add_argument("--recompute", action="store_true", help=fewer)
    diverged = "train and test with weights that hold NaN or infinity"
    parser.add_argument("--allow-not-finite-weights", action="store_true", help=diverged)


def add_running(parser: TakesFlags, several: str = "") -> None:
    """Add --gpu, --precision, --exact, --caffe, --allow-python-layers and --allow-uninitialized.

    Args:
        parser: takes them.
        several: what the help says of several devices.
    """
    device = f"run on this CUDA device (default: the first, if there is one){several}"
    parser.add_argument("--gpu", metavar="N", help=device)
    lower = "bf16: compute in bfloat16: less exact, faster on processors that have it; weights stay float32"
    parser.add_argument("--precision", choices=("float32", "bf16"), default="float32", help=lower)
    direct = "test and predict with convolutions by the direct sum alone, not Winograd's, which is faster on the CPU"
    parser.add_argument("--exact", action="store_true", help=f"{direct} and rounds differently")
    which = "the Caffe that runs the nets: the embedded one, or an installed pycaffe; default: DEEPLAB_CAFFE"
    parser.add_argument("--caffe", choices=("embedded", "system"), help=which)
    parser.add_argument(
        "--allow-python-layers", action="store_true", help="let nets import and run their Python layers"
    )
    uninitialized = "run a net even if some layers have no weights in the file"
    parser.add_argument("--allow-uninitialized", action="store_true", help=uninitialized)


def choose_precision(arguments: argparse.Namespace) -> None:
    """Tell the engine how to compute, as the flags say; no device is looked for yet.

    Raises:
        InputError: the engine does not support it.
    """
    current = engine.current()
    current.allow_uninitialized = getattr(arguments, "allow_uninitialized", False)
    current.allow_not_finite = getattr(arguments, "allow_not_finite_weights", False)
    current.exact = getattr(arguments, "exact", False)
    current.choose_precision(getattr(arguments, "precision", "float32"), getattr(arguments, "recompute", False))


def names_device(arguments: argparse.Namespace) -> bool:
    """Whether flags say where to compute, so that it must be there."""
    return getattr(arguments, "gpu", None) is not None or getattr(arguments, "workers", 1) != 1


def choose_device(arguments: argparse.Namespace, wants_gpu: bool) -> None:
    """Let the engine compute on the devices of the flags; without a flag for it, on the device of the solver.

    Raises:
        InputError: there is no such device.
    """
    gpu, workers = getattr(arguments, "gpu", None), getattr(arguments, "workers", 1)
    engine.current().choose_device(gpu, wants_gpu, workers)
