"""Nets and solvers with pycaffe's members."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from deeplab_caffe.caffe.net import net as _net
from deeplab_caffe.caffe.solver import rules as _solvers
from deeplab_caffe.formats.definition import read_solver as _read_solver

from ._caffe import checked_net, guarded
from .blobs import Blob, BlobVec, members


@members("type")
class _LayerOfNet:
    """An item of net.layers."""

    def __init__(self, own: Any) -> None:
        self._own = own

    @property
    def blobs(self) -> BlobVec:
        return BlobVec(self._own.blobs)


@members("inputs outputs top_names bottom_names blob_loss_weights _layer_names _blob_names")
class Net:
    """Net(file, phase) and Net(file, weights, phase)."""

    def __init__(self, network_file: str, *rest: Any) -> None:
        for argument in (network_file, *rest):
            if type(argument) not in (str, int):
                raise TypeError(f"Python argument types did not match C++ signature: {type(argument).__name__}")
        self._own = guarded(_net.Net, checked_net(network_file), *rest)

    @classmethod
    def _of(cls, own: Any) -> Net:
        net = cls.__new__(cls)
        net._own = own
        return net

    @property
    def blobs(self) -> OrderedDict[str, Blob]:
        return OrderedDict((name, Blob(blob)) for name, blob in self._own.blobs.items())

    @property
    def params(self) -> OrderedDict[str, BlobVec]:
        return OrderedDict((name, BlobVec(blobs)) for name, blobs in self._own.params.items())

    @property
    def layers(self) -> list[_LayerOfNet]:
        return [_LayerOfNet(layer) for layer in self._own.layers]

    def forward(self, blobs: Any = None, start: str | None = None, end: str | None = None, **inputs: Any) -> Any:
        return guarded(lambda: self._own.forward(blobs, start, end, **inputs))

    def backward(self, diffs: Any = None, start: str | None = None, end: str | None = None, **given: Any) -> Any:
        return guarded(lambda: self._own.backward(diffs, start, end, **given))

    def _forward(self, start: int, end: int) -> float:
        return guarded(self._own._forward, start, end)

    def reshape(self) -> None:
        guarded(self._own.reshape)

    def copy_from(self, path: str) -> None:
        guarded(self._own.copy_from, path)

    def save(self, path: str) -> None:
        guarded(self._own.save, path)

    def share_with(self, other: Net) -> None:
        guarded(self._own.share_with, other._own)


@members("iter")
class _Solver:
    """net, test_nets, iter, step, solve, snapshot, restore."""

    kind = ""

    def __init__(self, path: str) -> None:
        param = _read_solver(path)
        for net in {param.net, param.train_net, *param.test_net} - {""}:
            checked_net(net)
        self._own = guarded(getattr(_solvers, self.kind), path)

    @property
    def net(self) -> Net:
        return Net._of(self._own.net)

    @property
    def test_nets(self) -> list[Net]:
        return [Net._of(net) for net in self._own.test_nets]

    def step(self, iterations: int) -> None:
        guarded(self._own.step, iterations)

    def solve(self, state: str | None = None) -> None:
        guarded(self._own.solve, state)

    def snapshot(self) -> None:
        guarded(self._own.snapshot)

    def restore(self, path: str) -> None:
        guarded(self._own.restore, path)


_KINDS = ("SGDSolver", "NesterovSolver", "AdaGradSolver", "RMSPropSolver", "AdaDeltaSolver", "AdamSolver")
SGDSolver, NesterovSolver, AdaGradSolver, RMSPropSolver, AdaDeltaSolver, AdamSolver = (
    type(kind, (_Solver,), {"kind": kind}) for kind in _KINDS
)
