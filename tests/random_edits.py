"""Random edits of a net: fields changed, added and removed; layers inserted, removed, renamed and moved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from deeplab_caffe.formats.definition import definition_in
from deeplab_caffe.formats.prototxt import Document
from deeplab_caffe.formats.writer import format_message

_Edit = Callable[[Any, np.random.Generator, str], None]


def edited(text: str, seed: int, side: str, count: int = 3) -> str:
    """A net with `count` random edits; names that it brings end with `side`."""
    random = np.random.default_rng([seed, ord(side)])
    net = definition_in(Document(text, "net")).param
    for _ in range(count):
        _EDITS[int(random.integers(len(_EDITS)))](net, random, side)
    return format_message(net)


def _layer(net: Any, random: np.random.Generator) -> Any:
    return net.layer[int(random.integers(1, len(net.layer)))]


def _change(net: Any, random: np.random.Generator, side: str) -> None:
    layer = _layer(net, random)
    if layer.HasField("convolution_param"):
        param, value = layer.convolution_param, int(random.integers(2, 9))
        [
            lambda: param.ClearField("pad") or param.pad.append(value),
            lambda: param.ClearField("dilation") or param.dilation.append(value),
            lambda: setattr(param, "num_output", value),
            lambda: setattr(param.weight_filler, "std", value),
            lambda: param.ClearField("pad"),
            lambda: param.ClearField("weight_filler"),
        ][int(random.integers(6))]()
    else:
        layer.loss_weight[:] = [float(random.integers(2, 9))]


def _param(net: Any, random: np.random.Generator, side: str) -> None:
    layer = _layer(net, random)
    while len(layer.param) < int(random.integers(1, 3)):
        layer.param.add(lr_mult=1)
    layer.param[int(random.integers(len(layer.param)))].lr_mult = float(random.integers(2, 9)) if layer.param else 0


def _remove(net: Any, random: np.random.Generator, side: str) -> None:
    if len(net.layer) > 4:
        del net.layer[int(random.integers(1, len(net.layer)))]


def _insert(net: Any, random: np.random.Generator, side: str) -> None:
    place = int(random.integers(1, len(net.layer)))
    layers = list(net.layer)
    name = f"new{len(layers)}{side}"
    new = type(layers[0])(name=name, type="Power", bottom=[layers[place - 1].top[0]], top=[name])
    new.power_param.scale = float(random.integers(2, 9))
    _put(net, [*layers[:place], new, *layers[place:]])


def _move(net: Any, random: np.random.Generator, side: str) -> None:
    layers = list(net.layer)
    moved = layers.pop(int(random.integers(1, len(layers))))
    layers.insert(int(random.integers(1, len(layers) + 1)), moved)
    _put(net, layers)


def _rename_blob(net: Any, random: np.random.Generator, side: str) -> None:
    old = _layer(net, random).top[0]
    for layer in net.layer:
        for names in (layer.bottom, layer.top):
            names[:] = [f"{name}_{side}" if name == old else name for name in names]


def _outside(net: Any, random: np.random.Generator, side: str) -> None:
    if random.random() < 0.5:
        net.name = f"net{int(random.integers(9))}"
    else:
        net.force_backward = not net.force_backward


def _put(net: Any, layers: list[Any]) -> None:
    copies = [type(layer).FromString(layer.SerializeToString()) for layer in layers]
    del net.layer[:]
    net.layer.extend(copies)


_EDITS: tuple[_Edit, ...] = (
    _change, _change, _change, _param, _remove, _insert, _insert, _move, _rename_blob, _outside,
)  # fmt: skip
