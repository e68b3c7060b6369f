"""What an engine does besides having pycaffe's names."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ..errors import InputError
from ..formats.weight_files import read_weight_file
from ..formats.weight_fit import NetLayer, fit, net_layers


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
    #: whether a net for use may have layers that its weights say nothing of
    allow_uninitialized = False
    #: what nets compute in; weights, their gradients and losses are float32 in any case
    precision = "float32"
    #: whether training keeps few activations and computes them again: less memory, more time
    recompute = False

    def choose_precision(self, precision: str, recompute: bool) -> None:
        """Compute in `float32` or `bf16` from now on, training with few activations kept or with all.

        Raises InputError for what this engine cannot do.
        """
        self.precision, self.recompute = precision, recompute

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
        """A net in TEST with weights, with pycaffe's members.

        Raises InputError where they do not fit, or say nothing of a layer that needs some.
        """

    @abstractmethod
    def runner(self, net: Any, blob: str) -> Callable[[], np.ndarray]:
        """A function that runs a net in TEST as far as it makes a blob, and returns a live view of the blob's data."""

    def check_initialized(self, net: Any, net_file: Path, weights: Path) -> None:
        """Refuse a net for use that has layers without weights, unless they are allowed."""
        if not self.allow_uninitialized:
            fit(read_weight_file(weights), str(net_file), _layers(net)).demand_initialized()

    @abstractmethod
    def train(self, training: Training) -> None:
        """Train. Raises InputError for what cannot be used, and Stopped where a signal asked to stop."""


def starting_table(net: Any, net_file: Path, weights: Path) -> str:
    """What a training starts from: which layers get weights, which start anew, what of the file is not used.

    Raises InputError where no layer gets any.
    """
    layers = _layers(net)
    found = fit(read_weight_file(weights), str(net_file), layers)
    if not (found.loaded or found.mismatched):
        raise InputError(f"{weights} has weights for none of the net's layers, which are {', '.join(layers)}")
    return f"starting from {found}"


def _layers(net: Any) -> dict[str, NetLayer]:
    """The layers with parameters; only the embedded engine tells which parameters an earlier layer owns."""
    return net_layers(zip(net._layer_names, net.layers, strict=True), getattr(net, "borrowed", ()))
