"""How to go on with a part of a data set, such as VOC without the labels of SBD: on the lists that exist."""

from __future__ import annotations

import shlex
from pathlib import Path

from ..data import Dataset, read_list
from ..nets import flag_of, lists_that_exist, target
from .folder import Experiment


def without_missing_lists(experiment: Experiment, dataset: Dataset) -> str:
    """The end of a message about missing lists: how to go on with those that exist; "" if there are too few."""
    chosen = lists_that_exist(experiment.name, experiment.options, dataset)
    lists = [value for option, value in chosen.items() if option.endswith("_set")]
    if not lists:
        return ""
    counts = ", ".join(f"{name} with {len(read_list(dataset.list_path(name)))} images" for name in lists)
    return f"\nOr go on without them, on {counts}:\n  {_command(experiment, chosen)}"


def _command(experiment: Experiment, chosen: dict[str, str]) -> str:
    """The command that runs all stages with more options: a make target in a clone, where there is one."""
    words = [*shlex.split(experiment.command), *(word for name in chosen for word in (flag_of(name), chosen[name]))]
    if Path("Makefile").is_file() and Path("python/deeplab_caffe").is_dir() and words[2] == experiment.name:
        return f'make {target(*experiment.name.split("/"))} ARGS="{shlex.join(words[3:])}"'
    return shlex.join(words)
