"""What tests of commands share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working folder with the descriptions of data sets."""
    shutil.copytree(REPOSITORY / "datasets", tmp_path / "datasets")
    monkeypatch.chdir(tmp_path)
    return tmp_path
