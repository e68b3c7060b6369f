"""An installed pycaffe as an engine; uses only what every release of pycaffe has.

C++ Caffe ends the process on an error. Therefore layer types, and whether weights fit, are checked first.
"""

from __future__ import annotations

import importlib
import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ..caffe import alias
from ..caffe.signals import Action, SignalHandler
from ..caffe.solver.learning_rate import rate
from ..caffe.solver.not_finite import ADVICE
from ..caffe.solver.shown import Displayed
from ..caffe.solver.snapshot import last, newest, weights_of
from ..errors import InputError, NotFinite, Stopped
from ..formats import weights, weights_hdf5
from ..formats.bvlc_schema import MODULE, PYTHON_TYPES
from ..formats.definition import read_definition, read_solver
from ..formats.python_layers import layer_type
from ..formats.weight_files import read_weight_file
from .interface import Beginning, Engine, Training, Watcher, starting_table
from .stderr_log import LoggedLoss, stderr_appended_to

#: iterations between two checks for signals if the solver displays nothing
_PERIOD = 20


class System(Engine):
    """Trains in one process, on the CPU or one GPU; as in Caffe, a resumed training sees other images."""

    def __init__(self) -> None:
        self.caffe = _imported()
        self._layers_allowed = True
        self._gpu = ""

    @contextmanager
    def python_layers(self, allowed: bool) -> Iterator[None]:
        self._layers_allowed = allowed
        try:
            yield
        finally:
            self._layers_allowed = True

    def choose_precision(self, precision: str, recompute: bool) -> None:
        if precision != "float32" or recompute:
            raise InputError("--precision bf16 and --recompute are only supported by the embedded Caffe")

    def choose_device(self, gpu: str | None, wants_gpu: bool, workers: int) -> None:
        if workers != 1:
            raise InputError("--workers is only supported by the embedded Caffe; pycaffe trains in one process")
        if gpu is None:
            self.caffe.set_mode_cpu()
            if wants_gpu:
                print("the solver requests a GPU, but the CPU is used; use --gpu N for a GPU", file=sys.stderr)
        elif gpu.isdigit():
            self._gpu = gpu
            self.caffe.set_device(int(gpu))
            self.caffe.set_mode_gpu()
        else:
            raise InputError(f"--gpu {gpu}: expected one number; pycaffe trains on one GPU, for several: caffe train")

    def test_net(self, net_file: Path, weights: Path) -> Any:
        self._check_layers(net_file)
        with _plain_errors(net_file):
            net = self.caffe.Net(str(net_file), self.caffe.TEST)
            _load(net, weights)
        self.check_initialized(net, net_file, weights)
        self.check_finite(net, weights)
        return net

    def runner(self, net: Any, blob: str) -> Callable[[], np.ndarray]:
        last = max(i for i, name in enumerate(net._layer_names) if blob in net.top_names[name])

        def run() -> np.ndarray:
            with _plain_errors("the test net"):
                net._forward(0, last)  # older releases' forward(end=…) needs a blob with the layer's name
            return net.blobs[blob].data

        return run

    def train(self, training: Training) -> None:
        param = read_solver(training.solver_file)
        for net_file in {param.net, param.train_net, *param.test_net} - {""}:
            self._check_layers(Path(net_file))
        Path(param.snapshot_prefix).parent.mkdir(parents=True, exist_ok=True)
        if training.try_first:
            _compute_one_batch(training, self._gpu)
        with _plain_errors(training.solver_file):
            solver = self.caffe.get_solver(str(training.solver_file))
            if not solver.net.params:
                raise InputError(f"{training.solver_file}: the training net has no parameters to learn")
            training.prepare()
            with stderr_appended_to(training.log_file, training.watcher.shows_log) as terminal:
                net_file = Path(param.train_net or param.net or training.solver_file)
                state = newest(param.snapshot_prefix)
                _begin(solver, net_file, state, training.weights)
                if source := weights_of(state) if state else training.weights:
                    self.check_finite(solver.net, Path(source))
                images = _images(solver.net, net_file) * param.iter_size
                training.watcher.begin(Beginning(solver.iter, param.max_iter, images, terminal))
                try:
                    _run(solver, param, training.watcher, _check_finite, LoggedLoss(training.log_file).at)
                finally:
                    training.watcher.end()

    def _check_layers(self, net_file: Path) -> None:
        """Check that this Caffe has all layer types of a net, and that foreign Python layers are allowed."""
        known = set(self.caffe.layer_type_list())
        for entry in read_definition(net_file).entries:
            kind, module = entry.param.type, entry.param.python_param.module
            if kind not in known:
                advice = "; write the nets with --dialect bvlc" if kind in PYTHON_TYPES else ""
                advice = "; build it with WITH_PYTHON_LAYER" if kind == "Python" else advice
                raise entry.error(f"the installed Caffe ({self.caffe.__file__}) does not have this layer type{advice}")
            if kind == "Python" and module != MODULE and not self._layers_allowed:
                raise entry.error(
                    f"would import the module '{module}' and run its code; if you trust it, use --allow-python-layers"
                )


def _imported() -> ModuleType:
    alias.uninstall()
    try:
        module = importlib.import_module("caffe")
    except ImportError as error:
        raise InputError(f"DEEPLAB_CAFFE=system, but no caffe can be imported: {error}") from None
    if not hasattr(module, "get_solver"):
        place = getattr(module, "__file__", None) or ", ".join(module.__path__)
        raise InputError(f"DEEPLAB_CAFFE=system, but `import caffe` finds {place}, which is not pycaffe")
    return module


