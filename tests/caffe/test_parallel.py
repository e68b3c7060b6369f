"""Workers that train together: two of batch n equal one of 2n; they stop, snapshot and resume together."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import socket
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import torch

import parallel_cases
from deeplab_caffe import caffe
from deeplab_caffe.caffe import parallel
from deeplab_caffe.caffe.parallel import launch
from deeplab_caffe.errors import InputError
from tolerances import assert_same_sums

_TOGETHER = [torch.device("cpu")] * 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where two workers have run all the cases, and what their end was is in failure.txt."""
    path = tmp_path_factory.mktemp("together")
    parallel_cases.write_files(path)
    parallel.choose(_TOGETHER)
    try:
        parallel.run(parallel_cases.run_all, str(path))
    except InputError as error:
        (path / "failure.txt").write_text(str(error))
    finally:
        parallel.choose(_TOGETHER[:1])
    return path


@pytest.fixture
def results(folder, monkeypatch):
    """What the workers said; the test stands in their folder."""
    monkeypatch.chdir(folder)
    return json.loads((folder / "results.json").read_text())


def _state(name: str, solver: str) -> list[np.ndarray]:
    """Parameters and history of a snapshot."""
    loaded = parallel_cases.solver_of(solver)
    loaded.restore(f"{name}.solverstate")
    loaded.net.close()
    return parallel_cases.state_of(loaded)


@pytest.mark.parametrize("name", parallel_cases.SOLVERS)
def test_two_of_batch_n_equal_one_of_2n(results, name):
    one = parallel_cases.solver_of(f"one_{name}")
    one.solve()
    one.net.close()
    expected = parallel_cases.state_of(one)
    before = _state(f"two_{name}_iter_2", f"two_{name}")
    assert any(np.abs(a - b).max() > 1e-3 for a, b in zip(expected, before, strict=True))
    for ours, theirs in zip(_state(f"two_{name}_iter_4", f"two_{name}"), expected, strict=True):
        assert_same_sums(ours, theirs, tiny=2e-5)  # Adam divides small gradients by their size
    assert [r["position"] for r in results[f"two_{name}"]] == [one.net.layers[0].position] * 2


def test_all_workers_hold_the_same(results):
    for name in parallel_cases.SOLVERS:
        root, other = results[f"two_{name}"]
        assert root == other


def test_valid_normalization_counts_the_labels_of_each_worker(results):
    """As in Caffe: the mean of two means, which one solver gets from two passes, not the mean over all labels."""
    one = parallel_cases.solver_of("valid_one")
    one.solve()
    one.net.close()
    for ours, theirs in zip(_state("valid_two_iter_4", "valid_two"), parallel_cases.state_of(one), strict=True):
        assert_same_sums(ours, theirs)


def test_resumed_together_equals_undisturbed_bit_for_bit(results):
    """With dropout, whose random state each worker has its own of, and BatchNorm's statistics, the root's."""
    for resumed, straight in zip(_state("resumed_iter_4", "resumed"), _state("whole_iter_4", "whole"), strict=True):
        np.testing.assert_array_equal(resumed, straight)
    side = json.loads(Path("whole_iter_2.resume.json").read_text())
    assert len(side["workers"]) == 1 and side["workers"][0] != side["random"]
    root, other = results["whole"]
    assert root["sum"] != other["sum"]  # each worker's statistics are its own


def test_one_worker_can_go_on_where_two_stopped(results):
    """The position in the data counts the items of both."""
    solver = parallel_cases.solver_of("one_sgd")
    solver.restore("two_sgd_iter_2.solverstate")
    solver.step(2)
    solver.net.close()
    ours, theirs = parallel_cases.state_of(solver), _state("two_sgd_iter_4", "two_sgd")
    for a, b in zip(ours, theirs, strict=True):
        assert_same_sums(a, b, tiny=2e-5)  # Adam divides small gradients by their size


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("other net", "worker 1 has a different net from the root's: layer 'still' is Convolution, .* must read the"),
        ("other data", "worker 1 has different data from the root's: layer 'data' reads 3 items, .*root's 5 items"),
        ("other solver", "worker 1 differs from the root in solver: Adam, checksum .*, the root SGD, checksum .*"),
        ("other iteration", "worker 1 differs from the root in iter: 2, the root 0; all must be given the same snap"),
    ],
)
def test_workers_that_do_not_train_the_same_are_refused(results, case, message):
    root, other = results[case]
    assert root == other
    with pytest.raises(InputError, match=message):
        raise InputError(root["message"])


