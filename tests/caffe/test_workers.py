"""Worker processes of the command line: one that is killed ends all, signals reach all, nobody is left."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import parallel_cases
from deeplab_caffe.caffe.parallel import workers
from deeplab_caffe.errors import InputError
from tolerances import assert_same_sums

linux = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for processes under /proc")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Images, nets and solvers; the test stands among them."""
    parallel_cases.write_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


_COMMAND = [sys.executable, "-m", "deeplab_caffe.cli", "caffe", "train"]
_ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1"}


class _Training:
    """`caffe train --workers=2` under way on a solver that never ends; what it says is read line by line."""

    def __init__(self, folder: Path, *flags: str) -> None:
        self._file = folder / "stderr.txt"
        command = [*_COMMAND, "--solver=endless_solver.prototxt", "--workers=2", *flags]
        with self._file.open("w") as stderr:
            self.process = subprocess.Popen(command, cwd=folder, stderr=stderr, env=_ONE_THREAD)
        self.wait_for("Iteration 100")
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        self.workers = [int(c) for c in children if b"spawn_main" in Path(f"/proc/{c}/cmdline").read_bytes()]

    @property
    def said(self) -> str:
        return self._file.read_text()

    def wait_for(self, text: str) -> None:
        """Until that has been said."""
        deadline = time.monotonic() + 120
        while text not in self.said:
            assert time.monotonic() < deadline and self.process.poll() is None, self.said
            time.sleep(0.05)

    def nobody_is_left(self) -> bool:
        """Whether all workers are gone, at most some seconds from now."""
        deadline = time.monotonic() + 20
        while any(_lives(worker) for worker in self.workers):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def training(folder):
    """`training(*flags)` begins one, which ends with the test."""
    begun: list[_Training] = []

    def begin(*flags: str) -> _Training:
        begun.append(_Training(folder, *flags))
        return begun[-1]

    yield begin
    for one in begun:
        one.process.kill()
        one.process.wait()


@pytest.mark.parametrize(
    ("state", "code", "message"),
    [
        ("working", -11, "worker 1 (cpu, process 7) was killed by SIGSEGV; the other workers were stopped; go on so"),
        ("crashed", 1, "worker 1 (cpu, process 7) failed: why (see above); the other workers were stopped; go on so"),
        (
            "starting",
            1,
            "worker 1 (cpu, process 7) ended with exit code 1 (see above); the other workers were stopped; go",
        ),
        ("lost contact", 1, "why; go on so"),
        ("input error", 1, "worker 1 (cpu, process 7): why"),
    ],
)
def test_what_is_said_of_a_worker_that_failed(state, code, message):
    process = SimpleNamespace(exitcode=code)
    worker = workers._Worker(1, torch.device("cpu"), process, None, state, "why", 7)
    with pytest.raises(InputError, match=re.escape(message)):
        workers._fail(worker, lambda: "go on so")


@linux
def test_a_worker_killed_while_training_ends_all(training, folder):
    """SIGHUP has all of them write a snapshot first, from which one can go on afterwards."""
    one = training()
    assert len(one.workers) == 2
    one.process.send_signal(signal.SIGHUP)
    one.wait_for("Snapshotting solver state")
    while not list(folder.glob("endless_iter_*.solverstate")):
        time.sleep(0.05)
    os.kill(one.workers[1], signal.SIGKILL)
    assert one.process.wait(timeout=60) == 2
    (state,) = (p.name for p in folder.glob("endless_iter_*.solverstate"))
    message = one.said.splitlines()[-1]
    assert f"error: worker 1 (cpu, process {one.workers[1]}) was killed by SIGKILL" in message
    assert message.endswith(f"the other workers were stopped; resume with --snapshot={state}")
    assert one.nobody_is_left()
    solver = parallel_cases.solver_of("endless")
    solver.restore(state)
    solver.step(1)
    solver.net.close()


@linux
def test_ctrl_c_reaches_all_and_nobody_outlives_the_command(training, folder):
    one = training("--sigint_effect=snapshot")
    one.process.send_signal(signal.SIGINT)
    one.wait_for("Snapshotting solver state")
    os.kill(one.process.pid, signal.SIGKILL)
    assert one.nobody_is_left()


@linux
def test_sigterm_stops_all_with_a_snapshot(training, folder):
    one = training()
    one.process.send_signal(signal.SIGTERM)
    assert one.process.wait(timeout=60) == 143
    (state,) = (p.name for p in folder.glob("endless_iter_*.solverstate"))
    assert one.said.splitlines()[-1].endswith(f"; resume with --snapshot={state}")
    assert one.nobody_is_left()


def test_torchrun_starts_the_same_workers(folder):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", *_COMMAND[1:]]
    done = subprocess.run(
        [*command, "--solver=two_sgd_solver.prototxt"], cwd=folder, env=_ONE_THREAD, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Snapshotting to binary proto file") == 2
    one, two = (parallel_cases.solver_of(f"{name}_sgd") for name in ("one", "two"))
    one.solve()
    two.restore("two_sgd_iter_4.solverstate")
    for ours, theirs in zip(parallel_cases.state_of(two), parallel_cases.state_of(one), strict=True):
        assert_same_sums(ours, theirs, tiny=2e-5)  # Adam divides small gradients by their size
