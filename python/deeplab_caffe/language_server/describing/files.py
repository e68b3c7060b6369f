"""A file that a net or solver names: whether it is there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ...formats.tree import Scalar
from ..buffers import Buffer
from ..file_names import find_path
from ..text import code
from ..workspace import NET_FIELDS, Workspace

#: fields whose value is the name of a file (or folder) that is read
READ = frozenset({*NET_FIELDS, "source", "mean_file", "meanfile", "weights", "label_map_file", "weight_source",
                  "name_size_file"})  # fmt: skip
#: fields whose value begins the names of files; they complete to folders
BEGINS = frozenset({"root_folder", "prefix", "snapshot_prefix", "output_directory"})


def names_file(descriptor: Any) -> bool:
    """Whether a field's value is the name of a file that is read."""
    return descriptor is not None and descriptor.name in READ and descriptor.cpp_type == descriptor.CPPTYPE_STRING


def find(workspace: Workspace, buffer: Buffer, name: str) -> str | None:
    """The path of a file that a buffer names; None if there is none, or its name has a template variable."""
    found = find_path(name, Path(buffer.path), workspace.folders)
    return os.path.abspath(found) if found is not None else None


def file_text(workspace: Workspace, buffer: Buffer, descriptor: Any, value: Scalar) -> str:
    """Whether the file that a value names is there."""
    if "${" in value.text:
        return f"{code(value.text)}: the name has a template variable"
    names = value.text.split(",") if descriptor.name == "weights" else [value.text]
    return "\n".join(f"- {_one(workspace, buffer, descriptor, name.strip())}" for name in names)


def _one(workspace: Workspace, buffer: Buffer, descriptor: Any, name: str) -> str:
    if descriptor.name in NET_FIELDS:
        path = workspace.net_path(buffer.path, name)
        found = os.path.abspath(path) if workspace.exists(path) else None
    else:
        found = find(workspace, buffer, name)
    if found is None:
        where = " or ".join(dict.fromkeys([*workspace.folders, os.path.dirname(buffer.path) or "."]))
        return f"{code(name)} is **not there** (looked in {where})"
    return f"{code(name)} is there: {found}{_size(found)}"


def _size(path: str) -> str:
    try:
        return f", {os.path.getsize(path):,} bytes" if os.path.isfile(path) else ", a folder"
    except OSError:
        return ""
