"""`deeplab caffe`, also `tools/caffe`: Caffe's own command line."""

from __future__ import annotations

import os
from typing import Any

from ... import engine
from ...errors import InputError
from ...spelling import did_you_mean
from ..gflags import Flag, Program

_COMMANDS = {
    "train": "train a net, from random weights, given weights or a snapshot",
    "test": "score a net with weights",
    "time": "measure the time of each layer",
    "device_query": "show the CUDA devices",
    "save": "load weights into a net and save them (as in DeepLab v1)",
}
_USAGE = "usage: caffe COMMAND FLAGS\n\ncommands:\n" + "\n".join(
    f"  {name:14s}{text}" for name, text in _COMMANDS.items()
)
_EFFECT = "at the end of the iteration: snapshot, stop or none"


# as in glog, the environment sets the defaults of these flags
_LEVEL, _FOLDER = (os.environ.get(f"GLOG_{flag}", "") for flag in ("minloglevel", "log_dir"))


PROGRAM = Program(
    _USAGE,
    (
        Flag("solver", "", "train: the solver's prototxt"),
        Flag("model", "", "test, time, save: the net's prototxt"),
        Flag("snapshot", "", "train: the .solverstate to resume from; not together with weights"),
        Flag("weights", "", "initial weights; separate several files by ','"),
        Flag("gpu", "", "CUDA devices to run on, '0', '0,1' or 'all'; one process each, batch_size is per device"),
        Flag("iterations", 50, "test, time: number of batches"),
        Flag("phase", "", "time: TRAIN or TEST; default TRAIN"),
        Flag("level", 0, "level of the net state"),
        Flag("stage", "", "stages of the net state, separated by ','"),
        Flag("sigint_effect", "stop", f"train: what Ctrl-C (SIGINT) does {_EFFECT}"),
        Flag("sighup_effect", "snapshot", f"train: what a closed terminal (SIGHUP) does {_EFFECT}"),
        Flag("out_weights", "", "save: the file to write"),
        Flag("workers", 1, "train, without gpu: number of CPU processes that train together"),
        Flag("precision", "float32", "train, test: float32 or bf16; weights stay float32"),
        Flag("plain", False, "train, test: test layer by layer instead of with the planned execution"),
        Flag("exact", False, "train, test: test with convolutions by the direct sum alone, not Winograd's"),
        Flag("allow_uninitialized", False, "test: allow layers that have no weights in the file"),
        Flag("recompute", False, "train: keep few activations and recompute the others: less memory, more time"),
        Flag("log", "bvlc", "form of the log: bvlc, as BVLC Caffe 1.0 writes it, or rc3, as DeepLab v2's Caffe does"),
        Flag("allow_python_layers", False, "let nets import and run the modules of their Python layers"),
        Flag(
            "log_dir",
            _FOLDER,
            "also write the log to a file in this folder; default: $GLOG_log_dir",
        ),
        Flag(
            "minloglevel", int(_LEVEL) if _LEVEL.isdigit() else 0, "lowest level on stderr: 0 INFO, 1 WARNING, 2 ERROR"
        ),
        Flag("logtostderr", True, "accepted for compatibility; the log always goes to stderr"),
        Flag("alsologtostderr", True, "accepted for compatibility"),
    ),
)


def run(flags: dict[str, Any], words: list[str]) -> None:
    if len(words) != 1:
        raise InputError(
            f"expected one command of {', '.join(_COMMANDS)} but got {' '.join(words) or 'none'}; see --help"
        )
    (name,) = words
    if name not in _COMMANDS:
        raise InputError(f"unknown command '{name}'{did_you_mean(name, _COMMANDS)} (commands: {', '.join(_COMMANDS)})")
    if not engine.is_embedded():
        stated = {flag.name: flags[flag.name] for flag in PROGRAM.flags if flags[flag.name] != flag.default}
        engine.replace_by_installed("caffe", [name, *(f"--{key}={value}" for key, value in stated.items())])
    from ...caffe import command

    if flags["gpu"] == "-1":  # how DeepLab v1's Caffe selects the CPU
        flags["gpu"] = ""
    known = command.Flags.__dataclass_fields__
    getattr(command, name)(command.Flags(**{key: value for key, value in flags.items() if key in known}))
