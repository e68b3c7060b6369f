"""Which TOML file describes a data set: one rule for every command."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import InputError
from ..formats.bundle import refuse_bundle
from ..package_files import names, or_packaged
from ..spelling import did_you_mean
from .dataset import Dataset, read_dataset

_FOLDER = "datasets"


def described_names() -> list[str]:
    """The data sets that have a description: in datasets/ of the working folder, or in the package."""
    return names(_FOLDER)


def named_file(name: str) -> Path:
    """`datasets/<name>.toml`, whether or not there is one; see `package_files` for what is read there."""
    return Path(_FOLDER, f"{name}.toml")


def description_file(name: str) -> Path:
    """The description of a data set.

    Args:
        name: its name, such as voc12, which is described by datasets/voc12.toml; or a TOML file.

    Raises:
        InputError: there is no data set of this name; the message says which are nearest.

    Example:
        >>> description_file("voc12").as_posix(), description_file("my/pets.toml").as_posix()
        ('datasets/voc12.toml', 'my/pets.toml')
    """
    refuse_bundle(name, "its description of the data is dataset.toml: `deeplab bundle extract`")
    if name.endswith(".toml") or os.path.isfile(name):
        return Path(name)
    file = named_file(name)
    if not or_packaged(file).is_file():
        known = f"; known are: {', '.join(described_names())}; or give a TOML file"
        raise InputError(f"'{name}': there is no {file.as_posix()}{did_you_mean(name, described_names(), known)}")
    return file


def named_dataset(name: str) -> Dataset:
    """The data set of a name, or of a TOML file.

    Raises:
        InputError: there is no such data set, or its file is invalid.
    """
    return read_dataset(description_file(name))
