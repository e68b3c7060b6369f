"""Option test_output_stride given for testing alone: test and deploy nets are written again, nothing is trained."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from ..errors import InputError
from ..formats.prototxt import Document
from ..nets import generate, is_untouched, stated_command, write_files
from .folder import Experiment
from .hand_edits import with_edits

_NETS = ("test", "deploy")


def differs(experiment: Experiment) -> bool:
    """Whether test and deploy nets were generated with another output stride than the one that is asked for now."""
    wanted = experiment.options.test_output_stride
    return wanted is not None and any(_stride(path) != wanted for path in _paths(experiment))


def write_nets(experiment: Experiment) -> None:
    """Write the nets again by the command in the header of test.prototxt, but with the output stride asked for now.

    The training nets stay as they are but for that command, so their training stays finished.

    Raises:
        InputError: test or deploy net were edited by hand, so that they are kept.
    """
    wanted, force = experiment.options.test_output_stride, os.environ.get("FORCE") == "1"
    edited = [str(path) for path in _paths(experiment) if _stride(path) != wanted and not is_untouched(_text(path))]
    if edited and not force:
        raise InputError(
            f"--test-output-stride {wanted}: edited by hand, so kept with another output stride: {', '.join(edited)}. "
            "Change strides and rates there and leave the flag out, or write them again with FORCE=1"
        )
    name, options = stated_command(Document.read(experiment.prototxt / "test.prototxt"))
    files = generate(name, replace(options, test_output_stride=wanted))
    print(write_files(experiment.prototxt, with_edits(experiment, files), force), flush=True)


def _paths(experiment: Experiment) -> list[Path]:
    paths = (experiment.prototxt / f"{role}.prototxt" for role in _NETS)
    return [path for path in paths if path.is_file()]


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def _stride(path: Path) -> int | None:
    return stated_command(Document.read(path))[1].test_output_stride
