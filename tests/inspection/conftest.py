"""What the tests of inspection share: nets written to files, and short ways to write them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture
def write(tmp_path):
    """`write(text, name='net.prototxt')`: the path of a file that holds the text."""

    def make(text: str, name: str = "net.prototxt") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return make
