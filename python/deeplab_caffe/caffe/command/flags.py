"""What the flags of the `caffe` command say, and the parts that several of its functions share."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from ...errors import InputError
from ...formats import schema
from ...permission import python_layers
from .. import log, parallel

_PHASES = {"": schema.TRAIN, "TRAIN": schema.TRAIN, "TEST": schema.TEST}


@dataclass(frozen=True)
class Flags:
    """The flags; those up to `sighup_effect` are Caffe's.

    solver, model, snapshot, weights, out_weights: files; gpu: `0,1` or `all`; phase: TRAIN or TEST; stage: names with
    commas between; workers: how many processes train together on the CPU; precision: of the passes, float32 or bf16;
    plain: test layer by layer, keeping every blob; exact: test with convolutions by the direct sum alone;
    allow_uninitialized: test with layers that the weights say nothing of; recompute: keep few activations in training;
    log: whose log's lines are written, bvlc or rc3; log_dir: a folder that gets the log too.
    """

    solver: str = ""
    model: str = ""
    snapshot: str = ""
    weights: str = ""
    out_weights: str = ""
    gpu: str = ""
    iterations: int = 50
    phase: str = ""
    level: int = 0
    stage: str = ""
    sigint_effect: str = "stop"
    sighup_effect: str = "snapshot"
    workers: int = 1
    precision: str = "float32"
    plain: bool = False
    exact: bool = False
    allow_uninitialized: bool = False
    recompute: bool = False
    log: str = "bvlc"
    allow_python_layers: bool = False
    minloglevel: int = 0
    log_dir: str = ""

    @property
    def stages(self) -> list[str]:
        """The stages; one empty name where none is stated, as in Caffe."""
        return self.stage.split(",")

    @property
    def net_phase(self) -> int:
        """The phase to time a net in, TRAIN unless stated."""
        if self.phase not in _PHASES:
            raise InputError(f"--phase={self.phase}: wanted TRAIN or TEST")
        return _PHASES[self.phase]

    def require(self, command: str, *names: str) -> None:
        """Raise InputError unless these flags are given and name existing files."""
        for name in names:
            value = getattr(self, name)
            if not value:
                raise InputError(f"caffe {command} requires --{name}=FILE")
            self.check_file(name, value)
        if self.iterations < 1:
            raise InputError(f"--iterations={self.iterations}: wanted 1 or more")

    def check_file(self, name: str, value: str) -> None:
        """Raise InputError for a missing file that a flag names; several names are separated by commas."""
        for file in [value] if os.path.exists(value) else value.split(","):
            if not os.path.isfile(file.strip()):
                raise InputError(f"--{name}: the file '{file.strip()}' does not exist (working folder: {os.getcwd()})")

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """A context in which nets import Python layers only if allowed, and the log goes where the flags say."""
        root = parallel.current().is_root
        if self.log not in log.DIALECTS:
            raise InputError(f"--log={self.log}: expected {' or '.join(log.DIALECTS)}")
        log.init_log(self.minloglevel, stderr=root)
        log.set_dialect(self.log)
        stream = log.LogFile(self.log_dir, "caffe") if self.log_dir and root else None
        if stream:
            log.add_file(stream, details=True)
        try:
            with python_layers(self.allow_python_layers):
                yield
            log.open_files()
        finally:
            log.init_log(details=False)
            log.set_dialect("bvlc")
            if stream:
                log.remove_file(stream)
                stream.close()


def use_one_device(flags: Flags, places: Sequence[str]) -> None:
    """Compute on the first device that --gpu names, or on the CPU, and say so; places: of the two lines."""
    first, *spare = parallel.devices(flags.gpu)
    for device in reversed(spare):
        log.info(f"Not using GPU #{device.index} for single-GPU function", "caffe.cpp:264")
    parallel.choose([first])
    if first.type == "cuda":
        log.info(f"Use GPU with device ID {first.index}", places[0])
        log.info(f"GPU device name: {torch.cuda.get_device_name(first)}", "caffe.cpp:274")
    else:
        log.info("Use CPU.", places[1])