@contextmanager
def _plain_errors(where: Path | str) -> Iterator[None]:
    """Turn the RuntimeErrors that pycaffe and our Python layers raise for invalid input into InputErrors."""
    try:
        yield
    except InputError:
        raise
    except RuntimeError as error:
        raise InputError(f"{where}: {error}") from None


#: computes one batch of training: solver, weights or "", GPU or ""
_ONE_BATCH = """
import sys, caffe
solver, weights, gpu = sys.argv[1:]
caffe.set_device(int(gpu)) if gpu else None
caffe.set_mode_gpu() if gpu else caffe.set_mode_cpu()
net = caffe.get_solver(solver).net
net.copy_from(weights) if weights else None
net.forward()
net.backward()
"""


def _compute_one_batch(training: Training, gpu: str) -> None:
    """Compute a batch in a process of its own, which an error in C++ ends; InputError with its last line."""
    print("the net has changed: trying one batch before the earlier training is moved", flush=True)
    words = [str(training.solver_file), str(training.weights or ""), gpu]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-c", _ONE_BATCH, *words], env=environment, capture_output=True, text=True, errors="replace"
    )
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith("***")]
        failed = [line for line in lines if "Check failed" in line] or lines[-1:] or [f"exit code {done.returncode}"]
        raise InputError(f"{training.solver_file}: the net cannot be trained, nothing was moved: {failed[0].strip()}")


def _load(net: Any, path: Path) -> None:
    """Copy weights into a net; InputError if a shape differs."""
    found = {layer.name: layer for layer in reversed(read_weight_file(path).weighted)}
    loaded = [name for name in net.params if name in found]
    for name in loaded:
        stored = [blob.data.shape for blob in found[name].blobs]
        expected = [tuple(blob.shape) for blob in net.params[name]]
        if list(map(_without_ones, stored)) != list(map(_without_ones, expected)):
            raise InputError(
                f"layer '{name}': {path} has blobs of shapes {stored}, but the net expects {expected}; to reinitialize "
                "this layer, rename it"
            )
    net.copy_from(str(path))


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape without the leading ones with which Caffe of 2014 padded shapes."""
    return _without_ones(shape[1:]) if shape[:1] == (1,) else shape


def _begin(solver: Any, training_net: Path, state: str | None, weights_file: Path | None) -> None:
    if state:
        print(f"resuming from {state}", flush=True)
        try:
            (weights_hdf5 if weights_hdf5.is_hdf5(state) else weights).read_solverstate(state)
            read_weight_file(weights_of(state))
        except InputError as error:
            files = state.rpartition(".solverstate")[0]
            raise InputError(f"{error}; remove {files}.* to resume from the previous snapshot") from None
        solver.restore(state)
    elif weights_file:
        table = starting_table(solver.net, training_net, weights_file)
        _load(solver.net, weights_file)
        print(table, flush=True)


def _images(net: Any, net_file: Path) -> int:
    """The images of a batch: those of the layers that read images and labels."""
    layers = [p for p in read_definition(net_file).param.layer if layer_type(p) == "ImageSegData"]
    tops = {p.top[0] for p in layers if p.top}
    return sum(int(blob.data.shape[0]) for name, blob in net.blobs.items() if name in tops)


def _run(
    solver: Any,
    param: Any,
    watcher: Watcher,
    check: Callable[[Any], None] = lambda solver: None,
    loss_at: Callable[[int], float] = lambda iteration: math.nan,
) -> None:
    """Train to the end. Signals are handled between two log lines, since one call of step averages the loss."""
    period, end = param.display or _PERIOD, param.max_iter
    with SignalHandler() as signals:
        while solver.iter < end:
            # a log line is written after the first iteration behind a multiple of `display`; end each call there
            count = min(period - (solver.iter - 1) % period, end - solver.iter)
            solver.step(count)
            check(solver)
            watcher.reach(solver.iter)
            if param.display and (solver.iter - 1) % period == 0:
                watcher.displayed(_displayed(solver, param, loss_at(solver.iter - 1)))
            action = signals()
            if action is not Action.NONE:
                solver.snapshot()
            if action is Action.STOP and solver.iter < end:
                done = f"iteration {solver.iter} of {end}; {last(param.snapshot_prefix)}"
                raise Stopped(f"stopped at {done}; run the same command again to continue", signals.code)
    solver.solve()  # only writes the final snapshot and log lines
    if param.display and end % period == 0:
        watcher.displayed(Displayed(end, loss_at(end), None, {}))


def _displayed(solver: Any, param: Any, loss: float) -> Displayed:
    """The numbers of the iteration that was displayed last; the net still has its outputs."""
    net, iteration = solver.net, solver.iter - 1
    reached = sum(iteration >= value for value in param.stepvalue)
    outputs = {name: [float(v) for v in net.blobs[name].data.flat] for name in net.outputs}
    return Displayed(iteration, loss, rate(param, iteration, reached), outputs)


def _check_finite(solver: Any) -> None:
    """Stop a training whose loss is no longer finite; the oldest releases do not tell which blobs are losses."""
    for name, weight in getattr(solver.net, "blob_loss_weights", {}).items():
        if weight and not np.isfinite(solver.net.blobs[name].data).all():
            raise NotFinite(f"iteration {solver.iter}: the loss '{name}' is not finite; {ADVICE}")
