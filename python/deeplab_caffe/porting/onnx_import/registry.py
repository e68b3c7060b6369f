"""The table of readers: from an ONNX operator to the function that turns its nodes into layers."""

from __future__ import annotations

from collections.abc import Callable

from .model import OnnxNode
from .net import CaffeNet

Reader = Callable[[CaffeNet, OnnxNode], None]
READERS: dict[str, Reader] = {}


def reads(*operators: str) -> Callable[[Reader], Reader]:
    """Register a function as the reader of operators."""

    def register(function: Reader) -> Reader:
        for operator in operators:
            READERS[operator] = function
        return function

    return register
