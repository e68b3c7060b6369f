"""The workers of a search or a batch: threads, processes, or a Dask cluster."""

from .cluster import DaskPool
from .common import WorkerPool, WorkFactory, stopping
from .local import LocalPool

__all__ = ["WorkerPool", "DaskPool", "LocalPool", "WorkFactory", "open_pool", "stopping"]


def open_pool(make: WorkFactory, workers: int, processes: bool = False, scheduler: str | None = None) -> WorkerPool:
    """A pool of threads or processes on this machine, or of the workers of a Dask cluster.

    Args:
        make: each worker calls it once; it returns the function that does the tasks. For processes and for Dask it must
            be picklable.
        workers: the number of threads or processes.
        processes: processes instead of threads.
        scheduler: the address of a Dask scheduler, `tcp://host:port`, instead of this machine.

    Raises:
        InputError: the scheduler does not answer.

    Example:
        >>> pool = open_pool(lambda: abs, workers=1)
        >>> sorted(pool.run([-2, 3]))
        [(-2, 2), (3, 3)]
        >>> pool.close()
    """
    return DaskPool(make, scheduler) if scheduler else LocalPool(make, workers, processes)
