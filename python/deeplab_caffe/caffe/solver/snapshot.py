"""Snapshots: weights and state as Caffe writes them, binary or HDF5, and a side file for a complete resume.

Caffe's own files lack the position in the data and the random state, so its resumed runs see other images. The
side file `<prefix>_iter_<N>.resume.json` holds both; with it a resumed run on the CPU equals one that was never
interrupted. Without it (a snapshot of Caffe's) the run resumes as Caffe's would. The `.solverstate` is written
last: where it exists, the snapshot is whole.
"""

from __future__ import annotations

import base64
import glob
import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...errors import InputError
from ...files import check_folder, replacing
from ...formats import schema, weights, weights_hdf5
from ...reading import read_json, reason_of
from ...temporary_files import remove_dead_leftovers
from .. import log, mode
from ..layer_types.base import DataLayer
from ..net.net import Net
from .state import TrainingState


class Place:
    """Where the snapshots of a training will be; that they can be written is known before it has taken long.

    Args:
        prefix: the snapshot_prefix.
        source: `file:line:column` of it, for messages.
    """

    def __init__(self, prefix: str, source: str) -> None:
        self._prefix, self._source = prefix, source
        self._folder = os.path.dirname(prefix) or "."
        self._awaited = False

    def check(self) -> None:
        """Raise InputError where no file could be made; writes nothing, so that building a solver leaves no trace."""
        self._awaited = True
        with self._explained():
            check_folder(self._folder)

    def prepare(self) -> None:
        """After a forward, from which on files may be written: make the folder, see that a file can be made there.

        What trainings that were killed in a snapshot left is removed. All this once, and for snapshots alone; log files
        are made, too.
        """
        log.open_files()
        if not self._awaited:
            return
        self._awaited = False
        with self._explained():
            os.makedirs(self._folder, exist_ok=True)
            with tempfile.TemporaryFile(dir=self._folder):
                pass
        remove_dead_leftovers(self._folder, f"{os.path.basename(self._prefix)}_iter_")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            wrong = f"cannot write snapshots to '{self._prefix}_iter_…': {error.strerror}"
            raise InputError(f"{self._source}: {wrong}; set another snapshot_prefix") from None


def newest(prefix: str) -> str | None:
    """The `.solverstate` or `.solverstate.h5` of the latest snapshot under a prefix whose weights are there too."""
    files = glob.glob(f"{glob.escape(prefix)}_iter_*.solverstate*")
    found = [(int(m[1]), path) for path in files if (m := _ITER.search(path))]
    whole = [pair for pair in found if os.path.exists(weights_of(pair[1]))]
    return max(whole)[1] if whole else None


def weights_of(state: str) -> str:
    """The file of weights beside a state."""
    return ".caffemodel".join(state.rsplit(".solverstate", 1))


def last(prefix: str) -> str:
    """A phrase that names the latest complete snapshot, for messages about failed training."""
    state = newest(prefix)
    return f"the last complete snapshot is {state}" if state else "no snapshot was written yet"


_ITER = re.compile(r"_iter_(\d+)\.solverstate(\.h5)?$")


def write(solver: TrainingState) -> str:
    """Write a snapshot of a solver in the format it states; returns the path of the state file.

    Of solvers that train together, all must call it; the root writes, with the random states of the others.
    Raises InputError where that fails, as on a full disk; no file of this snapshot is left then, and all earlier
    ones are as they were.
    """
    stem = f"{solver.param.snapshot_prefix}_iter_{solver.iter}"
    suffix = ".h5" if solver.param.snapshot_format == schema.SolverParameter.HDF5 else ""
    model, state_file, side = f"{stem}.caffemodel{suffix}", f"{stem}.solverstate{suffix}", f"{stem}.resume.json"
    side_state = _side_state(solver)
    if not solver.is_root:
        return state_file
    try:
        # All are written before the first gets its name, the state's name comes last.
        with replacing(state_file) as new_state, replacing(side) as new_side, replacing(model) as new_model:
            _write_model(solver, model, new_model)
            new_side.write_text(json.dumps(side_state), encoding="utf-8")
            _write_state(solver, model, state_file, new_state)
    except OSError as error:
        raise InputError(_failure(solver, stem, error)) from None
    return state_file


def _write_model(solver: TrainingState, model: str, temporary: Path) -> None:
    if model.endswith(".h5"):
        log.info(f"Snapshotting to HDF5 file {model}", "solver.cpp:465")
        solver.net.save_hdf5(temporary, diffs=solver.param.snapshot_diff)
    else:
        log.info(f"Snapshotting to binary proto file {model}", "solver.cpp:455")
        solver.net.save(temporary, diffs=solver.param.snapshot_diff)


