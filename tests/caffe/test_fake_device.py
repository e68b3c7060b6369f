"""Runs the tests of `on_fake_device.py`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_the_engine_on_a_device_that_is_not_there():
    tests = Path(__file__).with_name("on_fake_device.py")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(tests)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert " passed" in done.stdout or " skipped" in done.stdout
