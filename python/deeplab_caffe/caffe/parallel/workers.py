"""Worker processes on this machine: started together, watched, and ended together."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import FrameType
from typing import Any, NoReturn

import torch
import torch.distributed as dist
from tqdm import tqdm

from ...errors import InputError, NotFinite, Stopped, Terminated, stop_code
from ...permission import allow_python_layers, python_layers_allowed
from . import group

#: seconds to wait for the worker that failed first to be noticed, and for the others to end
_GRACE = 5.0
#: seconds after which a worker that has only noted SIGTERM gets it again
_AGAIN = 0.5
#: how a worker that was stopped reports it: exit code → state
_STOPS = {130: "stopped", 143: "terminated"}


@dataclass
class _Worker:
    """A worker process, and what it reported last: `starting`, `working`, or how it ended and a message."""

    rank: int
    device: torch.device
    process: SpawnProcess
    reports: Connection
    state: str = "starting"
    message: str = ""
    pid: int = field(default=0)

    def __str__(self) -> str:
        return f"worker {self.rank} ({self.device}, process {self.pid})"

    def read(self) -> None:
        """Read its reports."""
        try:
            while self.reports.poll():
                self.state, self.message = self.reports.recv()
        except (EOFError, OSError):
            return


def run_in_processes(
    function: Callable[..., None],
    arguments: Sequence[Any],
    devices: Sequence[torch.device],
    how_to_go_on: Callable[[], str],
) -> None:
    """Call a function in one new process per device, which form a group; see `parallel.run`.

    SIGINT, SIGHUP and SIGTERM are forwarded to the root, which tells the others. Whatever ends this process
    ends the workers. Raises InputError where a worker fails or dies, and Stopped where they were asked to stop.
    """
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False, timeout=group.MEETING)
    workers = _start(store.port, function, arguments, devices)
    try:
        with _forwarding_signals(workers[0]):
            failed = _watch(workers)
        if failed is not None:
            _fail(failed, how_to_go_on)
        for code, state in _STOPS.items():
            if workers[0].state == state:
                raise Stopped(workers[0].message, code)
    finally:
        _end(workers)


def _start(
    port: int, function: Callable[..., None], arguments: Sequence[Any], devices: Sequence[torch.device]
) -> list[_Worker]:
    """New processes, which ignore Ctrl-C until they are ready for it."""
    context = multiprocessing.get_context("spawn")
    workers = []
    with _ignoring_interrupts():
        for rank, device in enumerate(devices):
            ours, theirs = context.Pipe(duplex=False)
            place = _Place(port, rank, len(devices), device, python_layers_allowed())
            process = context.Process(target=_work, args=(theirs, place, function, arguments), name=f"worker {rank}")
            process.start()
            theirs.close()
            workers.append(_Worker(rank, device, process, ours, pid=process.pid or 0))
    return workers


def _watch(workers: Sequence[_Worker]) -> _Worker | None:
    """Wait until all are done; the worker that failed first, by its own fault, where one did."""
    running = list(workers)
    suspects: list[_Worker] = []
    deadline: float | None = None
    while running:
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            break
        beginning = [w.reports for w in running if w.state == "starting"]
        ended = wait([*(w.process.sentinel for w in running), *beginning], left)
        for worker in running:
            worker.read()
        for worker in [w for w in running if w.process.sentinel in ended]:
            running.remove(worker)
            worker.process.join()
            worker.read()
            if worker.process.exitcode:
                suspects.append(worker)
                if worker.state != "lost contact":
                    return worker
                deadline = deadline or time.monotonic() + _GRACE
    return suspects[0] if suspects else None


def _fail(worker: _Worker, how_to_go_on: Callable[[], str]) -> NoReturn:
    code = worker.process.exitcode or 0
    if worker.state == "input error":
        raise InputError(worker.message if worker.rank == 0 else f"{worker}: {worker.message}")
    if worker.state == "not finite":
        raise NotFinite(worker.message if worker.rank == 0 else f"{worker}: {worker.message}")
    if worker.state == "lost contact":
        raise InputError("; ".join(filter(None, [worker.message, how_to_go_on()])))
    if worker.state == "interrupted":
        raise Terminated if code == 143 else KeyboardInterrupt
    if code < 0:
        kind = f"was killed by {signal.Signals(-code).name}"
        kind += " (the system does that when memory runs out)" if -code == signal.SIGKILL else ""
    elif worker.state == "crashed":
        kind = f"failed: {worker.message} (see above)"
    else:
        kind = f"ended with exit code {code} (see above)"
    raise InputError("; ".join(filter(None, [f"{worker} {kind}", "the other workers were stopped", how_to_go_on()])))


def _end(workers: Sequence[_Worker]) -> None:
    """End all processes."""
    for seconds in (_AGAIN, _GRACE):
        for worker in workers:
            if worker.process.is_alive():
                worker.process.terminate()
        deadline = time.monotonic() + seconds
        for worker in workers:
            worker.process.join(max(0.0, deadline - time.monotonic()))
    for worker in workers:
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()
        worker.reports.close()
        worker.process.close()


# -- signals, in the process that watches


@contextmanager
def _ignoring_interrupts() -> Iterator[None]:
    """What is started here inherits that SIGINT is ignored."""
    with _handlers({signal.SIGINT: signal.SIG_IGN}):
        yield


@contextmanager
def _forwarding_signals(root: _Worker) -> Iterator[None]:
    """Signals go to the root once it works; before, they end everything, as a second SIGTERM does."""
    ending = False

    def forward(number: int, frame: FrameType | None) -> None:
        if root.state != "working":
            raise KeyboardInterrupt
        os.kill(root.pid, number)

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal ending
        if ending or root.state != "working":
            raise Terminated
        ending = True
        os.kill(root.pid, number)

    with _handlers({signal.SIGINT: forward, signal.SIGHUP: forward, signal.SIGTERM: end}):
        yield


@contextmanager
def _handlers(handlers: dict[signal.Signals, Any]) -> Iterator[None]:
    """Signal handlers for a while; only the main thread can have any."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# -- in the worker


