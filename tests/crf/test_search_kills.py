"""A search that is killed at random moments ends with the table of one that is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

# One process imports the package once and compiles the kernels; the searches that are killed are its children.
KILLS = """
import os
import random
import signal
import sys
import time

import numpy as np
from deeplab_caffe.crf.search import ArrayItem, SearchOptions, SearchSpace, coarse_to_fine

rng = np.random.default_rng(0)
items = [
    ArrayItem(rng.integers(0, 256, (24, 32, 3)), rng.normal(size=(5, 24, 32)), rng.integers(0, 5, (24, 32)), None)
    for _ in range(20)
]
space = SearchSpace(w1="3:4", sigma_alpha="10:10:30", sigma_beta="5:5:10", fine_sigma_alpha="-4:2:4", iterations=6)


def search(journal):
    return coarse_to_fine(items, 5, space, SearchOptions(workers=2, screen="iterations", quiet=True), journal=journal)


search(None)
start = time.perf_counter()
expected = search(None)
seconds = time.perf_counter() - start
random.seed(0)
killed = 0
while killed < 20:
    child = os.fork()
    if not child:
        search(sys.argv[1])
        os._exit(0)
    time.sleep(random.uniform(0, seconds / 8))
    os.kill(child, signal.SIGKILL)
    if os.WIFSIGNALED(os.waitpid(child, 0)[1]):
        killed += 1
        print(os.path.getsize(sys.argv[1]) if os.path.exists(sys.argv[1]) else 0, flush=True)
    else:  # it was done before: once more from the beginning
        assert search(sys.argv[1]) == expected
        os.remove(sys.argv[1])
assert search(sys.argv[1]) == expected
print(expected.to_json())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_twenty_kills_leave_the_table_as_it_is(tmp_path: Path) -> None:
    script, journal = tmp_path / "search.py", tmp_path / "search.journal"
    script.write_text(KILLS)
    command = [sys.executable, str(script), str(journal)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    sizes = [int(size) for size in lines[:20]]
    assert len(set(sizes)) > 5, "the kills were meant to fall while there was work"
    rows = json.loads("\n".join(lines[20:]))["rows"]
    counted = [json.loads(line.split(b" ", 1)[1]) for line in journal.read_bytes().splitlines()[1:]]
    keys = [(digest, str(setting)) for digest, _, group in counted for setting, *_ in group]
    assert len(keys) == len(set(keys)) == 20 * (len(rows) + 1)
