"""Check an archive of results before it goes to a test server: layout, names, kinds, sizes, values, palette."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from ...arrays import Label, Size
from ...errors import InputError
from ...files import cpus
from ...formats.archive_entries import Entry, Limits, read_entries
from ...threads import mapped
from ..dataset import Dataset
from ..images import image_size
from ..labels import value_counts
from ..lists import check_files, list_id, read_list
from .faults import Faults
from .pictures import PictureFaults, Wanted, look
from .servers import Server

#: bytes that a PNG may have beyond its pixels: palette, texts
MARGIN = 1 << 20


def images_to_submit(server: Server, dataset: Dataset, list_path: str | os.PathLike[str]) -> dict[str, Size]:
    """The images of a test list: id → (height, width), in order.

    Args:
        server: which server.
        dataset: where the images lie.
        list_path: lines `<image>`; a label beside it is ignored.

    Raises:
        InputError: the list cannot be read, an image is missing, is named in an unknown way or stands twice.
    """
    entries = read_list(list_path, needs_label=False)
    lines: dict[str, int] = {}
    for entry in entries:
        name = server.id_of(list_id(entry))
        if name is None:
            raise InputError(f"{os.fspath(list_path)}:{entry.line}: '{entry.image}' is not a name of {server.title}")
        if name in lines:
            raise InputError(
                f"{os.fspath(list_path)}:{entry.line}: image '{name}' stands in line {lines[name]} already"
            )
        lines[name] = entry.line
    if server.size is not None:
        return dict.fromkeys(lines, server.size)
    check_files(entries, dataset.root_folder(entries[0].image), list_path, labels=False)
    paths = [dataset.path_of(entry.image) for entry in entries]
    return dict(zip(lines, mapped(partial(image_size, upright=dataset.upright), paths), strict=True))


@dataclass(frozen=True)
class Checked:
    """An archive that was accepted. competition: its number, or None where there is one alone."""

    images: int
    competition: int | None


def check_archive(
    server: Server,
    images: Mapping[str, Size],
    archive: str | os.PathLike[str],
    competition: int | None = None,
    name: str | os.PathLike[str] = "",
) -> Checked:
    """Read an archive, within bounds and without unpacking it, and check all that the server asks for.

    Args:
        server: which server.
        images: id → (height, width) of every image of the test list.
        archive: of the kind that the server takes.
        competition: the one that it has to be for; None: any.
        name: of the archive in messages.

    Raises:
        InputError: names the first faults of each kind and their number.
    """
    name = name or archive
    check_suffix(server, name)
    checker = _Checker(server, images)
    entries = read_entries(archive, server.suffix, _limits(images))
    for entry, looked in mapped(checker.look_at, entries, ahead=4 * cpus()):
        checker.note(entry, looked)
    checker.finish(competition)
    checker.faults.refuse(name)
    return Checked(len(checker.seen), next(iter(checker.competitions), None))


def check_suffix(server: Server, name: str | os.PathLike[str]) -> None:
    """Raise InputError unless a server takes archives of this name."""
    accepted = (".tgz", ".tar.gz") if server.suffix == ".tgz" else (server.suffix,)
    if not os.fspath(name).endswith(accepted):
        raise InputError(f"{os.fspath(name)}: the server of {server.title} takes {' or '.join(accepted)}")


def _limits(images: Mapping[str, Size]) -> Limits:
    """Twice what label maps of these sizes take uncompressed."""
    sizes = [height * (width + 1) for height, width in images.values()]
    return Limits(max(sizes) + MARGIN, 2 * sum(sizes) + 64 * MARGIN)


Looked = tuple[Label | None, PictureFaults]


class _Checker:
    """Notes what is wrong with one entry after the other."""

    def __init__(self, server: Server, images: Mapping[str, Size]) -> None:
        self.server, self.images, self.faults = server, images, Faults()
        self.seen: set[str] = set()
        self.competitions: set[int] = set()
        self._values = np.zeros(256, bool)

    def look_at(self, entry: Entry) -> tuple[Entry, Looked | None]:
        """An entry with what `look` finds in it, if it has a place; called in threads."""
        wanted = self._wanted(entry)
        return entry, look(entry.content, wanted) if wanted else None

    def _wanted(self, entry: Entry) -> Wanted | None:
        """What an entry's PNG has to be; None if it is not the result of an image of the list."""
        match = self.server.accepted.fullmatch(_plain(entry.name)) if entry.kind == "file" else None
        if match is None or match["id"] not in self.images:
            return None
        palettes = () if self.server.palette is None else (self.server.palette,)
        return Wanted((self.images[match["id"]],), self.server.values, self.server.colours, palettes)

    def note(self, entry: Entry, looked: Looked | None) -> None:
        name = _plain(entry.name)
        match = self.server.accepted.fullmatch(name)
        if entry.kind != "file":
            self.faults.add("not a plain file", [f"{name} is {entry.kind}"])
        elif match is None:
            self.faults.add(f"not named {self.server.layout}", [name])
        elif match["id"] in self.seen:
            self.faults.add("twice", [name])
        elif looked is None:
            self.faults.add("not in the test list", [name])
        else:
            self._picture(name, *looked)
            self.seen.add(match["id"])
            if self.server.competitions:
                self.competitions.add(int(match["competition"]))

    def _picture(self, name: str, label: Label | None, faults: PictureFaults) -> None:
        for kind, text in faults:
            self.faults.add(kind, [name + text])
        if label is not None:
            self._values |= value_counts(label) > 0

    def finish(self, competition: int | None) -> None:
        """Note what can only be told when all entries were seen."""
        missing = [name for name in self.images if name not in self.seen]
        self.faults.add(f"missing of {len(self.images):,} images", missing)
        if len(self.competitions) > 1:
            self.faults.add("several competitions", [f"comp{number}" for number in sorted(self.competitions)])
        elif competition is not None and self.competitions - {competition}:
            found = next(iter(self.competitions))
            self.faults.add("wrong competition", [f"the folder says comp{found}; expected comp{competition}"])
        values = np.flatnonzero(self._values)
        if self.server.ids is not None and values.size and set(values.tolist()) <= {*range(self.server.classes), 255}:
            text = f"no pixel is above {self.server.classes - 1}; the server wants label ids (road is 7, bicycle 33)"
            self.faults.add("train ids", [text])


def _plain(name: str) -> str:
    return name.removeprefix("./")
