"""Snapshots of earlier trainings: moved to before-1, before-2, … when the net changes, and taken back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..files import write_text
from ..reading import read_json


@dataclass(frozen=True)
class Snapshots:
    """The snapshots of one training stage.

    Args:
        marker: the file that says what they were made of.
        log_file: the log of their training, which moves with them.
        tables: further files beside the log that move with it.
        prefix: the solver's snapshot_prefix.
        wanted: hash of everything that the training which is wanted now depends on.
        former: the same hash as earlier releases made it.
    """

    marker: Path
    log_file: Path
    prefix: Path
    wanted: str
    former: str = ""
    tables: tuple[Path, ...] = ()

    @property
    def must_move(self) -> bool:
        """Whether there are snapshots of another training, and none of the one that is wanted."""
        return bool(self._present()) and not self._is_wanted(self.marker) and self._kept() is None

    def begin(self) -> None:
        """Make place for the training that is wanted: move snapshots of another one, and take its own ones back."""
        if not self._is_wanted(self.marker):
            kept = self._kept()
            self._move_away()
            if kept is not None:
                self._take_back(kept)
        if self._read(self.marker).get("inputs") != self.wanted:
            write_text(self.marker, json.dumps({"inputs": self.wanted}) + "\n")

    def forget(self) -> None:
        """Make the next training start from the beginning."""
        write_text(self.marker, json.dumps({"forgotten": self._made_of(self.marker)}) + "\n")

    # -- what is there

    def _present(self) -> list[Path]:
        pattern = re.compile(rf"{re.escape(self.prefix.name)}_iter_\d+\.\w")
        return [path for path in sorted(self.prefix.parent.glob("*")) if pattern.match(path.name)]

    @property
    def _logs(self) -> dict[str, Path]:
        return {path.name: path for path in (self.log_file, *self.tables)}

    @staticmethod
    def _read(marker: Path) -> dict[str, Any]:
        try:
            stated = read_json(marker)
        except InputError:
            return {}
        return stated if isinstance(stated, dict) else {}

    def _made_of(self, marker: Path) -> str:
        """The hash of what snapshots were made of; "" if it is not known."""
        stated = self._read(marker)
        return str(stated.get("inputs") or stated.get("forgotten") or "")

    def _is_wanted(self, marker: Path) -> bool:
        return self._read(marker).get("inputs", "") in {self.wanted, self.former} - {""}

    def _kept(self) -> Path | None:
        """The newest folder with the snapshots of the wanted training; None if it is to start from the beginning."""
        if "forgotten" in self._read(self.marker):
            return None
        folders = sorted(self._folders(), reverse=True)
        return next((folder for _, folder in folders if self._is_wanted(folder / self.marker.name)), None)

    def _folders(self) -> Iterator[tuple[int, Path]]:
        """before-1, before-2, … with their numbers."""
        for path in self.prefix.parent.glob("before-*"):
            if number := re.fullmatch(r"before-(\d+)", path.name):
                yield int(number[1]), path

    # -- moves

    def _move_away(self) -> None:
        """Move the snapshots to the next folder of before-1, before-2, …, with their log and what they were made of."""
        present = self._present()
        if not present:
            return
        folder = self.prefix.parent / f"before-{max((n for n, _ in self._folders()), default=0) + 1}"
        folder.mkdir(parents=True)
        for path in [*present, *(path for path in self._logs.values() if path.exists())]:
            path.rename(folder / path.name)
        write_text(folder / self.marker.name, json.dumps({"inputs": self._made_of(self.marker)}) + "\n")
        what = "net, list, images, labels, solver or initial weights have changed"
        print(f"{what}; the snapshots of the earlier training were moved to {folder}", flush=True)

    def _take_back(self, folder: Path) -> None:
        """Move the files of a folder back to where they were, and remove it."""
        for path in folder.iterdir():
            home = self._logs.get(path.name, self.prefix.parent / path.name)
            home.parent.mkdir(parents=True, exist_ok=True)
            path.replace(home)
        folder.rmdir()
        print(f"{folder}: this training was begun before; its snapshots were taken back", flush=True)
