"""The files that the server knows: those that are open in the editor, and on the disk those that belong with them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from pygls.uris import from_fs_path, to_fs_path

from ..formats.tree import Scalar
from ..inspection.lint import Finding
from ..inspection.lint.rules_together import model_files
from .buffers import Buffer, Change
from .settings import Settings

#: the fields of a solver that name a net's file
NET_FIELDS = ("net", "train_net", "test_net")
#: the longest text that is looked at, in characters or bytes: seven times a ResNet-101 with three scales
MOST = 4 << 20


class Workspace:
    """The buffers, by path or URI. Reading it from several threads is safe; one thread changes it.

    Attributes:
        folders: the paths of the folders that the editor has open.
        settings: the user's settings.
    """

    def __init__(self, folders: Iterable[str] = (), settings: Settings | None = None) -> None:
        self.folders = list(folders)
        self.settings = settings or Settings()
        self._open: dict[str, Buffer] = {}
        self._findings: dict[str, tuple[Buffer, list[Finding]]] = {}
        #: path → (mtime in ns, size, buffer) of what was read from the disk
        self._read: dict[str, tuple[int, int, Buffer]] = {}

    def configure(self, settings: Settings) -> None:
        """Take other settings; what was found out under the old ones is forgotten."""
        self.settings = settings
        self._read.clear()
        for key, buffer in list(self._open.items()):
            self._open[key] = Buffer(buffer.uri, buffer.path, buffer.text, buffer.version, settings.variables)

    # -- what the editor does

    def open(self, uri: str, text: str, version: int) -> Buffer:
        """Take a text that was opened in the editor."""
        path = path_of(uri)
        buffer = self._open[_key(path)] = Buffer(uri, path, text, version, self.settings.variables)
        self._read.pop(_key(path), None)
        return buffer

    def change(self, uri: str, version: int, changes: Sequence[Change]) -> Buffer | None:
        """Take the editor's changes to an open text; None if it is not open."""
        before = self._open.get(_key(path_of(uri)))
        if before is None:
            return None
        after = self._open[_key(before.path)] = before.changed(version, changes)
        return after

    def close(self, uri: str) -> None:
        """Forget an open text: from now on the file on the disk counts."""
        self._open.pop(_key(path_of(uri)), None)
        self._findings.pop(_key(path_of(uri)), None)

    # -- buffers

    @property
    def open_buffers(self) -> list[Buffer]:
        """The texts that are open in the editor, without those that are too long."""
        return [buffer for buffer in self._open.values() if len(buffer.text) <= MOST]

    def buffer(self, path_or_uri: str | os.PathLike[str]) -> Buffer | None:
        """The open text of a file, else the file on the disk; None if there is neither, or it is too long."""
        path = path_of(os.fspath(path_or_uri))
        found = self._open.get(_key(path))
        if found is None:
            return self._from_disk(path)
        return found if len(found.text) <= MOST else None

    def too_long(self, uri: str) -> Buffer | None:
        """The open text of a file if it is too long to be looked at: whatever is asked of it has no answer."""
        found = self._open.get(_key(path_of(uri)))
        return found if found is not None and len(found.text) > MOST else None

    def _from_disk(self, path: str) -> Buffer | None:
        key = _key(path)
        try:
            status = os.stat(path)
            if not os.path.isfile(path) or status.st_size > MOST:
                raise OSError
            known = self._read.get(key)
            if known is not None and known[:2] == (status.st_mtime_ns, status.st_size):
                return known[2]
            text = Path(path).read_bytes().decode("utf-8-sig")
        except (OSError, ValueError):
            self._read.pop(key, None)
            return None
        buffer = Buffer(from_fs_path(os.path.abspath(path)) or path, path, text, None, self.settings.variables)
        self._read[key] = (status.st_mtime_ns, status.st_size, buffer)
        return buffer

    # -- what lint has found

    def keep_findings(self, buffer: Buffer, findings: list[Finding]) -> None:
        """Remember what lint has found in a buffer."""
        self._findings[_key(buffer.path)] = buffer, findings

    def findings_of(self, buffer: Buffer) -> list[Finding] | None:
        """What lint has found in a buffer; None if it has not looked at it yet."""
        seen, findings = self._findings.get(_key(buffer.path), (None, []))
        return findings if seen is buffer else None

    # -- files that belong together

    def family(self, buffer: Buffer) -> list[Buffer]:
        """The nets and solvers of one model, the buffer itself first.

        They are the nets that a solver names, the nets beside them by their names (train, train2, test, deploy …),
        and the solvers in their folders that name one of them.
        """
        found = {_key(buffer.path): buffer}
        todo = [buffer]
        while todo:
            for other in self._related(todo.pop()):
                if _key(other.path) not in found:
                    found[_key(other.path)] = other
                    todo.append(other)
        return list(found.values())

    def _related(self, buffer: Buffer) -> Iterator[Buffer]:
        if buffer.kind == "solver":
            yield from self.nets_of(buffer)
            return
        for path in self.beside(buffer):
            if (other := self.buffer(path)) is not None:
                yield other
        for solver in self._solvers_in(os.path.dirname(buffer.path)):
            if any(_key(net.path) == _key(buffer.path) for net in self.nets_of(solver)):
                yield solver

    def beside(self, buffer: Buffer) -> list[str]:
        """The paths of the nets of its model in its folder, a training net first."""
        return [str(path) for path in model_files(Path(buffer.path), self.exists)]

    def exists(self, path: str | os.PathLike[str]) -> bool:
        """Whether there is such a file, in the editor or on the disk."""
        return _key(os.fspath(path)) in self._open or os.path.isfile(path)

    def nets_of(self, solver: Buffer) -> list[Buffer]:
        """The nets that a solver names and that exist."""
        named = [f.value.text for name in NET_FIELDS for f in solver.document.root.all(name)
                 if isinstance(f.value, Scalar)]  # fmt: skip
        paths = [self.net_path(solver.path, name) for name in named if name and "${" not in name]
        return [net for path in paths if (net := self.buffer(path)) is not None]

    def net_path(self, solver: str, net: str) -> str:
        """The path of the net that a solver names: relative to an open folder or the current one, else beside it."""
        bases = ["", *self.folders, os.path.dirname(solver)]
        paths = [os.path.join(base, net) for base in bases] + [os.path.join(bases[-1], os.path.basename(net))]
        return next((path for path in paths if "\0" not in path and self.exists(path)), net)

    def _solvers_in(self, folder: str) -> list[Buffer]:
        """The solvers in a folder, by their names on the disk, or open."""
        names = {b.path for b in self.open_buffers if os.path.dirname(b.path) == folder}
        with suppress(OSError), os.scandir(folder or ".") as entries:
            names |= {e.path for e in entries if "solver" in e.name and e.name.endswith(".prototxt")}
        buffers = [self.buffer(path) for path in sorted(names)]
        return [buffer for buffer in buffers if buffer is not None and buffer.kind == "solver"]


def path_of(path_or_uri: str) -> str:
    """The path of a `file:` URI; anything else stays as it is."""
    return (to_fs_path(path_or_uri) or path_or_uri) if path_or_uri.startswith("file:") else path_or_uri


def _key(path: str) -> str:
    """What two names of one file have in common."""
    return path if "\0" in path or (":" in path and not os.path.isabs(path)) else os.path.realpath(path)
