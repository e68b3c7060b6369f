"""What worker processes of the tests do together. They import this module, so it holds no tests itself.

`write_files` makes a folder of images, nets and solvers; `run_all`, called in each of two workers, runs one case after
the other in it, and writes what every worker has to say to results.json.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

from deeplab_caffe import caffe
from deeplab_caffe.caffe import parallel
from deeplab_caffe.caffe.signals import Action
from deeplab_caffe.errors import InputError

#: a solver's settings beside those that all have
SOLVERS = {
    "sgd": 'type: "SGD" momentum: 0.9 weight_decay: 0.01 iter_size: 2 clip_gradients: 20',
    "nesterov": 'type: "Nesterov" momentum: 0.9 layer_wise_reduce: false',
    "adam": 'type: "Adam" momentum: 0.9 momentum2: 0.99 weight_decay: 0.001 regularization_type: "L1"',
}
_SOLVER = """
net: "{net}.prototxt" base_lr: {rate} lr_policy: "poly" power: 0.9 max_iter: 4 average_loss: 2 display: 3 snapshot: 2
snapshot_prefix: "{name}" random_seed: 3 {settings}
"""
_DATA = """
layer {{ name: "data" type: "ImageSegData" top: "data" top: "label"
  image_data_param {{ source: "{source}" root_folder: "." batch_size: {batch} label_type: PIXEL {order} }}
  transform_param {{ {augmentation} mean_value: 100 scale: 0.02 }} }}
"""
_ORDER = "shuffle: true rand_skip: 3"
_AUGMENTATION = "mirror: true scale_factors: [0.75, 1, 1.25] crop_size: 9"
_WHOLE = "crop_size: 12"  # all images fit in
#: two layers share their weights, one is frozen; more layers go between
_BODY = """
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" param { name: "w" } param { name: "b" lr_mult: 2 }
  convolution_param { num_output: 3 kernel_size: 3 pad: 2 dilation: 2 weight_filler { type: "msra" } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "again" type: "Convolution" bottom: "conv" top: "again" param { name: "w" } param { name: "b" }
  convolution_param { num_output: 3 kernel_size: 3 pad: 2 dilation: 2 weight_filler { type: "msra" } } }
layer { name: "still" type: "Convolution" bottom: "again" top: "still" param { lr_mult: 0 } param { lr_mult: 0 }
  convolution_param { num_output: 3 kernel_size: 1 weight_filler { type: "xavier" } } }
