"""Renames a blob, a layer or a shared parameter in all files that belong together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lsprotocol import types
from pygls.capabilities import get_capability

from ...errors import InputError
from ...formats.layer_facts import ACTIVATION, ARRANGE, DATA, FUNCTION, LOSS, MERGE, METRIC, POOLING, SINK, facts_of
from ...formats.upgrade_layers import V1_TYPES
from ..buffers import Buffer
from ..names import LAYER, Occurrence, everywhere, named_at, nets_of
from ..refused import refusing
from ..strings import content, replaced
from ..workspace import Workspace

#: kinds whose types hold no weights, except PReLU
_WITHOUT_WEIGHTS = {ACTIVATION, ARRANGE, DATA, FUNCTION, LOSS, MERGE, METRIC, POOLING, SINK}
_ANNOTATION = "weights"


@dataclass
class Renaming:
    """The edits of each file, and what the user should know before; "" if nothing."""

    edits: list[tuple[Buffer, list[types.TextEdit]]]
    warning: str = ""


def prepare_rename(buffer: Buffer, position: types.Position) -> types.PrepareRenamePlaceholder | None:
    """The name at a position that can be renamed, with its place; None if there is none."""
    named = named_at(buffer, buffer.offset(position))
    if named is None:
        return None
    _, item = named
    return types.PrepareRenamePlaceholder(buffer.range(*content(buffer.text, item.value)), item.name)


def rename(workspace: Workspace, buffer: Buffer, position: types.Position, name: str) -> Renaming:
    """The edits that rename what is named at a position.

    A blob is renamed where it is made and read in every state, through layers that work in place.

    Args:
        workspace: the files.
        buffer: the file.
        position: within the old name.
        name: the new one.

    Raises:
        InputError: there is nothing to rename, the new name is empty or taken, or a file has errors, so that some of
            its names may be unknown.
    """
    named = named_at(buffer, buffer.offset(position))
    if named is None:
        raise InputError("only blobs, layers and shared parameters can be renamed")
    _, item = named
    files = workspace.family(buffer)
    _check(files, item, name)
    found = list(everywhere(files, item.kind, item.name)) if name != item.name else []
    edits = []
    for file in files:
        changes = [replaced(file.text, other.value, name) for owner, other in found if owner is file]
        if changes:
            edits.append((file, [types.TextEdit(file.range(start, end), text) for start, end, text in changes]))
    return Renaming(edits, _warning(found, item) if edits else "")


def _check(files: list[Buffer], item: Occurrence, name: str) -> None:
    if not name.strip():
        raise InputError(f"expected a name for the {item.kind} '{item.name}', got none")
    for file in files:
        if file.document.errors:
            raise InputError(f"{file.document.errors[0]}; fix this first: names there may be unknown")
    for file, taken in everywhere(files, item.kind, name) if name != item.name else ():
        where = file.document.where(taken.value.start)
        raise InputError(f"the name '{name}' is taken: {where} has a {item.kind} of this name")


def _warning(found: list[tuple[Buffer, Occurrence]], item: Occurrence) -> str:
    if item.kind != LAYER or not any(_may_have_weights(file, other) for file, other in found):
        return ""
    return f"Weights are matched by layer name: in weight files, this layer is still called '{item.name}'"


def _may_have_weights(file: Buffer, item: Occurrence) -> bool:
    layers = [net.layers[item.layer] for net in nets_of(file) if item in net.named(item.kind, item.name)]
    rows = [facts_of(V1_TYPES.get(layer.type, layer.type)) for layer in layers]
    return any(facts.name == "PReLU" or facts.kind not in _WITHOUT_WEIGHTS for facts in rows)


def workspace_edit(renaming: Renaming, versions: bool, annotations: bool) -> types.WorkspaceEdit:
    """The edits as the client takes them.

    Args:
        renaming: what `rename` found.
        versions: whether the client takes edits of documents of stated versions.
        annotations: whether it shows what is annotated, before it applies an edit.
    """
    if not versions:
        return types.WorkspaceEdit(changes={file.uri: edits for file, edits in renaming.edits})
    annotated = annotations and bool(renaming.warning)
    changes = []
    for file, edits in renaming.edits:
        # only of a file that is open the editor knows the version
        of = types.OptionalVersionedTextDocumentIdentifier(file.uri, file.version)
        marked = list(_annotated(edits)) if annotated else edits
        changes.append(types.TextDocumentEdit(of, marked))
    notes = {_ANNOTATION: types.ChangeAnnotation("Rename a layer", True, renaming.warning)} if annotated else None
    return types.WorkspaceEdit(document_changes=changes, change_annotations=notes)


def _annotated(edits: list[types.TextEdit]) -> Iterator[types.AnnotatedTextEdit]:
    for edit in edits:
        yield types.AnnotatedTextEdit(_ANNOTATION, edit.range, edit.new_text)


def register(server: Any) -> None:
    """Put the handlers on the server."""

    @server.feature(types.TEXT_DOCUMENT_PREPARE_RENAME)
    def _prepare(params: types.PrepareRenameParams) -> types.PrepareRenamePlaceholder | None:
        buffer = server.workspace_of_nets.buffer(params.text_document.uri)
        return prepare_rename(buffer, params.position) if buffer else None

    @server.feature(types.TEXT_DOCUMENT_RENAME, types.RenameOptions(prepare_provider=True))
    def _rename(params: types.RenameParams) -> types.WorkspaceEdit | None:
        workspace = server.workspace_of_nets
        buffer = workspace.buffer(params.text_document.uri)
        if buffer is None:
            return None
        with refusing():
            found = rename(workspace, buffer, params.position, params.new_name)
        takes = get_capability(server.client_capabilities, "workspace.workspace_edit")
        versions = bool(takes and takes.document_changes)
        annotations = bool(takes and takes.change_annotation_support)
        if found.warning and not (versions and annotations):
            server.window_show_message(types.ShowMessageParams(types.MessageType.Warning, found.warning))
        return workspace_edit(found, versions, annotations)
