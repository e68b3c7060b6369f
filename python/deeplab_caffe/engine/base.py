"""What an engine does besides having pycaffe's names."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any


@dataclass(frozen=True)
class Training:
    """One training, to the end or until it is stopped; it goes on from the newest snapshot under the solver's prefix.

    log_file: what the log is added to. weights: what to start from where there is no snapshot. prepare: called once
    the solver could be made and before anything is read or written; it may move old snapshots and the log aside.
    """

    solver_file: Path
    log_file: Path
    weights: Path | None
    prepare: Callable[[], None]


class Engine(ABC):
    """One Caffe: `caffe` is the module with pycaffe's names."""

    caffe: ModuleType

    @abstractmethod
    def python_layers(self, allowed: bool) -> AbstractContextManager[None]:
        """Within, whether nets may import the modules that their Python layers name; ours they always may."""

    @abstractmethod
    def choose_device(self, gpu: str | None, wants_gpu: bool, workers: int) -> None:
        """Compute on GPU `gpu`, or on several, or with several `workers` on the CPU.

        `wants_gpu`: whether the solver asks for a GPU; heeded, as far as there is one, if `gpu` is None. Raises
        InputError for what this engine cannot do.
        """

    @abstractmethod
    def test_net(self, net_file: Path, weights: Path) -> Any:
        """A net in TEST with weights, with pycaffe's members; raises InputError where they do not fit."""

    @abstractmethod
    def train(self, training: Training) -> None:
        """Train. Raises InputError for what cannot be used, and Stopped where a signal asked to stop."""
