"""Every layer against tensors recorded from C++ Caffe: outputs, gradients, parameters after the pass."""

from __future__ import annotations

import re

import pytest
import torch

import recordings
from deeplab_caffe import caffe


@pytest.mark.parametrize("name", recordings.recorded())
def test_agrees_with_the_recording(name: str) -> None:
    found = list(recordings.compare(name))
    assert found
    for comparison in found:
        assert comparison.error <= comparison.tolerance, comparison


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("name", recordings.recorded())
def test_agrees_with_the_recording_on_cuda(name: str) -> None:
    """Within five times what a CPU is allowed: sums are taken in another order there."""
    caffe.set_mode_gpu()
    for comparison in recordings.compare(name):
        assert comparison.error <= 5 * comparison.tolerance, comparison


def test_the_table_in_the_docs_is_of_these_layers_and_recordings() -> None:
    text = recordings.TABLE.read_text(encoding="utf-8")
    counts = dict.fromkeys(caffe.layer_type_list(), 0)
    for name in recordings.recorded():
        counts[recordings.layer_type(name)] += 1
    rows = dict(re.findall(r"^\| (\w+) \| (\d+|–) \|", text, re.MULTILINE))
    assert rows == {kind: str(count or "–") for kind, count in counts.items()}
