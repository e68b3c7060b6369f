"""What a builder of a data set is asked for, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Request:
    """What to build from.

    Attributes:
        folder: the data folder, in which everything lies and is put; `data` by default.
        source: a folder with the archives, or its URL, instead of the official servers; None for those.
        fetch: False downloads nothing.
        options: the values of the builder's own options, by name: `half` for `--half`.
        progress: show progress bars.
    """

    folder: Path
    source: str | None = None
    fetch: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)
    progress: bool = True

    @property
    def source_folder(self) -> Path | None:
        """`source` if it is a folder and no URL."""
        return Path(self.source) if self.source is not None and "://" not in self.source else None


@dataclass(frozen=True)
class Built:
    """What a builder made.

    Attributes:
        root: the data set's folder, as its TOML file names it.
        counts: the number of images in each list.
        written: how many pieces, labels and lists this run fetched or wrote; 0 if all was there already.
    """

    root: Path
    counts: Mapping[str, int]
    written: int


@dataclass(frozen=True)
class Option:
    """An option of one builder, for the command line.

    Attributes:
        flag: as in `--half`; its value is `Request.options["half"]`.
        help: one line.
        kind: bool for a switch, or str, int, float: the type of the value that follows.
        default: the value if the flag is not given.
        choices: the values that are accepted; empty: all.
        metavar: what stands for the value in the help, such as FOLDER.
    """

    flag: str
    help: str
    kind: type = bool
    default: Any = False
    choices: tuple[str, ...] = ()
    metavar: str | None = None

    @property
    def name(self) -> str:
        return self.flag.lstrip("-").replace("-", "_")


@dataclass(frozen=True)
class Builder:
    """A row of the table of builders.

    Attributes:
        name: the data set's name, that of its TOML file.
        title: for people.
        fetches: what is downloaded, or has to be put where, and how large: one sentence for the help.
        build: makes the data set.
        counts: the published number of images in each list.
        options: its own options.
    """

    name: str
    title: str
    fetches: str
    build: Callable[[Request], Built]
    counts: Mapping[str, int]
    options: tuple[Option, ...] = ()
