"""Where a pixel of one top lies in another, and the Crop that aligns them. Mirrors python/caffe/coord_map.py of BVLC.

A map is (axis, scale, shift): output coordinate = scale · input coordinate + shift, for every axis behind `axis`;
axis None stands for a layer that does not change coordinates.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..formats.layer_facts import SAME, types_where
from ..lazy import imported_on_use
from .net_spec import Function, Top, layers

if TYPE_CHECKING:
    import numpy as np
else:
    np = imported_on_use("numpy")

Map = tuple[Any, Any, Any]

#: layer types that do not change coordinates: BVLC's list, and later types
PASS_THROUGH_LAYERS = sorted(types_where(lambda row: row.positions == SAME))


class UndefinedMapException(Exception):
    """A layer whose coordinates cannot be mapped, such as InnerProduct or Interp."""


class AxisMismatchException(Exception):
    """Two maps that are about different axes."""


def conv_params(fn: Function) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
    """(axis, stride, kernel size with its dilation, pad) of a layer with a sliding window; all but axis are arrays."""
    params = fn.params
    for name in ("convolution_param", "pooling_param"):
        params = fn.params.get(name, params)
    legacy = {"pad_h", "pad_w", "kernel_h", "kernel_w", "stride_h", "stride_w"} & set(params)
    assert not legacy, f"cropping does not support legacy _h/_w params: {', '.join(sorted(legacy))}"
    stride, pad, dilation = (_array(params.get(k, d)) for k, d in (("stride", 1), ("pad", 0), ("dilation", 1)))
    kernel = (_array(params["kernel_size"]) - 1) * dilation + 1
    return params.get("axis", 1), stride, kernel, pad


def crop_params(fn: Function) -> tuple[int, np.ndarray]:
    """(axis, offset) of a Crop layer."""
    params = fn.params.get("crop_param", fn.params)
    return params.get("axis", 2), _array(params.get("offset", 0))


def _array(value: Any) -> np.ndarray:
    return np.array(value, ndmin=1)


def coord_map(fn: Function) -> Map:
    """The map of a layer; raises UndefinedMapException where it has none."""
    if fn.type_name in ("Convolution", "Pooling", "Im2col"):
        axis, stride, kernel, pad = conv_params(fn)
        return axis, 1 / stride, (pad - (kernel - 1) / 2) / stride
    if fn.type_name == "Deconvolution":
        axis, stride, kernel, pad = conv_params(fn)
        return axis, stride, (kernel - 1) / 2 - pad
    if fn.type_name in PASS_THROUGH_LAYERS:
        return None, 1, 0
    if fn.type_name == "Crop":
        axis, offset = crop_params(fn)
        return axis - 1, 1, -offset
    raise UndefinedMapException(f"the coordinates of {fn.type_name} cannot be mapped")


def compose(base_map: Map, next_map: Map) -> Map:
    """The map of one layer after another; raises AxisMismatchException for different axes."""
    ax1, a1, b1 = base_map
    ax2, a2, b2 = next_map
    if ax1 is not None and ax2 is not None and ax1 != ax2:
        raise AxisMismatchException(f"axis {ax1} and axis {ax2}")
    return ax2 if ax1 is None else ax1, a1 * a2, a1 * b2 + b1


def inverse(coord_map: Map) -> Map:
    """The map the other way."""
    ax, a, b = coord_map
    return ax, 1 / a, -b / a


def coord_map_from_to(top_from: Top, top_to: Top) -> Map:
    """The map between two tops, through a blob that both come from; RuntimeError where there is none."""
    from_maps: dict[Top, Map] = {}
    _walk(top_from, lambda top, found: from_maps.setdefault(top, found) is None)
    meeting: list[tuple[Top, Map]] = []

    def meet(top: Top, found: Map) -> bool:
        if top in from_maps:
            meeting.append((top, found))
        return bool(meeting)

    _walk(top_to, meet)
    if not meeting:
        raise RuntimeError("Could not compute map between tops; are they connected by spatial layers?")
    common, to_map = meeting[0]
    return compose(to_map, inverse(from_maps[common]))


def _walk(start: Top, visit: Callable[[Top, Map], bool]) -> None:
    """Go from a top down through all layers that can be mapped, until `visit` says that it is enough."""
    frontier: list[tuple[Top, Map]] = [(start, (None, 1, 0))]
    seen: set[Top] = set()
    while frontier:
        top, found = frontier.pop(0)
        if top in seen:
            continue
        seen.add(top)
        if visit(top, found):
            return
        try:
            # The reference bottom of Crop has its own coordinates.
            bottoms = top.fn.inputs[:1] if top.fn.type_name == "Crop" else top.fn.inputs
            frontier += [(bottom, compose(found, coord_map(top.fn))) for bottom in bottoms]
        except UndefinedMapException:
            continue


def crop(top_from: Top, top_to: Top) -> Top:
    """A Crop layer that aligns one top with another; AssertionError for other scales or a broken offset."""
    ax, a, b = coord_map_from_to(top_from, top_to)
    assert np.all(np.asarray(a) == 1), f"scale mismatch on crop (a = {a})"
    assert np.all(np.asarray(b) <= 0), f"cannot crop negative offset (b = {b})"
    assert np.all(np.round(b) == b), f"cannot crop noninteger offset (b = {b})"
    offset = [int(v) for v in np.ravel(-np.round(b))]
    return layers.Crop(top_from, top_to, crop_param={"axis": ax + 1, "offset": offset})
