"""The interface of an engine: what it does besides providing pycaffe's names."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TextIO

from ..caffe.solver.shown import Displayed, Tested
from ..errors import InputError
from ..formats.weight_files import read_weight_file
from ..formats.weight_fit import NetLayer, fit, net_layers
from ..lazy import imported_on_use

if TYPE_CHECKING:
    import numpy as np
else:
    np = imported_on_use("numpy")


@dataclass(frozen=True)
class Beginning:
    """How a training begins.

    Attributes:
        iteration: the number of updates done, in earlier runs.
        total: the number of updates in all.
        images: the images of each update, those of all workers; 0 if no data layer tells.
        terminal: where standard error led before the training redirected it.
    """

    iteration: int
    total: int
    images: int
    terminal: TextIO


class Watcher:
    """Is told how a training goes, in the process that logs. This one shows Caffe's log lines and does nothing else.

    A subclass can be pickled: with several workers, it is made here and used in another process.
    """

    #: whether Caffe's log lines are shown on standard error, too
    shows_log = True

    def begin(self, beginning: Beginning) -> None:
        """Weights and snapshot are read; the first iteration is next."""

    def reach(self, iteration: int) -> None:
        """So many updates are done; on a GPU they may not be finished, and this waits for none."""

    def displayed(self, shown: Displayed) -> None:
        """The solver has displayed its numbers."""

    def tested(self, tested: Tested) -> None:
        """The solver has tested a test net."""

    def end(self) -> None:
        """The training is over, or stopped, or has failed; called if `begin` was."""


@dataclass(frozen=True)
class Validation:
    """A test net that the solver does not name: tested while it trains, without changing what is trained.

    Attributes:
        net_file: the net, with labels and a SegAccuracy layer, which counts the pixels of all images.
        test_iter: how many forwards cover all images.
        test_interval: test each time that many updates are done.
        predictions: of how many images the watcher is told the predicted labels.
    """

    net_file: Path
    test_iter: int
    test_interval: int
    predictions: int = 0


@dataclass(frozen=True)
class Training:
    """One training, to the end or until it is stopped. It resumes from the newest snapshot with the solver's prefix.

    Attributes:
        solver_file: prototxt of the solver.
        log_file: file to which the log is appended.
        weights: initial weights, used if there is no snapshot; None: the net's fillers.
        prepare: called when the solver has been created, before anything is read or written; may move old snapshots
            and the log.
        try_first: whether the net must load the weights and compute one batch before `prepare` is called, so that
            nothing is moved for a training that cannot begin.
        watcher: is told how it goes.
        validation: what to test meanwhile; None: what the solver says.
    """

    solver_file: Path
    log_file: Path
    weights: Path | None
    prepare: Callable[[], None]
    try_first: bool = False
    watcher: Watcher = field(default_factory=Watcher)
    validation: Validation | None = None


class Engine(ABC):
    """A Caffe that runs nets: `caffe` is the module with pycaffe's names."""

    caffe: ModuleType
    #: whether a net may be tested if some layers have no weights in the file; None: no, and there is no flag for it
    allow_uninitialized: bool | None = None
    #: whether weights that are not finite may be tested or trained on
    allow_not_finite = False
    #: precision of activations, "float32" or "bf16"; weights, their gradients and losses are always float32
    precision = "float32"
    #: whether tests and predictions compute convolutions by the direct sum alone, as training does
    exact = False
    #: whether it can test a net that the solver does not name
    validates = False
    #: whether training keeps few activations and recomputes the others: less memory, more time
    recompute = False

    def choose_precision(self, precision: str, recompute: bool) -> None:
        """Set the precision ("float32" or "bf16"), and whether training recomputes activations.

        Raises:
            InputError: this engine does not support it.
        """
        self.precision, self.recompute = precision, recompute

    @abstractmethod
    def python_layers(self, allowed: bool) -> AbstractContextManager[None]:
        """A context in which nets may or may not import the modules of their Python layers (deeplab_layers: always)."""

    @abstractmethod
    def choose_device(self, gpu: str | None, wants_gpu: bool, workers: int) -> None:
        """Choose where to compute.

        Args:
            gpu: CUDA device number, several ("0,1") or "all"; None: as `wants_gpu` says.
            wants_gpu: whether the solver requests a GPU; the CPU is used if there is none.
            workers: number of CPU processes that train together.

        Raises:
            InputError: this engine does not support it.
        """

    @abstractmethod
    def test_net(self, net_file: Path, weights: Path) -> Any:
        """Load a net in the TEST phase with weights; it has the members of pycaffe's Net.

        Raises:
            InputError: the weights do not fit, or a layer that needs weights gets none.
        """

    @abstractmethod
    def runner(self, net: Any, blob: str) -> Callable[[], np.ndarray]:
        """A function that runs a net in the TEST phase up to a blob and returns a live view of the blob's data."""

    def check_initialized(self, net: Any, net_file: Path, weights: Path) -> None:
        """Raise InputError if layers have no weights in the file, unless that is allowed."""
        if not self.allow_uninitialized:
            way_out = ", or --allow-uninitialized" if self.allow_uninitialized is not None else ""
            fit(read_weight_file(weights), str(net_file), _layers(net)).demand_initialized(way_out)

    def check_finite(self, net: Any, weights: Path) -> None:
        """Raise InputError if weights that a net takes from a file hold NaN or infinity, unless that is allowed."""
        if not self.allow_not_finite:
            demand_finite(net, weights)

    @abstractmethod
    def train(self, training: Training) -> None:
        """Train; raises InputError if input is invalid, Stopped if a signal stopped the training."""


def demand_finite(net: Any, weights: Path) -> None:
    """Raise InputError, which names the layer, if weights that a net takes from a file hold NaN or infinity."""
    names = _layers(net)
    for layer in read_weight_file(weights).weighted:
        if layer.name in names and not all(np.isfinite(blob.data).all() for blob in layer.blobs):
            raise InputError(
                f"{weights}: the weights of layer '{layer.name}' hold NaN or infinity, so the training that made them "
                "has diverged; use an earlier snapshot, or --allow-not-finite-weights"
            )


def starting_table(net: Any, net_file: Path, weights: Path) -> str:
    """A text that says which layers start from the weights, which are initialized, and which weights are not used.

    Args:
        net: the training net.
        net_file: its file, for messages.
        weights: the weight file.

    Raises:
        InputError: no layer gets any weights.
    """
    layers = _layers(net)
    found = fit(read_weight_file(weights), str(net_file), layers)
    if not (found.loaded or found.mismatched):
        raise InputError(f"{weights} has weights for none of the net's layers: {', '.join(layers)}")
    return f"starting from {found}"


def _layers(net: Any) -> dict[str, NetLayer]:
    """The layers with parameters; only the embedded engine tells which parameters an earlier layer owns."""
    return net_layers(zip(net._layer_names, net.layers, strict=True), getattr(net, "borrowed", ()))
