"""What layers do, held against the rows of the table of layer types: a complaint for each fact that is not so.

The engine reads the table itself, so each run here gives the layer's class the row that is to be judged.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from cases import Case
from deeplab_caffe import caffe
from deeplab_caffe.caffe.layer_types.base import MANY, Layer, registered
from deeplab_caffe.caffe.layer_types.python import PythonLayer
from deeplab_caffe.errors import InputError
from deeplab_caffe.formats import schema
from deeplab_caffe.formats.layer_facts import (
    ACTIVATION,
    DATA,
    DROPPED,
    FUNCTION,
    IDENTITY,
    LOSS,
    SINK,
    WEIGHTS,
    LayerFacts,
)
from layer_positions import judge_positions, judge_reach
from layer_runs import agree, backward, blobs_below, build, cases_of, forward, memory_of, tops_of

#: types that could work in place here, and are refused for what BVLC's Caffe does
REFUSED_THOUGH_POSSIBLE = {
    "AbsVal": "its LayerSetUp checks that the top is not the bottom",
    "Eltwise": "it clears the top before it has read all bottoms",
    "InnerProduct": "its gradient reads the bottom, which is overwritten",
    "LRN": "its gradient reads the bottom, which is overwritten",
    "MultiStageMeanfield": "it clears the top before it adds the unary scores for the last time",
    "Slice": "its tops are pieces; a single one is of no use",
    "Split": "its Reshape checks that no top is the bottom",
}


def complaints(row: LayerFacts) -> Iterator[str]:
    """What is not so in a row, by the cases of its type."""
    cls = registered()[row.name]
    with _believing(cls, row):
        yield from _of_the_class(row, cls)
        if cls is PythonLayer:
            return
        for judge in (_parameters, _in_place, _reads_top, _own_top, judge_positions, judge_reach, _labels, _kind):
            yield from judge(row)


@contextmanager
def _believing(cls: type[Layer], row: LayerFacts) -> Iterator[None]:
    """Make the engine believe a row."""
    before = cls.facts
    cls.facts = row
    try:
        yield
    finally:
        cls.facts = before


# -- the class


def _of_the_class(row: LayerFacts, cls: type[Layer]) -> Iterator[str]:
    if (row.kind == LOSS) != cls.is_loss:
        yield f"its kind is {row.kind}, but the class says is_loss = {cls.is_loss}"
    if (row.kind == DATA) != (cls.bottoms == (0, 0) and row.kind != WEIGHTS):
        yield f"its kind is {row.kind}, but it takes {cls.bottoms} bottoms"
    if (row.kind == SINK) != (cls.tops == (0, 0)) or (row.in_use == DROPPED) != (row.kind == SINK):
        yield f"its kind is {row.kind}, and in a net for use it is {row.in_use or 'kept'}, but it makes {cls.tops} tops"
    if row.kind == DATA and row.own_top:
        yield "its top is what it reads, which it may need again"
    fields = schema.LayerParameter.DESCRIPTOR.fields_by_name
    for name in row.params:
        if name not in fields:
            yield f"LayerParameter has no field {name}"
    main = fields[row.params[0]].message_type.fields_by_name if row.params and row.params[0] in fields else {}
    if row.weighted != ({"weight_filler", "bias_term"} <= set(main) and bool(cases_of(row.name)) and _has_blobs(row)):
        yield "whether it multiplies by weights that are filled is not as its parameters are"


def _has_blobs(row: LayerFacts) -> bool:
    return all(len(build(case).layer_dict["layer"].blobs) for case in cases_of(row.name))


class _Noting:
    """A LayerParameter that notes which of its messages are looked at."""

    def __init__(self, param: Any) -> None:
        self._inner, self.seen = param, set()

    def __getattr__(self, name: str) -> Any:
        if name.endswith("_param"):
            self.seen.add(name)
        return getattr(self._inner, name)


def _parameters(row: LayerFacts) -> Iterator[str]:
    for case in cases_of(row.name):
        net = build(case)
        layer = net.layer_dict["layer"]
        noting = layer.param = _Noting(layer.param)
        layer.setup([net.blobs[name] for name in net.bottom_names["layer"]], tops_of(net))
        forward(net)
        if not noting.seen <= set(row.params):
            stated = ", ".join(row.params) or "none"
            yield f"{case.name}: it reads {', '.join(sorted(noting.seen))}, stated are {stated}"
        axes = len(layer.blobs[0].shape) if len(layer.blobs) else 0
        # of some types as their parameters say
        free = row.name in ("Scale", "Bias", "Parameter") or getattr(layer, "spatial", 2) != 2
        if axes not in (0, row.weight_axes) and not free:
            yield f"{case.name}: its parameter 0 has {axes} axes, stated are {row.weight_axes}"


# -- in place, and who reads or has the top's memory


def _in_place(row: LayerFacts) -> Iterator[str]:
    possible = _could_work_in_place(row)
    wanted = possible and row.name not in REFUSED_THOUGH_POSSIBLE
    if row.in_place != wanted:
        yield f"in_place is {row.in_place}, but that it {'can' if possible else 'cannot'} work in place"
    for case in cases_of(row.name):
        if refused_in_place(case) and row.in_place and _keeps_its_shape(case):
            yield f"{case.name}: is refused in place"


def _could_work_in_place(row: LayerFacts) -> bool:
    """Whether every case whose top has its bottom's shape computes the same in place, forward and backward."""
    with _believing(registered()[row.name], replace(row, in_place=True)):
        fitting = [case for case in cases_of(row.name) if _keeps_its_shape(case)]
        return bool(fitting) and all(map(_same_in_place, fitting))


