"""The data sets that datasets/ describes."""

from __future__ import annotations

from pathlib import Path

import pytest

from deeplab_caffe.data import read_dataset
from deeplab_caffe.nets import full_name

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("path", sorted((ROOT / "datasets").glob("*.toml")), ids=lambda path: path.stem)
def test_a_data_set_can_be_read_and_has_targets(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    dataset = read_dataset(path)
    assert dataset.name == path.stem
    assert dataset.ignore_label >= dataset.num_classes, "the ignore label is one of the classes"
    assert "train" in dataset.lists and dataset.obtain
    assert full_name(f"{path.stem}_largefov") == f"{path.stem}/largefov"
