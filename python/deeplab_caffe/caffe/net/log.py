"""What is logged while a net is built. Mirrors the lines of `net.cpp`, Init."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from google.protobuf import text_format

from ...formats import schema
from .. import log
from ..blob import Blob
from ..layer_types.base import Layer

#: bytes of a float32
_FLOAT = 4


def message_text(message: Any) -> str:
    """A message as protobuf prints it in C++, one field per line, for a log line to end with."""
    text = text_format.MessageToString(message, as_utf8=False).rstrip("\n")
    return re.sub(r"^( *\w+: -?\d+)\.0$", r"\1", text, flags=re.MULTILINE)  # Python's prints 1.0, C++'s 1


def begun(param: Any, state: Any, layers: Sequence[Any]) -> None:
    """A net's definition: its NetParameter, state, and the layers that the state leaves."""
    if not log.shows_details():
        return
    shown = schema.NetParameter()
    shown.CopyFrom(param)
    shown.ClearField("layer")
    shown.state.CopyFrom(state)
    shown.layer.extend(layers)
    log.detail(f"Initializing net from parameters: \n{message_text(shown)}", "net.cpp:58")


class NetLog:
    """The lines of one net's layers in turn; counts the memory of their tops as Caffe does, data alone."""

    def __init__(self) -> None:
        self._count = 0

    def creating(self, p: Any, anonymous: int) -> None:
        """A layer is made and gets its bottoms and tops, the last ones without a name."""
        log.detail(f"Creating layer {p.name}", "layer_factory.hpp:77")
        log.detail(f"Creating Layer {p.name}", "net.cpp:100")
        for bottom in p.bottom:
            log.detail(f"{p.name} <- {bottom}", "net.cpp:434")
        for i, top in enumerate([*p.top, *["(automatic)"] * anonymous]):
            if i < len(p.bottom) and p.bottom[i] == top:
                log.detail(f"{p.name} -> {top} (in-place)", "net.cpp:395")
            else:
                log.detail(f"{p.name} -> {top}", "net.cpp:408")

    def set_up(self, layer: Layer, tops: Sequence[Blob]) -> None:
        """A layer is set up: the shapes of its tops, and the memory so far."""
        log.detail(f"Setting up {layer.name}", "net.cpp:150")
        for blob, weight in zip(tops, layer.loss_weights, strict=True):
            dims = "".join(f"{d} " for d in blob.shape)
            log.detail(f"Top shape: {dims}({blob.count})", "net.cpp:157")
            if weight:
                log.detail(f"    with loss weight {log.number(weight)}", "net.cpp:160")
            self._count += blob.count
        log.detail(f"Memory required for data: {self._count * _FLOAT}", "net.cpp:165")


def finished(layers: Sequence[Layer], outputs: Sequence[str]) -> None:
    """Which layers run backward, from the last one, and the outputs."""
    for layer in reversed(layers):
        if layer.needs_backward:
            log.detail(f"{layer.name} needs backward computation.", "net.cpp:226")
        else:
            log.detail(f"{layer.name} does not need backward computation.", "net.cpp:228")
    for name in outputs:
        log.detail(f"This network produces output {name}", "net.cpp:270")
    log.detail("Network initialization done.", "net.cpp:283")
