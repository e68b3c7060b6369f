"""Layers in one form of several that mean the same: older names of fields, lists in two forms, stated defaults."""

from __future__ import annotations

from typing import Any

from ..formats import schema
from ..formats.upgrade_text import DEPRECATED

_LOSS = schema.LossParameter


def plain(layer: Any) -> Any:
    """A copy of a LayerParameter in the form in which two layers that mean the same are equal, but for defaults.

    Example:
        >>> old = schema.LayerParameter(type="Concat", concat_param={"concat_dim": 1})
        >>> plain(old).concat_param.axis
        1
    """
    copy = schema.LayerParameter()
    copy.CopyFrom(layer)
    _name_today(copy)
    if copy.HasField("loss_param") or copy.type == "SigmoidCrossEntropyLoss":
        _normalization(copy)
    if copy.HasField("dummy_data_param"):
        _dummy_data(copy)
    if copy.HasField("input_param"):
        _repeat(copy.input_param.shape, len(copy.top))
    if copy.HasField("eltwise_param") and set(copy.eltwise_param.coeff) == {1.0}:
        copy.eltwise_param.ClearField("coeff")
    if copy.HasField("crop_param"):
        _crop_offset(copy.crop_param)
    return copy


def _name_today(layer: Any) -> None:
    """Replace the older names of fields."""
    for (message, old), today in DEPRECATED.items():
        inner = getattr(layer, message)
        if layer.HasField(message) and inner.HasField(old) and not inner.HasField(today):
            setattr(inner, today, getattr(inner, old))
            inner.ClearField(old)


def _normalization(layer: Any) -> None:
    """`normalize` as the `normalization` that it means; what SigmoidCrossEntropyLoss does by default is stated."""
    param = layer.loss_param
    if not param.HasField("normalization"):
        if param.HasField("normalize"):
            param.normalization = _LOSS.VALID if param.normalize else _LOSS.BATCH_SIZE
        elif layer.type == "SigmoidCrossEntropyLoss":
            param.normalization = _LOSS.BATCH_SIZE
    param.ClearField("normalize")


def _dummy_data(layer: Any) -> None:
    """Four lists of sizes as shapes; a shape and a filler for each top."""
    param = layer.dummy_data_param
    sizes = [getattr(param, name) for name in ("num", "channels", "height", "width")]
    if not param.shape and len({len(values) for values in sizes}) == 1:
        for dims in zip(*sizes, strict=True):
            param.shape.add(dim=dims)
        for name in ("num", "channels", "height", "width"):
            param.ClearField(name)
    _repeat(param.shape, len(layer.top))
    if not param.data_filler:
        param.data_filler.add()
    _repeat(param.data_filler, len(layer.top))


def _repeat(values: Any, count: int) -> None:
    """Repeat the only element of a list for every top."""
    if len(values) == 1:
        for _ in range(count - 1):
            values.add().CopyFrom(values[0])


def _crop_offset(param: Any) -> None:
    """An offset for all axes once; none if it is 0."""
    if len(set(param.offset)) == 1:
        del param.offset[1:]
    if list(param.offset) == [0]:
        param.ClearField("offset")
