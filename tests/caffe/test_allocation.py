"""Memory that was freed stays with the process, for the next tensor."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

KEPT = """
from deeplab_caffe.caffe import mode
import torch

tensor = torch.empty(16_000_000).fill_(1)
address = tensor.data_ptr()
del tensor
with open("/proc/self/maps") as maps:
    ranges = [[int(end, 16) for end in line.split()[0].split("-")] for line in maps]
print(any(first <= address < last for first, last in ranges))
"""


@pytest.mark.skipif(sys.platform != "linux" or "LD_PRELOAD" in os.environ, reason="glibc's own malloc")
@pytest.mark.parametrize(
    ("stated", "kept"),
    [({}, True), ({"MALLOC_MMAP_THRESHOLD_": "131072"}, False), ({"THP_MEM_ALLOC_ENABLE": "0"}, False)],
)
def test_freed_memory_is_kept_unless_the_environment_says_otherwise(stated, kept):
    ours = ("MALLOC_", "THP_", "GLIBC_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)} | stated
    command = [sys.executable, "-c", KEPT]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == str(kept)


RETURNED = """
from deeplab_caffe.caffe import mode
import torch

def is_kept():
    tensor = torch.empty(16_000_000).fill_(1)
    address = tensor.data_ptr()
    del tensor
    with open("/proc/self/maps") as maps:
        ranges = [[int(end, 16) for end in line.split()[0].split("-")] for line in maps]
    return any(first <= address < last for first, last in ranges)

with mode.large_blocks_returned():
    returned = not is_kept()
print(returned, is_kept())
"""


@pytest.mark.skipif(sys.platform != "linux" or "LD_PRELOAD" in os.environ, reason="glibc's own malloc")
def test_large_blocks_are_returned_within_a_context_alone():
    ours = ("MALLOC_", "THP_", "GLIBC_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    command = [sys.executable, "-c", RETURNED]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["True", "True"]