@dataclass
class _Place:
    """What a worker needs to know to join the group."""

    port: int
    rank: int
    count: int
    device: torch.device
    python_layers: bool


def _work(reports: Connection, place: _Place, function: Callable[..., None], arguments: Sequence[Any]) -> None:
    """The main function of a worker process."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.setpgid(0, 0)  # a terminal's Ctrl-C goes to the process that watches, and from there to the root
    signal.signal(signal.SIGTERM, _exit)
    tqdm.set_lock(threading.RLock())  # not a lock between processes: a killed worker would never release it
    allow_python_layers(place.python_layers)
    code = 1
    try:
        store = dist.TCPStore("127.0.0.1", place.port, is_master=False, timeout=group.MEETING)
        with group.joined(store, place.rank, place.count, place.device, place.count):
            signal.signal(signal.SIGINT, signal.default_int_handler)
            reports.send(("working", ""))
            function(*arguments)
        outcome = "done", ""
    except Stopped as stop:
        outcome = _STOPS[stop.code], str(stop)
    except group.LostContact as error:
        outcome = "lost contact", str(error)
    except NotFinite as error:
        outcome = "not finite", str(error)
    except InputError as error:
        outcome = "input error", str(error)
    except KeyboardInterrupt as stop:
        code, outcome = stop_code(stop), ("interrupted", "")
    except Exception as error:
        traceback.print_exc()
        outcome = "crashed", f"{type(error).__name__}: {error}"
    reports.send(outcome)
    reports.close()
    if outcome[0] not in ("done", *_STOPS.values()):
        sys.exit(code)


def _exit(number: int, frame: FrameType | None) -> NoReturn:
    signal.signal(number, signal.SIG_IGN)  # what is tidied up now is not disturbed
    sys.exit(128 + number)


def _end_with_parent() -> None:
    """Exit when the parent process ends."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
