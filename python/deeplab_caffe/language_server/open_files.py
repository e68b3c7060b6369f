"""Where lint reads files in an editor: the open texts, saved or not, and else the disk."""

from __future__ import annotations

from pathlib import Path

from ..errors import InputError
from ..formats.prototxt import Document
from ..inspection.lint.net_file import NetFile
from .buffers import Buffer
from .workspace import Workspace


class OpenFiles:
    """The files of a workspace as a Linter reads them; each as it was when it was first read."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._buffers: dict[str, Buffer | None] = {}
        self._nets: dict[int, NetFile] = {}

    def buffer(self, path: str) -> Buffer | None:
        """The buffer of a file, the same one each time."""
        if path not in self._buffers:
            self._buffers[path] = self._workspace.buffer(path)
        return self._buffers[path]

    def _read(self, path: str) -> Buffer:
        buffer = self.buffer(path)
        if buffer is None:
            raise InputError(f"{path}: no such file")
        return buffer

    def document(self, path: str) -> Document:
        return self._read(path).document

    def net(self, path: str) -> NetFile:
        buffer = self._read(path)
        if id(buffer) not in self._nets:
            self._nets[id(buffer)] = buffer.net.copy()
        return self._nets[id(buffer)]

    def exists(self, path: Path) -> bool:
        return self._workspace.exists(path)

    def net_path(self, solver: str, net: str) -> str:
        return self._workspace.net_path(solver, net)
