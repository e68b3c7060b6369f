"""Where the values of a layer's tops lie, and what they depend on, held against its row."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from cases import Case
from deeplab_caffe import caffe
from deeplab_caffe.caffe.blob import Blob
from deeplab_caffe.caffe.layer_types.base import Layer
from deeplab_caffe.errors import InputError
from deeplab_caffe.formats import schema
from deeplab_caffe.formats.layer_facts import BY_AXIS, ELSEWHERE, SAME, LayerFacts
from layer_runs import build, cases_of, forward, tops_of


def _is_map(blob: Blob) -> bool:
    return len(blob.shape) == 4


def judge_positions(row: LayerFacts) -> Iterator[str]:
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
    tops = tops_of(net)
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
    before = forward(net)[0]
    name = net.bottom_names["layer"][0]
    for other, array in case.bottoms.items():
        net.blobs[other].data[...] = array
    values, array = net.blobs[name].data, case.bottoms[name]
    y, x = _place(net.blobs[name])
    is_label = bool((array == array.round()).all())
    signs = (-1.0) ** np.arange(values.shape[1])
    values[:, :, y, x] = values[:, :, y - 1, x] if is_label else 10 * array.max() * signs
    after = forward(net)[0]
    differs = (before != after).any(axis=(0, 1)) if before.ndim == 4 else np.zeros((1, 1), bool)
    return {(int(i), int(j)) for i, j in np.argwhere(differs)}


def _sees(net: caffe.Net, above: tuple[int, int]) -> bool:
    """Whether the layer says that a position of top 0 depends on bottom 0's `_place`."""
    layer = net.layer_dict["layer"]
    bottoms = [net.blobs[name].shape for name in net.bottom_names["layer"]]
    place = _place(net.blobs[net.bottom_names["layer"][0]])
    reach = layer.reach(0, 0, bottoms, [blob.shape for blob in tops_of(net)])
    if reach is None:
        return False
    spans = [axis.below(np.array([i]), np.array([i])) for axis, i in zip(reach, above, strict=True)]
    return all(int(low[0]) <= at <= int(high[0]) for (low, high), at in zip(spans, place, strict=True))


def judge_reach(row: LayerFacts) -> Iterator[str]:
    """What the layer says that a position looks at holds all on which it depends, and the whole map only if it must."""
    spread = False
    for case in _maps(row):
        net = build(case)
        layer, tops = net.layer_dict["layer"], tops_of(net)
        if not tops or _uses_the_batch(layer) or row.name in ("Upsample", "Unpooling"):  # whose places the mask states
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
