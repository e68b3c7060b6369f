"""What layers do, held against the rows of the table of layer types: a complaint for each fact that is not so.

The engine reads the table itself, so each run here gives the layer's class the row that is to be judged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from cases import Case, collect
from deeplab_caffe import caffe
from deeplab_caffe.caffe.blob import Blob
from deeplab_caffe.caffe.layer_types.base import MANY, Layer, registered
from deeplab_caffe.caffe.layer_types.python import PythonLayer
from deeplab_caffe.errors import InputError
from deeplab_caffe.formats import messages, prototxt, schema
from deeplab_caffe.formats.layer_facts import (
    ACTIVATION,
    BY_AXIS,
    DATA,
    DROPPED,
    ELSEWHERE,
    FUNCTION,
    IDENTITY,
    LOSS,
    SAME,
    SINK,
    WEIGHTS,
    LayerFacts,
)

_CASES = collect()
#: types that could work in place here, and are refused for what BVLC's Caffe does
REFUSED_THOUGH_POSSIBLE = {
    "AbsVal": "its LayerSetUp checks that the top is not the bottom",
    "Eltwise": "it clears the top before it has read all bottoms",
    "InnerProduct": "its gradient reads the bottom, which is overwritten",
    "LRN": "its gradient reads the bottom, which is overwritten",
    "Slice": "its tops are pieces; a single one is of no use",
    "Split": "its Reshape checks that no top is the bottom",
}


def cases_of(layer_type: str) -> list[Case]:
    return [case for case in _CASES if case.type == layer_type]


def complaints(row: LayerFacts) -> Iterator[str]:
    """What is not so in a row, by the cases of its type."""
    cls = registered()[row.name]
    with _believing(cls, row):
        yield from _of_the_class(row, cls)
        if cls is PythonLayer:
            return
        for judge in (_parameters, _in_place, _reads_top, _own_top, _positions, _reach, _labels, _kind):
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


# -- running a case


def build(case: Case, in_place: bool = False, more: str = "") -> caffe.Net:
    """The case's layer below inputs, seeded and filled in; in place: its first top is its first bottom."""
    inputs = [
        f'layer {{ name: "in_{name}" type: "Input" top: "{name}" input_param {{ shape {{ {_dims(array)} }} }} }}'
        for name, array in case.bottoms.items()
    ]
    text = "\n".join(["force_backward: true", *inputs, case.text, more])
    param = messages.to_message(prototxt.Document(text), schema.NetParameter())
    if in_place:
        param.layer[-1].top[0] = param.layer[-1].bottom[0]
    caffe.set_random_seed(1)
    net = caffe.Net.from_param(param, caffe.TRAIN if case.phase == "TRAIN" else caffe.TEST, case.name)
    for name, array in case.bottoms.items():
        net.blobs[name].data[...] = array
    return net


def _dims(array: np.ndarray) -> str:
    return " ".join(f"dim: {size}" for size in array.shape)


def _forward(net: caffe.Net) -> list[np.ndarray]:
    caffe.set_random_seed(5)
    net.forward_range(0, len(net.layers) - 1)
    return [_values(blob).copy() for blob in _tops(net)]


def _tops(net: caffe.Net) -> list[Blob]:
    return [net.blobs[name] for name in net.top_names["layer"]]


def _values(blob: Blob) -> np.ndarray:
    """The memory itself, in whatever layout; writing to it goes unnoticed by autograd."""
    return blob.data_tensor().detach().numpy()


def _backward(net: caffe.Net, case: Case) -> list[np.ndarray]:
    for i, blob in enumerate(_tops(net)):
        blob.diff[...] = np.random.default_rng(i).uniform(-1, 1, blob.shape)
    net.clear_param_diffs()
    net.backward(start="layer", end="layer")
    names = [name for name in net.bottom_names["layer"] if name in case.differentiable]
    blobs = [net.blobs[name] for name in names] + list(net.layer_dict["layer"].blobs)
    return [blob.diff.copy() for blob in blobs]


