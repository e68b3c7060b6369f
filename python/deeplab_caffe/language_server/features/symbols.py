"""The outline of a file, with the stages of a net as folders; and a search for layers and blobs in all files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from lsprotocol import types
from pygls.capabilities import get_capability

from ...formats.stages import is_follower, stage_label, stage_of
from ...formats.tree import Block, Field, Scalar
from ..buffers import Buffer
from ..names import BLOB, NamedLayer, NetNames, Occurrence, nets_of
from ..strings import content
from ..workspace import Workspace

_KINDS = types.SymbolKind
#: results of a search; editors ask again as the user types on
_MOST = 500


# -- the outline


def document_symbols(buffer: Buffer) -> list[types.DocumentSymbol]:
    """The outline: layers with their types, and the other fields of the file.

    Two or more layers of one stage in a row are in a folder; stages are those of the page of `deeplab prototxt view`.
    """
    return list(_symbols(buffer, buffer.document.root, {net.block.start: net for net in nets_of(buffer)}))


def _symbols(buffer: Buffer, block: Block, nets: dict[int, NetNames]) -> list[types.DocumentSymbol]:
    """The symbols of a block, which may be a net, in the order of the text."""
    net = nets.get(block.start)
    layers = {id(layer.field) for layer in net.layers} if net else set()
    found = [_field(buffer, f, nets) for f in block.fields if id(f) not in layers and not f.is_template]
    found += _folders(buffer, net) if net else []
    return sorted(found, key=lambda symbol: (symbol.range.start.line, symbol.range.start.character))


def _field(buffer: Buffer, field: Field, nets: dict[int, NetNames]) -> types.DocumentSymbol:
    value = field.value
    symbol = _symbol(buffer, field.name, _KINDS.Property, field, (field.start, max(field.name_end, field.start)))
    if isinstance(value, Scalar):
        symbol.detail = value.text
    elif value.start in nets:
        symbol.kind = _KINDS.Module
        symbol.children = _symbols(buffer, value, nets)
    return symbol


def _folders(buffer: Buffer, net: NetNames) -> Iterator[types.DocumentSymbol]:
    runs = [(stage, list(run)) for stage, run in groupby(_stages(net), lambda item: item[0])]
    times = Counter(stage for stage, _ in runs)
    for stage, run in runs:
        layers = [layer for _, layer in run]
        symbols = [_layer(buffer, layer) for layer in layers]
        if len(symbols) == 1:
            yield symbols[0]
            continue
        label = stage_label(stage, [layer.name for layer in layers], times[stage] == 1)
        around = types.Range(symbols[0].range.start, symbols[-1].range.end)
        yield types.DocumentSymbol(label or "(no name)", _KINDS.Module, around, symbols[0].range, children=symbols)


def _stages(net: NetNames) -> Iterator[tuple[str, NamedLayer]]:
    stage = ""
    for layer in net.layers:
        if layer.field is not None:
            stage = stage if stage and is_follower(layer.name) else stage_of(layer.name)
            yield stage, layer


def _layer(buffer: Buffer, layer: NamedLayer) -> types.DocumentSymbol:
    field = layer.field
    assert field is not None
    label = layer.label
    place = content(buffer.text, label.value) if label else (field.start, field.name_end)
    symbol = _symbol(buffer, layer.name or layer.type, _KINDS.Function, field, place)
    symbol.detail = layer.type
    return symbol


def _symbol(
    buffer: Buffer, name: str, kind: types.SymbolKind, field: Field, chosen: tuple[int, int]
) -> types.DocumentSymbol:
    around = buffer.range(min(field.start, chosen[0]), field.end)
    return types.DocumentSymbol(name.strip() or "(no name)", kind, around, buffer.range(*chosen))


def flat(
    uri: str, symbols: Iterable[types.DocumentSymbol], container: str | None = None
) -> list[types.SymbolInformation]:
    """The outline as a list, for editors that know no tree."""
    found = []
    for symbol in symbols:
        place = types.Location(uri, symbol.range)
        found.append(types.SymbolInformation(place, symbol.name, symbol.kind, container_name=container))
        found += flat(uri, symbol.children or (), symbol.name)
    return found


# -- the search


def workspace_symbols(buffers: Iterable[Buffer], query: str) -> list[types.WorkspaceSymbol]:
    """The layers and the blobs whose names have the characters of a query in this order, whatever their case.

    Args:
        buffers: the files to search.
        query: what the user has typed; "" is in every name.
    """
    wanted = query.lower()
    found: list[types.WorkspaceSymbol] = []
    for buffer in buffers:
        for item, container in _named(buffer):
            if _has(item.name.lower(), wanted):
                found.append(_found(buffer, item, container))
                if len(found) == _MOST:
                    return found
    return found


def _named(buffer: Buffer) -> Iterator[tuple[Occurrence, str]]:
    """Every layer with its type, and every blob, where it is made first, with the layer that makes it."""
    for net in nets_of(buffer):
        blobs: set[str] = set()
        for layer in net.layers:
            if layer.label and layer.name:
                yield layer.label, layer.type
            for top in layer.tops:
                if top.name and top.name not in blobs:
                    blobs.add(top.name)
                    yield top, layer.name


def _has(name: str, wanted: str) -> bool:
    rest = iter(name)
    return all(character in rest for character in wanted)


def _found(buffer: Buffer, item: Occurrence, container: str) -> types.WorkspaceSymbol:
    kind = _KINDS.Variable if item.kind == BLOB else _KINDS.Function
    place = types.Location(buffer.uri, buffer.range(*content(buffer.text, item.value)))
    return types.WorkspaceSymbol(place, item.name, kind, container_name=container or None)


def register(server: Any) -> None:
    """Put the handlers on the server."""

    @server.feature(types.TEXT_DOCUMENT_DOCUMENT_SYMBOL)
    def _document(params: types.DocumentSymbolParams) -> list[types.DocumentSymbol] | list[types.SymbolInformation]:
        buffer = server.workspace_of_nets.buffer(params.text_document.uri)
        found = document_symbols(buffer) if buffer else []
        return found if _knows_trees(server) else flat(params.text_document.uri, found)

    @server.feature(types.WORKSPACE_SYMBOL)
    def _workspace(params: types.WorkspaceSymbolParams) -> list[types.WorkspaceSymbol]:
        return workspace_symbols(_known(server.workspace_of_nets), params.query)


def _knows_trees(server: Any) -> bool:
    name = "text_document.document_symbol.hierarchical_document_symbol_support"
    return bool(get_capability(server.client_capabilities, name, False))


def _known(workspace: Workspace) -> list[Buffer]:
    """The open files and those that belong with them, each once."""
    found: dict[str, Buffer] = {}
    for buffer in workspace.open_buffers:
        for other in (buffer, *workspace.family(buffer)):
            found.setdefault(other.uri, other)
    return list(found.values())
