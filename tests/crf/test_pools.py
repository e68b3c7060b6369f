"""Threads, processes and a Dask cluster as workers: results, lost workers, schedulers that are not there."""

from __future__ import annotations

import functools
import operator
import os
import time

import numpy as np
import pytest

from deeplab_caffe.crf.pool import LocalPool, open_pool, stopping
from deeplab_caffe.crf.search import ArrayItem, SearchOptions, SearchSpace, coarse_to_fine
from deeplab_caffe.crf.search.journal import Journal
from deeplab_caffe.errors import InputError

CALL = functools.partial(operator.methodcaller, "__call__")  # makes a worker whose tasks are functions
DIE = functools.partial(os._exit, 1)


def tasks(count):
    return [functools.partial(pow, number, 2) for number in range(count)]


def test_every_task_is_done_once():
    pool = LocalPool(CALL, 3)
    assert sorted(result for _, result in pool.run(tasks(50))) == [n * n for n in range(50)]
    pool.close()


def test_tasks_are_read_as_there_are_hands_for_them():
    taken = []
    pool = LocalPool(CALL, 1)
    results = pool.run(taken.append(task) or task for task in tasks(100))
    next(results)
    assert len(taken) < 10
    results.close()
    pool.close()


def test_a_tasks_error_is_raised():
    pool = LocalPool(CALL, 1)
    with pytest.raises(ZeroDivisionError):
        list(pool.run([functools.partial(divmod, 1, 0)]))
    pool.close()


def test_a_pool_that_closes_tells_its_long_tasks():
    deadline = time.monotonic() + 60

    def last_long():
        while not stopping() and time.monotonic() < deadline:
            time.sleep(0.01)

    pool = LocalPool(CALL, 1)
    next(pool.run([*tasks(1), last_long]))
    pool.close()
    assert time.monotonic() < deadline - 30


def test_a_task_that_kills_its_processes_is_given_up(monkeypatch):
    monkeypatch.setattr("deeplab_caffe.crf.pool.common.MOST_LOST_WORKERS", 2)
    pool = LocalPool(CALL, 1, processes=True)
    done = []
    with pytest.raises(InputError, match="worker processes were lost 2 times in a row.*use fewer workers"):
        done.extend(result for _, result in pool.run([*tasks(1), DIE]))
    assert done in ([], [0])
    pool.close()


@pytest.fixture(scope="module")
def cluster():
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as made:
        yield made


@pytest.fixture(scope="module")
def items(scene):
    scenes = [scene(seed) for seed in range(4)]
    return [ArrayItem(image, scores, label, image.shape[:2]) for image, scores, label in scenes]


SPACE = SearchSpace(w1="3:4", sigma_alpha="10:10:20", sigma_beta="4:5", iterations=3, fine_sigma_alpha="0:2:2")


def test_a_cluster_finds_the_same_and_does_again_what_a_lost_worker_had(cluster, items, tmp_path, monkeypatch):
    expected = coarse_to_fine(items, 4, SPACE, SearchOptions(quiet=True))
    add, alive = Journal.add, [worker.pid for worker in cluster.workers.values()]

    def add_and_kill(journal, digest, settings, matrices):
        add(journal, digest, settings, matrices)
        if settings != (None,) and alive:
            os.kill(alive.pop(), 9)
            alive.clear()

    monkeypatch.setattr(Journal, "add", add_and_kill)
    path = tmp_path / "search.journal"
    options = SearchOptions(scheduler=cluster.scheduler_address, quiet=True)
    assert coarse_to_fine(items, 4, SPACE, options, journal=path) == expected
    assert not alive
    lines = path.read_bytes().splitlines()[1:]
    assert len(lines) == len(set(lines))


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("tcp://127.0.0.1:9", "no Dask scheduler answers at tcp://127.0.0.1:9 .*dask scheduler"),
        ("here", "--scheduler: got 'here'; wanted an address such as tcp://host:8786"),
    ],
)
def test_schedulers_that_are_not_there(address, message, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("deeplab_caffe.crf.pool.cluster._CONNECT_SECONDS", 1)
    with pytest.raises(InputError, match=message):
        open_pool(CALL, 1, scheduler=address)


def test_dask_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(InputError, match=r"pip install 'deeplab-caffe\[dask\]'"):
        open_pool(CALL, 1, scheduler="tcp://127.0.0.1:9")


def test_labels_of_a_journal_in_use_are_not_counted_by_another(items, tmp_path):
    pytest.importorskip("fcntl")
    journal = Journal(tmp_path / "search.journal")
    with pytest.raises(InputError, match="another search is using this journal"):
        coarse_to_fine(items, 4, SPACE, SearchOptions(quiet=True), journal=tmp_path / "search.journal")
    journal.add("a", (None,), [np.eye(2, dtype=np.int64)])
    journal.close()
    assert ("a", None) in Journal(tmp_path / "search.journal")