def test_all_stop_where_one_is_asked_to(results):
    assert [r["iter"] for r in results["stopped"]] == [3, 3]
    assert Path("stopped_iter_3.solverstate").exists()


def test_requests_while_the_root_tests(results):
    root, other = results["tested"]
    assert root["iter"] == other["iter"] == 2
    assert (root["test positions"], other["test positions"]) == ([10], [])  # the last of 2 · 3 batches was not run
    assert Path("tested_iter_2.solverstate").exists()


def test_a_worker_that_fails_ends_all(results):
    failure = Path("failure.txt").read_text()
    assert re.fullmatch(r"worker 1 \(cpu, process \d+\): list\.txt:3: /2\.png is no image", failure)
    assert multiprocessing.active_children() == []


# -- without workers


def test_devices_of_the_flags(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    cuda = [torch.device("cuda", i) for i in range(3)]
    assert parallel.devices("all") == cuda
    assert parallel.devices("2,0") == [cuda[2], cuda[0]]
    assert parallel.devices("", 2) == _TOGETHER
    for gpu, workers, message in (
        ("0,3", 1, "--gpu 0,3: PyTorch sees 3 CUDA devices"),
        ("1,1", 1, "--gpu 1,1 names a device twice"),
        ("0,x", 1, "--gpu 0,x: wanted the numbers"),
        ("", 0, "--workers 0: wanted 1 or more"),
    ):
        with pytest.raises(InputError, match=message):
            parallel.devices(gpu, workers)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(InputError, match="--gpu all: PyTorch sees no CUDA device"):
        parallel.devices("all")


def test_with_one_device_the_function_is_called_here():
    called = []
    parallel.run(called.append, os.getpid())
    assert called == [os.getpid()]


@pytest.fixture
def torchrun(monkeypatch):
    """`torchrun(port)`: this process is the first of two workers that meet at that port, and start within a second."""
    monkeypatch.setattr(launch, "MEETING", timedelta(seconds=1))

    def start(port: int) -> None:
        names = {"RANK": 0, "WORLD_SIZE": 2, "LOCAL_RANK": 0, "LOCAL_WORLD_SIZE": 2, "MASTER_PORT": port}
        for name, value in {**names, "MASTER_ADDR": "127.0.0.1"}.items():
            monkeypatch.setenv(name, str(value))

    return start


def test_a_port_that_is_taken(torchrun):
    with socket.create_server(("127.0.0.1", 0)) as other:
        torchrun(other.getsockname()[1])
        with pytest.raises(InputError, match=r"^worker 0 of 2: no meeting at 127\.0\.0\.1:\d+ \(.*--master-port$"):
            parallel.run(lambda: None)
    assert (caffe.solver_count(), caffe.solver_rank()) == (1, 0)


def test_another_worker_that_does_not_come(torchrun):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    torchrun(port)
    with pytest.raises(InputError, match=f"no meeting at 127.0.0.1:{port} .*all 2 must be started with that address"):
        parallel.run(lambda: None)


def test_more_workers_than_devices(torchrun):
    torchrun(1)
    message = "torchrun has started 2 workers on this machine, --gpu names 1 devices"
    with pytest.raises(InputError, match=message), launch.join_from_environment([torch.device("cuda", 0)]):
        pass


def test_solvers_need_a_place_to_meet():
    caffe.set_solver_count(2)
    try:
        with pytest.raises(InputError, match="the folder 'nowhere' does not exist; make one with NCCL.new_uid"):
            caffe.NCCL(_Solver(), "nowhere")
        with pytest.raises(InputError, match="processes here, not as threads"):
            caffe.set_multiprocess(False)
    finally:
        caffe.set_solver_count(1)
    uid = caffe.NCCL.new_uid()
    assert isinstance(uid, bytes) and os.path.isdir(uid)


class _Solver:
    group = parallel.Group()
