"""The table of builders, and the function that runs one."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...errors import InputError
from ...locks import locked_folder
from ...spelling import did_you_mean
from . import cityscapes, cityscapes_half, coco, coco80, pascal_context, person_part, voc12
from .request import Builder, Built, Request

_MODULES = (voc12, pascal_context, person_part, cityscapes, cityscapes_half, coco, coco80)
#: every data set that can be built; a new one is a module with a BUILDER, and a row in the line above
BUILDERS: dict[str, Builder] = {module.BUILDER.name: module.BUILDER for module in _MODULES}


def find_builder(name: str) -> Builder:
    """The builder of a data set; raises InputError for an unknown name, with the nearest one."""
    if name not in BUILDERS:
        known = f"; the data sets are {', '.join(BUILDERS)}"
        raise InputError(f"unknown data set '{name}'{did_you_mean(name, BUILDERS, known)}")
    return BUILDERS[name]


def build_dataset(
    name: str,
    folder: str | os.PathLike[str] = "data",
    source: str | None = None,
    fetch: bool = True,
    options: Mapping[str, Any] | None = None,
) -> Path:
    """Build a data set: find or fetch its files, convert its labels, write its lists, and compare the published counts.

    What is there already is kept: an interrupted call goes on, a repeated one does nothing.

    Args:
        name: of the data set, such as "voc12".
        folder: where everything lies and is put.
        source: a folder with the archives, or its URL, instead of the official servers.
        fetch: False downloads nothing.
        options: values of the builder's own options, by name.

    Returns:
        The data set's folder.

    Raises:
        InputError: an unknown name, missing or damaged files (names them), or another process is at work in `folder`.
    """
    builder = find_builder(name)
    defaults = {option.name: option.default for option in builder.options}
    if unknown := sorted(set(options or {}) - set(defaults)):
        raise InputError(f"{name} has no option '{unknown[0]}'{did_you_mean(unknown[0], defaults)}")
    with locked_folder(folder, f"{os.fspath(folder)} is in use"):
        built = builder.build(Request(Path(folder), source, fetch, {**defaults, **(options or {})}))
    _report(builder, built)
    return built.root


def _report(builder: Builder, built: Built) -> None:
    """Print the number of images in each list, and how it differs from the published one."""
    counts = ", ".join(f"{name} {count}" for name, count in built.counts.items())
    print(f"{built.root}: {'' if built.written else 'already there; '}images in the lists: {counts}")
    for name, count in built.counts.items():
        published = builder.counts.get(name, count)
        if count != published:
            print(f"warning: {name} has {count} images, but the published list has {published}", file=sys.stderr)