def _keeps_its_shape(case: Case) -> bool:
    net = build(case)
    tops, bottoms = net.top_names["layer"], net.bottom_names["layer"]
    return bool(tops and bottoms) and net.blobs[tops[0]].shape == net.blobs[bottoms[0]].shape


def _same_in_place(case: Case) -> bool:
    apart = build(case)
    try:
        together = build(case, in_place=True)
        same = agree(forward(apart), forward(together))
    except InputError:
        return False
    return same and agree(backward(apart, case), backward(together, case))


def refused_in_place(case: Case) -> bool:
    """Whether the engine refuses the type in place (not the shapes of this case)."""
    if not case.bottoms or 'top: "' not in case.text:
        return False
    try:
        build(case, in_place=True)
    except InputError as error:
        return "cannot work in place; give" in str(error) or "cannot work in place: Caffe" in str(error)
    return False


def _reads_top(row: LayerFacts) -> Iterator[str]:
    found = [case.name for case in cases_of(row.name) if _gradient_reads_top(case)]
    if bool(found) != row.reads_top:
        where = found or "no case"
        yield f"reads_top is {row.reads_top}, but with its tops overwritten its gradient changes in {where}"


def _gradient_reads_top(case: Case) -> bool:
    left, right = build(case), build(case)
    for net in (left, right):
        forward(net)
    for blob in tops_of(right):
        memory = memory_of(blob)
        if not any(np.shares_memory(memory, memory_of(b)) for b in blobs_below(right)):
            memory[...] = 0.75 - memory
    return not agree(backward(left, case), backward(right, case))


def _own_top(row: LayerFacts) -> Iterator[str]:
    found = [case.name for case in cases_of(row.name) if _shares_memory(row, case)]
    if bool(found) == row.own_top and row.kind != DATA:
        yield f"own_top is {row.own_top}, but its top is memory of another in {found or 'no case'}"


def _shares_memory(row: LayerFacts, case: Case) -> bool:
    net = build(case)
    forward(net)
    tops, below = [memory_of(b) for b in tops_of(net)], [memory_of(b) for b in blobs_below(net)]
    if any(np.shares_memory(t, b) for t in tops for b in below):
        return True
    if not (row.in_place and _keeps_its_shape(case)):
        return False
    layer = build(case, in_place=True).layer_dict["layer"]
    inputs = [torch.from_numpy(np.asarray(case.bottoms[name], np.float32)) for name in net.bottom_names["layer"]]
    caffe.set_random_seed(5)
    with torch.no_grad():
        results = layer.compute(inputs, [b.data_tensor().clone() for b in layer.blobs])
    return any(np.shares_memory(r.detach().numpy(), x.numpy()) for r in results for x in inputs)


# -- labels, and what kind it is


def _labels(row: LayerFacts) -> Iterator[str]:
    fields = ("loss_param", "accuracy_param", "seg_accuracy_param")
    found = next((field for field in fields if _ignores(row, field)), "")
    if found != row.ignores:
        yield f"its ignore_label is stated in '{row.ignores}', but read in '{found}'"


def _ignores(row: LayerFacts, field: str) -> bool:
    """Whether a label that is no class is an error, and none with this field's ignore_label."""
    if row.kind not in (LOSS, "metric") or field not in row.params:
        return False
    return any(_takes_label_255(case, "") is False and _takes_label_255(case, field) for case in cases_of(row.name))


def _takes_label_255(case: Case, field: str) -> bool | None:
    labels = list(case.bottoms)[1]
    values = np.array(case.bottoms[labels], dtype=float)
    values.flat[0] = 255
    stated = f"{field} {{ ignore_label: 255 }}" if field else ""
    text = f"{case.text[:-1]} {stated} }}" if f"{field} {{" not in case.text else case.text
    changed = replace(case, bottoms={**case.bottoms, labels: values}, text=text)
    try:
        net = build(changed)
        net.forward()
    except InputError:
        return False
    return True


def _kind(row: LayerFacts) -> Iterator[str]:
    for case in cases_of(row.name):
        net = build(case)
        layer = net.layer_dict["layer"]
        if row.kind in (ACTIVATION, FUNCTION) and not case.random and not _is_elementwise(net, case):
            yield f"{case.name}: its kind is {row.kind}, but it is no function of single values"
        if row.kind == WEIGHTS and not len(layer.blobs):
            yield f"{case.name}: its kind is {row.kind}, but it has no parameters"
        if row.in_use == IDENTITY and case.phase == "TEST":
            tops = forward(build(case))
            bottom = next(iter(case.bottoms.values())).astype(np.float32)
            if any(not np.array_equal(top, bottom) for top in tops):
                yield f"{case.name}: it is no identity in a net for use"


def _is_elementwise(net: caffe.Net, case: Case) -> bool:
    if type(net.layer_dict["layer"]).bottoms != (1, 1) or type(net.layer_dict["layer"]).tops[1] in (0, MANY):
        return False
    before = forward(net)[0]
    name = net.bottom_names["layer"][0]
    net.blobs[name].data[...] = case.bottoms[name]
    net.blobs[name].data.flat[1] = case.bottoms[name].max()
    after = forward(net)[0]
    return before.shape == net.blobs[name].shape and set(np.flatnonzero(before != after)) <= {1}