def _agree(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    return len(one) == len(other) and all(
        a.shape == b.shape and np.allclose(a, b, rtol=1e-4, atol=1e-5, equal_nan=True)
        for a, b in zip(one, other, strict=True)
    )


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
        layer.setup([net.blobs[name] for name in net.bottom_names["layer"]], _tops(net))
        _forward(net)
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
        same = _agree(_forward(apart), _forward(together))
    except InputError:
        return False
    return same and _agree(_backward(apart, case), _backward(together, case))


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
        _forward(net)
    for blob in _tops(right):
        memory = _values(blob)
        if not any(np.shares_memory(memory, _values(b)) for b in _below(right)):
            memory[...] = 0.75 - memory
    return not _agree(_backward(left, case), _backward(right, case))


def _below(net: caffe.Net) -> list[Blob]:
    return [net.blobs[name] for name in net.bottom_names["layer"]] + list(net.layer_dict["layer"].blobs)


def _own_top(row: LayerFacts) -> Iterator[str]:
    found = [case.name for case in cases_of(row.name) if _shares_memory(row, case)]
    if bool(found) == row.own_top and row.kind != DATA:
        yield f"own_top is {row.own_top}, but its top is memory of another in {found or 'no case'}"


def _shares_memory(row: LayerFacts, case: Case) -> bool:
    net = build(case)
    _forward(net)
    tops, below = [_values(b) for b in _tops(net)], [_values(b) for b in _below(net)]
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


# -- positions


def _is_map(blob: Blob) -> bool:
    return len(blob.shape) == 4


def _positions(row: LayerFacts) -> Iterator[str]:
    plain = [moved for case in _maps(row) if (moved := _moves(case)) is not None]
    along = [moved for case in _maps(row) if (moved := _moves(_with_axis(row, case))) is not None]
    found = ELSEWHERE if not plain or (plain and all(plain)) else BY_AXIS if any(along) or any(plain) else SAME
    if found != row.positions:
        yield f"positions is '{row.positions}', but they are '{found}'"


def _maps(row: LayerFacts) -> list[Case]:
    """The cases whose first bottom is a map."""
    return [case for case in cases_of(row.name) if case.bottoms and next(iter(case.bottoms.values())).ndim == 4]


def _with_axis(row: LayerFacts, case: Case) -> Case:
    """The case along a spatial axis, if its type has an axis; else the case itself."""
    message = getattr(schema.LayerParameter(), row.params[0]) if row.params else None
    if message is None or "axis" not in message.DESCRIPTOR.fields_by_name:
        return case
    stem = f"{row.params[0]} {{"
    if "axis:" in case.text or row.weighted:
        return replace(case, text=re.sub(r"axis: \S+", "axis: 2", case.text))
    stated = stem in case.text
    text = case.text.replace(stem, f"{stem} axis: 2 ", 1) if stated else f"{case.text[:-1]} {stem} axis: 2 }} }}"
    return replace(case, text=text)


def _moves(case: Case) -> bool | None:
    """Whether a value's position in the top is another than in the bottom; None where there is no map to look at."""
    try:
        net = build(case)
    except InputError:  # an axis along which this case cannot be cut
        return None
    tops = _tops(net)
    bottom = net.blobs[net.bottom_names["layer"][0]]
    if _uses_the_batch(net.layer_dict["layer"]):
        return None
    if not tops or not _is_map(tops[0]):
        return None if not tops or tops[0].shape == () else True
    if tops[0].shape[2:] != bottom.shape[2:]:
        return True
    changed = _changed(net, case)
    return (bool(changed) and _place(bottom) not in changed) or any(not _sees(net, above) for above in changed)


def _place(bottom: Blob) -> tuple[int, int]:
    """The position that is changed, in bottom 0."""
    return min(1, bottom.shape[2] - 1), 0


def _changed(net: caffe.Net, case: Case) -> set[tuple[int, int]]:
    """The positions of top 0 that change with bottom 0's `_place`."""
    before = _forward(net)[0]
    name = net.bottom_names["layer"][0]
    for other, array in case.bottoms.items():
        net.blobs[other].data[...] = array
    values, array = net.blobs[name].data, case.bottoms[name]
    y, x = _place(net.blobs[name])
    is_label = bool((array == array.round()).all())
    signs = (-1.0) ** np.arange(values.shape[1])
    values[:, :, y, x] = values[:, :, y - 1, x] if is_label else 10 * array.max() * signs
    after = _forward(net)[0]
    differs = (before != after).any(axis=(0, 1)) if before.ndim == 4 else np.zeros((1, 1), bool)
    return {(int(i), int(j)) for i, j in np.argwhere(differs)}


def _sees(net: caffe.Net, above: tuple[int, int]) -> bool:
    """Whether the layer says that a position of top 0 depends on bottom 0's `_place`."""
    layer = net.layer_dict["layer"]
    bottoms = [net.blobs[name].shape for name in net.bottom_names["layer"]]
    place = _place(net.blobs[net.bottom_names["layer"][0]])
    reach = layer.reach(0, 0, bottoms, [blob.shape for blob in _tops(net)])
    if reach is None:
        return False
    spans = [axis.below(np.array([i]), np.array([i])) for axis, i in zip(reach, above, strict=True)]
    return all(int(low[0]) <= at <= int(high[0]) for (low, high), at in zip(spans, place, strict=True))


def _reach(row: LayerFacts) -> Iterator[str]:
    """What the layer says that a position looks at holds all on which it depends, and the whole map only if it must."""
    spread = False
    for case in _maps(row):
        net = build(case)
        layer, tops = net.layer_dict["layer"], _tops(net)
        if not tops or _uses_the_batch(layer) or row.name == "Upsample":  # whose places the mask states
            continue
        changed = _changed(net, case)
        spread = spread or len(changed) > 1
        unseen = [above for above in changed if _is_map(tops[0]) and not _sees(net, above)]
        if unseen:
            yield f"{case.name}: positions {unseen} depend on one below, which the layer does not say"
    if row.whole_image and not spread:
        yield "whole_image is stated, but a position depends on its own alone"


def _uses_the_batch(layer: Layer) -> bool:
    """Whether it normalises by the batch's statistics, which receptive fields leave out of account."""
    return layer.type in ("BatchNorm", "BN") and not layer.is_affine


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
            tops = _forward(build(case))
            bottom = next(iter(case.bottoms.values())).astype(np.float32)
            if any(not np.array_equal(top, bottom) for top in tops):
                yield f"{case.name}: it is no identity in a net for use"


def _is_elementwise(net: caffe.Net, case: Case) -> bool:
    if type(net.layer_dict["layer"]).bottoms != (1, 1) or type(net.layer_dict["layer"]).tops[1] in (0, MANY):
        return False
    before = _forward(net)[0]
    name = net.bottom_names["layer"][0]
    net.blobs[name].data[...] = case.bottoms[name]
    net.blobs[name].data.flat[1] = case.bottoms[name].max()
    after = _forward(net)[0]
    return before.shape == net.blobs[name].shape and set(np.flatnonzero(before != after)) <= {1}