MORE
layer { name: "score" type: "Convolution" bottom: "still" top: "score"
  convolution_param { num_output: 3 kernel_size: 1 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss"
  loss_param { ignore_label: 255 normalization: LOSS } }
"""
_MORE = """
layer { name: "bn" type: "BatchNorm" bottom: "still" top: "still" }
layer { name: "drop" type: "Dropout" bottom: "still" top: "still" }
"""


def net(batch: int, more: str = "", loss: str = "FULL", source: str = "list.txt", drawn: bool = True) -> str:
    """A net whose batches are of `batch` images, drawn at random or in the order of the list."""
    order, augmentation = (_ORDER, _AUGMENTATION) if drawn else ("", _WHOLE)
    data = _DATA.format(batch=batch, source=source, order=order, augmentation=augmentation)
    return data + _BODY.replace("MORE", more).replace("LOSS", loss)


def write_files(folder: Path) -> None:
    """Five images with labels, lists, nets and solvers."""
    random = np.random.default_rng(0)
    for i in range(5):
        cv2.imwrite(str(folder / f"{i}.png"), random.integers(256, size=(8 + i, 12, 3), dtype=np.uint8))
        Image.fromarray(random.choice(np.uint8([0, 1, 2, 255]), (8 + i, 12))).save(folder / f"{i}_label.png")
    for name, items in {"list": range(5), "four": range(4), "interleaved": (0, 2, 1, 3), "other": range(3)}.items():
        (folder / f"{name}.txt").write_text("".join(f"/{i}.png /{i}_label.png\n" for i in items))
    nets = {
        "one": net(4),
        "two": net(2),
        "whole": net(2, _MORE),
        "valid_one": net(2, loss="VALID", source="interleaved.txt", drawn=False),
        "valid_two": net(2, loss="VALID", source="four.txt", drawn=False),
        "other_net": net(2).replace("xavier", "msra"),
        "other_data": net(2, source="other.txt"),
    }
    tested = 'layer { name: "odd" type: "Silence" bottom: "score" include { phase: TEST } }\n'
    nets["tested"] = net(2) + tested
    for name, text in nets.items():
        (folder / f"{name}.prototxt").write_text(text)
    for net_name in ("one", "two"):
        for name, settings in SOLVERS.items():
            _write_solver(folder, f"{net_name}_{name}", net_name, settings)
    _write_solver(folder, "valid_one", "valid_one", "iter_size: 2 momentum: 0.9")
    _write_solver(folder, "tested", "tested", "test_iter: 3 test_interval: 2")
    for name in ("valid_two", "whole", "other_net", "other_data"):
        _write_solver(folder, name, name, "momentum: 0.9")
    endless = (folder / "two_nesterov_solver.prototxt").read_text().replace("max_iter: 4", "max_iter: 1000000")
    (folder / "endless_solver.prototxt").write_text(
        endless.replace("two_nesterov", "endless").replace("snapshot: 2", "").replace("display: 3", "display: 100")
    )
    for name in ("stopped", "resumed"):
        _write_solver(folder, name, "whole", "momentum: 0.9")


def _write_solver(folder: Path, name: str, net_name: str, settings: str) -> None:
    rate = 0.01 if "adam" in name else 0.05
    text = _SOLVER.format(net=net_name, name=name, rate=rate, settings=settings)
    (folder / f"{name}_solver.prototxt").write_text(text)


def solver_of(name: str) -> caffe.SGDSolver:
    return caffe.get_solver(f"{name}_solver.prototxt")


def state_of(solver) -> list[np.ndarray]:
    """Parameters and history."""
    tensors = [*(p.blob.data_tensor() for p in solver.net.learnable_params), *solver.history]
    return [t.detach().clone().numpy() for t in tensors]


def solve(name: str) -> dict:
    """Train to the end; a checksum of the state, which all workers must share but for BatchNorm's statistics."""
    solver = solver_of(name)
    solver.solve()
    solver.net.close()
    for each in solver.test_nets:
        each.close()
    return {"sum": [float(np.abs(a).sum()) for a in state_of(solver)], "position": solver.net.layers[0].position}


# -- the cases


def _resumed() -> dict:
    """From the snapshot in the middle of `whole`, with the random states of both workers."""
    caffe.set_random_seed(1234)  # whatever was drawn before must not matter
    solver = solver_of("resumed")
    solver.restore("whole_iter_2.solverstate")
    solver.step(2)
    solver.snapshot()
    solver.net.close()
    return {}


def _refused(name: str, other: str) -> dict:
    """Worker 1 trains something else than the root."""
    solver = solver_of(name if parallel.current().is_root else other)
    return _message(solver)


def _refused_iteration() -> dict:
    solver = solver_of("two_sgd")
    if not parallel.current().is_root:
        solver.restore("two_sgd_iter_2.solverstate")
    return _message(solver)


def _message(solver) -> dict:
    try:
        solver.step(1)
    except InputError as error:
        return {"message": str(error)}
    finally:
        solver.net.close()
    return {}


def _stopped_by_worker_1() -> dict:
    solver = solver_of("stopped")
    asks = not solver.is_root
    solver.action = lambda: Action.STOP if asks and solver.iter == 3 else Action.NONE
    solver.solve()
    solver.net.close()
    return {"iter": solver.iter}


def _snapshot_and_stop_while_testing() -> dict:
    """The root is asked for a snapshot in its second test, then to stop; its tests see the items in order."""
    solver = solver_of("tested")
    asked = iter([Action.NONE] * 6 + [Action.SNAPSHOT, Action.NONE, Action.STOP])
    if solver.is_root:
        solver.action = lambda: next(asked)
    solver.solve()
    positions = [each.layers[0].position for each in solver.test_nets]
    for each in (solver.net, *solver.test_nets):
        each.close()
    return {"iter": solver.iter, "test positions": positions}


CASES: dict[str, Callable[[], dict]] = {
    **{f"two_{name}": lambda name=name: solve(f"two_{name}") for name in SOLVERS},
    "valid_two": lambda: solve("valid_two"),
    "whole": lambda: solve("whole"),
    "resumed": _resumed,
    "other net": lambda: _refused("two_sgd", "other_net"),
    "other data": lambda: _refused("two_nesterov", "other_data"),
    "other solver": lambda: _refused("two_sgd", "two_adam"),
    "other iteration": _refused_iteration,
    "stopped": _stopped_by_worker_1,
    "tested": _snapshot_and_stop_while_testing,
}


def run_all(folder: str) -> None:
    """All cases, in each worker. At the end worker 1 fails, while the root waits for it."""
    os.chdir(folder)
    torch.set_num_threads(1)
    results = {}
    team = parallel.current()
    for name, case in CASES.items():
        caffe.set_random_seed(5 + team.rank)  # whatever each has drawn before must not matter
        texts = team.gather(json.dumps(case()))
        results[name] = [json.loads(text) for text in texts]
    if team.is_root:
        Path("results.json").write_text(json.dumps(results))
    team.meet()
    if not team.is_root:
        raise InputError("list.txt:3: /2.png is no image")
    team.meet()
