"""The net of a text that may be unsaved or broken, as `deeplab prototxt inspect` and `view` analyse one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import InputError
from ..formats.definition import Definition, definition_in
from ..formats.prototxt import Document
from ..formats.python_layers import to_native
from ..formats.templates import TemplateValues
from .buffers import Buffer
from .workspace import Workspace

if TYPE_CHECKING:
    from ..inspection.analysis import Analysis


def analysed_net(workspace: Workspace, buffer: Buffer) -> Buffer:
    """The net that a file is about: itself, or the one that a solver trains.

    Raises:
        InputError: a solver's net does not exist.
    """
    if buffer.kind == "net":
        return buffer
    found = workspace.nets_of(buffer)
    if not found:
        raise InputError(f"{buffer.path}: the net that this solver names does not exist")
    return found[0]


def analysis_of(workspace: Workspace, buffer: Buffer) -> Analysis:
    """What can be known of a net: in the state in which it is used most likely, and as far as it can be read.

    Raises:
        InputError: it has no layer that can be read.
    """
    try:
        document = Document(buffer.text, buffer.path, TemplateValues(workspace.settings.variables, {}))
        definition = definition_in(document, keep_unknown=True)
        for entry in definition.entries:
            to_native(entry.param)
    except InputError as error:
        definition = _readable_part(buffer, error)
    from ..inspection.analysis import analyse  # with PyTorch, whose import takes seconds

    return analyse(definition, tolerant=True)


def _readable_part(buffer: Buffer, error: InputError) -> Definition:
    definition = buffer.net.definition()
    if not definition.entries:
        raise error
    return definition
