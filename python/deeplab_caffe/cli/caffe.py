"""`deeplab caffe`, which is `tools/caffe`: Caffe's own command line."""

from __future__ import annotations

import os
from typing import Any

from .. import engine
from ..errors import InputError
from ..spelling import did_you_mean
from .gflags import Flag, Program

_COMMANDS = {
    "train": "train a net, from the start, from weights or from a snapshot",
    "test": "score a net with given weights",
    "time": "measure how long each layer takes",
    "device_query": "show the CUDA devices",
    "save": "load weights into a net and write them out (as in DeepLab v1)",
}
_USAGE = "usage: caffe COMMAND FLAGS\n\ncommands:\n" + "\n".join(
    f"  {name:14s}{text}" for name, text in _COMMANDS.items()
)
_WHEN = "done at the end of an iteration: snapshot, stop or none"


# glog takes the defaults of its flags from the environment.
_LEVEL, _FOLDER = (os.environ.get(f"GLOG_{flag}", "") for flag in ("minloglevel", "log_dir"))


PROGRAM = Program(
    _USAGE,
    (
        Flag("solver", "", "train: the solver's prototxt"),
        Flag("model", "", "test, time, save: the net's prototxt"),
        Flag("snapshot", "", "train: the .solverstate to go on from; not together with weights"),
        Flag("weights", "", "weights to begin with; several files are separated by ','"),
        Flag(
            "gpu", "", "run on these CUDA devices, '0' or '0,1' or 'all', one process each; batch_size is that of each"
        ),
        Flag("iterations", 50, "test, time: how many batches"),
        Flag("phase", "", "time: TRAIN or TEST; TRAIN if not given"),
        Flag("level", 0, "the level of the net's state"),
        Flag("stage", "", "the stages of the net's state, separated by ','"),
        Flag("sigint_effect", "stop", f"train: what Ctrl-C (SIGINT) gets {_WHEN}"),
        Flag("sighup_effect", "snapshot", f"train: what a lost terminal (SIGHUP) gets {_WHEN}"),
        Flag("out_weights", "", "save: the file to write"),
        Flag("workers", 1, "train, without gpu: processes on the CPU that train together"),
        Flag("precision", "float32", "train, test: float32 or bf16; weights stay float32"),
        Flag("plain", False, "train, test: test layer by layer, rather than by the planned execution"),
        Flag("allow_uninitialized", False, "test: with layers, too, that the weights say nothing of"),
        Flag("recompute", False, "train: keep few activations and compute them again: less memory, more time"),
        Flag("speed", False, "train: tell iterations per second in the lines of the loss, as BVLC Caffe 1.0"),
        Flag("allow_python_layers", False, "let nets import, that is run, the modules of their Python layers"),
        Flag("log_dir", _FOLDER, "write the log to a file in this folder too; so does the variable GLOG_log_dir"),
        Flag("minloglevel", int(_LEVEL) if _LEVEL.isdigit() else 0, "stderr's least: 0 INFO, 1 WARNING, 2 ERROR"),
        Flag("logtostderr", True, "accepted for old scripts: the log goes to stderr anyway"),
        Flag("alsologtostderr", True, "likewise"),
    ),
)


def run(flags: dict[str, Any], words: list[str]) -> None:
    if len(words) != 1:
        raise InputError(f"wanted one command of {', '.join(_COMMANDS)}, got {' '.join(words) or 'none'}; see --help")
    (name,) = words
    if name not in _COMMANDS:
        raise InputError(
            f"there is no command '{name}'{did_you_mean(name, _COMMANDS)} (commands: {', '.join(_COMMANDS)})"
        )
    if not engine.is_embedded():
        stated = {flag.name: flags[flag.name] for flag in PROGRAM.flags if flags[flag.name] != flag.default}
        engine.replace_by_installed("caffe", [name, *(f"--{key}={value}" for key, value in stated.items())])
    from ..caffe import command

    if flags["gpu"] == "-1":  # DeepLab v1's Caffe says CPU so
        flags["gpu"] = ""
    known = command.Flags.__dataclass_fields__
    getattr(command, name)(command.Flags(**{key: value for key, value in flags.items() if key in known}))
