"""What is drawn: the net as the editor has it, and where its cursor is."""

from __future__ import annotations

from lsprotocol import types

from ...errors import InputError
from ..buffers import Buffer
from ..names import nets_of
from ..net_analysis import analysis_of
from ..workspace import Workspace


def drawing(workspace: Workspace, path: str) -> str:
    """The page of `deeplab prototxt view` for the text of a file.

    Raises:
        InputError: there is no file, or it has no layer that can be read.
    """
    from ...inspection.view import page  # with PyTorch, whose import takes seconds

    buffer = workspace.buffer(path)
    if buffer is None:
        raise InputError(f"{path}: cannot be read any more")
    return page([analysis_of(workspace, buffer)])


def layer_at(buffer: Buffer, position: types.Position) -> str:
    """The name of the layer around a position; "" outside of layers."""
    offset = buffer.offset(position)
    return next((layer.name for net in nets_of(buffer) if (layer := net.layer_at(offset)) is not None), "")
