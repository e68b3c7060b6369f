"""The net as a call hierarchy: a layer is called by those that make its bottoms, and calls those that read its tops."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lsprotocol import types

from ..buffers import Buffer
from ..names import NamedLayer, NetNames, Occurrence, nets_of
from ..strings import content


def prepare(buffer: Buffer, position: types.Position) -> list[types.CallHierarchyItem]:
    """The layer around a position; none outside of layers."""
    found = _layer_at(buffer, buffer.offset(position))
    return [_item(buffer, found[1])] if found else []


def incoming(buffer: Buffer, item: types.CallHierarchyItem) -> list[types.CallHierarchyIncomingCall]:
    """The layers that make what a layer reads, in any state, with the tops that it reads."""
    found = _layer_of(buffer, item)
    if found is None:
        return []
    net, layer = found
    tops = [top for bottom in layer.bottoms for top in net.makers(bottom)]
    return [
        types.CallHierarchyIncomingCall(_item(buffer, maker), _ranges(buffer, read))
        for maker, read in _by_layer(net, tops)
    ]


def outgoing(buffer: Buffer, item: types.CallHierarchyItem) -> list[types.CallHierarchyOutgoingCall]:
    """The layers that read what a layer makes, in any state, with the tops that they read."""
    found = _layer_of(buffer, item)
    if found is None:
        return []
    net, layer = found
    bottoms = [bottom for top in layer.tops for bottom in net.readers(top)]
    return [
        types.CallHierarchyOutgoingCall(
            _item(buffer, reader), _ranges(buffer, [top for top in layer.tops if _reads(net, read, top)])
        )
        for reader, read in _by_layer(net, bottoms)
    ]


def _reads(net: NetNames, bottoms: Iterable[Occurrence], top: Occurrence) -> bool:
    return any(bottom in net.readers(top) for bottom in bottoms)


def _by_layer(net: NetNames, found: Iterable[Occurrence]) -> list[tuple[NamedLayer, list[Occurrence]]]:
    """The places by their layers, in the order of the text; inputs outside of layers are left out."""
    by_layer: dict[int, list[Occurrence]] = {}
    for item in found:
        by_layer.setdefault(item.layer, []).append(item)
    layers = [(net.layers[index], by_layer[index]) for index in sorted(by_layer)]
    return [(layer, items) for layer, items in layers if layer.field is not None]


def _ranges(buffer: Buffer, items: Iterable[Occurrence]) -> list[types.Range]:
    places = dict.fromkeys(content(buffer.text, item.value) for item in items)
    return [buffer.range(*place) for place in places]


# -- layers as items of the protocol


def _item(buffer: Buffer, layer: NamedLayer) -> types.CallHierarchyItem:
    field = layer.field
    assert field is not None
    start, end = content(buffer.text, layer.label.value) if layer.label else (field.start, field.name_end)
    around, chosen = buffer.range(field.start, field.end), buffer.range(start, end)
    name = layer.name or "(no name)"
    return types.CallHierarchyItem(name, types.SymbolKind.Function, buffer.uri, around, chosen, detail=layer.type)


def _layer_of(buffer: Buffer, item: types.CallHierarchyItem) -> tuple[NetNames, NamedLayer] | None:
    """The layer of an item, where it was, or where a layer of its name is now."""
    found = _layer_at(buffer, buffer.offset(item.selection_range.start))
    if found is not None and found[1].name in (item.name, ""):
        return found
    named = [(net, layer) for net in nets_of(buffer) for layer in net.layers if layer.name == item.name]
    return named[0] if named else None


def _layer_at(buffer: Buffer, offset: int) -> tuple[NetNames, NamedLayer] | None:
    for net in nets_of(buffer):
        layer = net.layer_at(offset)
        if layer is not None:
            return net, layer
    return None


def register(server: Any) -> None:
    """Put the handlers on the server."""

    @server.feature(types.TEXT_DOCUMENT_PREPARE_CALL_HIERARCHY)
    def _prepare(params: types.CallHierarchyPrepareParams) -> list[types.CallHierarchyItem]:
        buffer = server.workspace_of_nets.buffer(params.text_document.uri)
        return prepare(buffer, params.position) if buffer else []

    @server.feature(types.CALL_HIERARCHY_INCOMING_CALLS)
    def _incoming(params: types.CallHierarchyIncomingCallsParams) -> list[types.CallHierarchyIncomingCall]:
        buffer = server.workspace_of_nets.buffer(params.item.uri)
        return incoming(buffer, params.item) if buffer else []

    @server.feature(types.CALL_HIERARCHY_OUTGOING_CALLS)
    def _outgoing(params: types.CallHierarchyOutgoingCallsParams) -> list[types.CallHierarchyOutgoingCall]:
        buffer = server.workspace_of_nets.buffer(params.item.uri)
        return outgoing(buffer, params.item) if buffer else []
