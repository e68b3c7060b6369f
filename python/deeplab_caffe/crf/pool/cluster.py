"""A pool of the workers of a Dask cluster. Only this module imports `distributed`, when a pool is opened."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from ...errors import InputError
from .common import LostWorkers, WorkFactory, work

_CONNECT_SECONDS = 10
_WORKER_SECONDS = 60
_TASKS_AHEAD = 2  # per thread of the cluster


class DaskPool:
    """A `WorkerPool` of the cluster of a scheduler, `tcp://host:port`; workers may join and leave.

    Workers need this package, and the files at the paths that the tasks name. Raises InputError if Dask is not
    installed, the scheduler does not answer, or it has no worker within a minute.
    """

    def __init__(self, make: WorkFactory, scheduler: str, worker_seconds: float = _WORKER_SECONDS) -> None:
        try:
            import distributed
        except ImportError:
            raise InputError(
                "--scheduler needs Dask, which is not installed: pip install 'deeplab-caffe[dask]'"
            ) from None
        if not re.fullmatch(r"(tcp|tls|wss?)://.+:\d+", scheduler):
            raise InputError(f"--scheduler: got '{scheduler}'; wanted an address such as tcp://host:8786")
        self._make, self._scheduler, self._token, self._dask = make, scheduler, uuid.uuid4().hex, distributed
        try:
            self._client = distributed.Client(scheduler, timeout=_CONNECT_SECONDS, set_as_default=False)
        except OSError as error:
            raise InputError(
                f"no Dask scheduler answers at {scheduler} ({_first_line(error)}); start one with `dask scheduler`, "
                "and workers with `dask worker tcp://host:8786`, or omit --scheduler to use this machine"
            ) from None
        try:
            self._client.wait_for_workers(1, timeout=worker_seconds)
        except TimeoutError:
            self.close()
            raise InputError(
                f"the Dask scheduler at {scheduler} has no worker; start some with `dask worker {scheduler}`"
            ) from None

    def run(self, tasks: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        """See `WorkerPool`."""
        losses = LostWorkers(f"workers of {self._scheduler}")
        waiting = iter(tasks)
        pending = {self._submit(task): task for task in islice(waiting, self._tasks_under_way())}
        completed = self._dask.as_completed(list(pending), loop=self._client.loop)
        for future in completed:
            task = pending.pop(future)
            try:
                result = future.result()
            except self._dask.KilledWorker:  # several workers have died while doing this task
                losses.another()
                again = self._submit(task)
                pending[again] = task
                completed.add(again)
                continue
            except (self._dask.CancelledError, self._dask.comm.CommClosedError) as error:
                raise self._lost() from error
            losses.none()
            yield task, result
            for task in islice(waiting, max(0, self._tasks_under_way() - len(pending))):
                future = self._submit(task)
                pending[future] = task
                completed.add(future)

    def _submit(self, task: Any) -> Any:
        return self._client.submit(work, self._token, self._make, task, pure=False)

    def _tasks_under_way(self) -> int:
        """How many tasks to submit at a time; the cluster may have grown."""
        return (1 + _TASKS_AHEAD) * max(1, sum(self._client.nthreads().values()))

    def _lost(self) -> InputError:
        return InputError(
            f"the Dask scheduler at {self._scheduler} was lost; start it again and run the same command: finished "
            "work is kept"
        )

    def close(self) -> None:
        """Disconnect from the cluster, which drops the unfinished tasks of this pool."""
        self._client.close()


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
