"""What a solver holds while it trains: nets, iteration, history, losses. Snapshots, logs and start-up read it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from ...formats.definition import SolverDefinition
from .. import mode
from ..net.net import Net
from ..parallel.group import Group
from .shown import Displayed, Tested


class TrainingState:
    """The state of a solver between iterations.

    net: the training net; test_nets: one per test; iter: the number of updates done; history: what the update rule
    remembers of each parameter; recent_losses: those that the displayed loss is the mean of, on the device.
    """

    type = ""

    net: Net
    test_nets: list[Net]
    history: list[torch.Tensor]

    def __init__(self, definition: SolverDefinition, group: Group) -> None:
        self.definition = definition
        self.param, self.source = definition.param, definition.source
        self.iter = 0
        self.current_step = 0
        self.recent_losses: list[torch.Tensor] = []
        self.loss_start = 0
        #: parameters whose history is not all zero
        self.moving: set[int] = set()
        #: the workers that train together, this solver's among them
        self.group = group
        #: whether the workers have begun alike
        self.synchronised = False
        self.callbacks: list[tuple[Callable[[], None], Callable[[], None]]] = []
        #: called on the root with the numbers of each display and of each test
        self.on_display: Callable[[Displayed], None] = lambda shown: None
        self.on_test: Callable[[Tested], None] = lambda tested: None

    @property
    def is_root(self) -> bool:
        """Whether this solver, of those that train together, logs, tests and writes snapshots."""
        return mode.solver_rank() == 0

    @property
    def smoothed_loss(self) -> float:
        """Mean loss of the last `average_loss` iterations."""
        return float(torch.stack([x.detach().cpu() for x in self.recent_losses]).double().mean())

    def add_callback(self, on_start: Any, on_gradients_ready: Callable[[], None] | None = None) -> None:
        """Call `on_start` before and `on_gradients_ready` after the passes of each iteration.

        One argument is an object that has both as methods, as NCCL does.
        """
        if on_gradients_ready is None:
            on_start, on_gradients_ready = on_start.on_start, on_start.on_gradients_ready
        self.callbacks.append((on_start, on_gradients_ready))
