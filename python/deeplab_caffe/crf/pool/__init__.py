"""Who does the work of a search or a batch: threads, processes, or the workers of a Dask cluster."""

from .cluster import DaskPool
from .common import WorkerPool, WorkFactory, stopping
from .local import LocalPool

__all__ = ["WorkerPool", "DaskPool", "LocalPool", "WorkFactory", "open_pool", "stopping"]


def open_pool(make: WorkFactory, workers: int, processes: bool = False, scheduler: str | None = None) -> WorkerPool:
    """A pool of `workers` threads or processes of this machine, or of the workers of the Dask scheduler named.

    `make()` is called once by each worker and gives the function that does its tasks; for processes and for Dask it
    must pickle. Raises InputError where there is no such scheduler.
    """
    return DaskPool(make, scheduler) if scheduler else LocalPool(make, workers, processes)
