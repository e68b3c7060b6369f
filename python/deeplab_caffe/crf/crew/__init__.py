"""Who does the work of a search or a batch: threads, processes, or the workers of a Dask cluster."""

from .cluster import DaskCrew
from .common import Crew, Make, stopping
from .local import LocalCrew

__all__ = ["Crew", "DaskCrew", "LocalCrew", "Make", "hire", "stopping"]


def hire(make: Make, workers: int, processes: bool = False, scheduler: str | None = None) -> Crew:
    """A crew of `workers` threads or processes of this machine, or of the workers of the Dask scheduler named.

    `make()` is called once by each worker and gives the function that does its tasks; for processes and for Dask it
    must pickle. Raises InputError where there is no such scheduler.
    """
    return DaskCrew(make, scheduler) if scheduler else LocalCrew(make, workers, processes)