def _write_state(solver: TrainingState, model: str, state_file: str, temporary: Path) -> None:
    history = [h.detach().cpu().numpy() for h in solver.history]
    state = weights.SolverState(solver.iter, model, history, solver.current_step)
    if state_file.endswith(".h5"):
        log.info(f"Snapshotting solver state to HDF5 file {state_file}", "sgd_solver.cpp:283")
        weights_hdf5.write_solverstate(temporary, state)
    else:
        log.info(f"Snapshotting solver state to binary proto file {state_file}", "sgd_solver.cpp:273")
        weights.write_solverstate(temporary, state)


def _failure(solver: TrainingState, stem: str, error: OSError) -> str:
    """Why a snapshot could not be written, and where training can resume."""
    reason = error.strerror or str(error)
    before = newest(solver.param.snapshot_prefix)
    left = f"training can resume from the earlier one, {before}" if before else "there is no earlier snapshot"
    return f"cannot write the snapshot {stem}.*: {reason}; {left}"


def restore(solver: TrainingState, path: str) -> None:
    """Bring a solver to the state of a snapshot, binary or HDF5; on bad input the solver stays as it was."""
    reader = weights_hdf5 if weights_hdf5.is_hdf5(path) else weights
    state = reader.read_solverstate(path)
    if len(state.history) != len(solver.history):
        raise InputError(
            f"{path}: holds {len(state.history)} history blobs, this solver ({solver.type}) has {len(solver.history)}"
        )
    for i, (own, stored) in enumerate(zip(solver.history, state.history, strict=True)):
        if stored.size != own.numel():
            raise InputError(f"{path}: history blob {i} is {stored.shape}, this solver's {tuple(own.shape)}")
    if state.learned_net:
        solver.net.copy_from(_model_beside(path, state.learned_net))
    solver.iter, solver.current_step = state.iter, state.current_step
    solver.moving = {i % len(solver.net.learnable_params) for i, h in enumerate(state.history) if h.any()}
    for own, stored in zip(solver.history, state.history, strict=True):
        own.copy_(torch.from_numpy(np.array(stored)).view(own.shape))
    side = Path(path.removesuffix(".h5")).with_suffix(".resume.json")
    if side.exists():
        _restore_side_state(solver, side)
    else:
        log.warning(f"{path}: {without_side_state(path)}")


def without_side_state(path: str) -> str:
    """What it means that a snapshot has no side file; "" if it has one."""
    side = Path(path.removesuffix(".h5")).with_suffix(".resume.json")
    if side.exists():
        return ""
    return (
        f"{side} does not exist, so the data start again from the beginning of the list and random numbers anew: as in "
        "Caffe, the resumed training sees other images than the interrupted one would have"
    )


def _model_beside(path: str, learned_net: str) -> str:
    """The weights that a state names, or the file of that name beside the state if the folder has moved."""
    moved = os.path.join(os.path.dirname(path), os.path.basename(learned_net))
    return moved if not os.path.exists(learned_net) and os.path.exists(moved) else learned_net


def _positions(net: Net) -> dict[str, int]:
    return {layer.name: layer.position for layer in net.layers if isinstance(layer, DataLayer)}


def _random_states() -> dict[str, str]:
    return {str(d): base64.b64encode(g.get_state().numpy().tobytes()).decode() for d, g in mode.generators()}


def _side_state(solver: TrainingState) -> dict[str, Any]:
    root, *workers = (json.loads(text) for text in solver.group.gather(json.dumps(_random_states())))
    return {
        "iter": solver.iter,
        "seed": mode.seed(),
        "random": root,
        "workers": workers,
        "positions": [_positions(net) for net in (solver.net, *solver.test_nets)],
        "losses": [float(x) for x in solver.recent_losses],
        "loss_start": solver.loss_start,
    }


def _restore_random(states: dict[str, str]) -> None:
    for device, text in states.items():
        where = torch.device(device)
        if where.type == "cuda":
            where = mode.device()  # its number may be another one now
        if where.type == torch.device(device).type:
            state = torch.frombuffer(bytearray(base64.b64decode(text)), dtype=torch.uint8)
            mode.generator(where).set_state(state)


def _restore_side_state(solver: TrainingState, path: Path) -> None:
    try:
        side = read_json(path)
        if side["iter"] != solver.iter:
            raise ValueError(f"it is of iteration {side['iter']}, the state of {solver.iter}")
        mode.set_random_seed(side["seed"])
        states = [side["random"], *side.get("workers", [])]
        if mode.solver_rank() < len(states):  # more workers than then draw afresh
            _restore_random(states[mode.solver_rank()])
        for net, positions in zip((solver.net, *solver.test_nets), side["positions"], strict=False):
            for name, position in positions.items():
                layer = net.layer_dict.get(name)
                if isinstance(layer, DataLayer):
                    layer.seek(position)
        solver.recent_losses = [torch.tensor(x) for x in side["losses"]]
        solver.loss_start = side["loss_start"]
    except Exception as error:
        reason = reason_of(error.__cause__ or error)
        raise InputError(f"{path}: damaged side file ({reason}); remove it to resume as Caffe does") from None
