"""The page: one self-contained HTML file with a picture of a net, or of two nets and their differences."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Sequence
from importlib import resources
from typing import Any

from ...formats import schema
from ...formats.writer import format_message
from ..analysis import Analysis, LayerAnalysis
from ..diff import LayerChange, PrototxtDifference
from ..diff_match import Matching
from .details import caption, details, kind, totals
from .edges import draw_edges
from .graph_layout import WIDTH, Rectangle, place_boxes, row_tops
from .nodes import DrawnNode, blocks, common_ranks, make_nodes, ranks

#: heights in a box: of its three lines, and of the row of in-place layers
_BOX, _CHIPS = 62, 22
#: margin around the boxes of a block, and gap between two nets
_MARGIN, _BETWEEN = 12, 240
#: one script, in two parts: the picture, and the panel beside it
_SCRIPTS = ("view_picture.js", "view_panel.js")


def page(analyses: Sequence[Analysis], difference: PrototxtDifference | None = None) -> str:
    """The HTML of one net, or of two nets side by side, before and after, with their difference."""
    pictures = [_Picture(a) for a in analyses]
    if len(pictures) == 2:
        _pair(*pictures)
    rows = _rows(pictures)
    tops = row_tops(rows, [picture.heights for picture in pictures])
    left, nets = 0.0, []
    for side, (picture, picture_rows) in enumerate(zip(pictures, rows, strict=True)):
        marks = _Marks(difference, side) if difference else None
        nets.append(picture.data(picture_rows, tops, left, marks))
        left += nets[-1]["width"] + _BETWEEN
    title = " → ".join(a.shapes.name or a.shapes.source for a in analyses)
    return _fill({"title": title, "nets": nets, "two": len(nets) == 2})


class _Picture:
    """One net's boxes, before they are placed."""

    def __init__(self, analysis: Analysis) -> None:
        self.analysis = analysis
        self.params = [layer.shapes.param for layer in analysis.layers]
        self.nodes = make_nodes(self.params)
        self.heights = [_BOX + (_CHIPS if len(node.layers) > 1 else 0) for node in self.nodes]
        self.home = {place: i for i, node in enumerate(self.nodes) for place in node.layers}
        #: index of a layer → that of its counterpart in the other net
        self.peers: dict[int, int] = {}

    def data(self, rows: Sequence[int], tops: Sequence[float], left: float, marks: _Marks | None) -> dict[str, Any]:
        boxes = place_boxes(self.nodes, rows, tops, self.heights)
        for box in boxes:
            box.x += left
        layers = [self._layer(i, layer, marks) for i, layer in enumerate(self.analysis.layers)]
        shapes = self.analysis.shapes
        return {
            "name": shapes.name or "(no name)",
            "phase": "TRAIN" if shapes.state.phase == schema.TRAIN else "TEST",
            "totals": totals(self.analysis),
            "x": left,
            "width": max((box.x + WIDTH - left for box in boxes), default=WIDTH),
            "height": max((box.bottom for box in boxes), default=0),
            "layers": layers,
            "nodes": [self._node(*item, layers) for item in zip(self.nodes, boxes, strict=True)],
            "edges": [[e.above, e.below, e.blob, e.path] for e in draw_edges(self.nodes, boxes)],
            "blocks": list(self._frames(boxes)),
        }

    def _frames(self, boxes: Sequence[Rectangle]) -> Iterator[list[Any]]:
        """Label, left, top, width and height of a frame around every block whose frame contains no other box."""
        for label, members in blocks(self.nodes):
            frame = Rectangle.around([boxes[i] for i in members], _MARGIN)
            if not any(frame.overlaps(box) for i, box in enumerate(boxes) if i not in members):
                yield [label, frame.x, frame.y, frame.width, frame.height]

    def _node(self, node: DrawnNode, box: Rectangle, layers: Sequence[dict[str, Any]]) -> dict[str, Any]:
        first = self.analysis.layers[node.layers[0]]
        marks = [layers[i]["mark"] for i in node.layers]
        return {
            "x": box.x,
            "y": box.y,
            "h": box.height,
            "layers": node.layers,
            "lines": caption(first),
            "mark": next((m for m in ("removed", "added", "changed", "renamed", "moved") if m in marks), ""),
        }

    def _layer(self, place: int, layer: LayerAnalysis, marks: _Marks | None) -> dict[str, Any]:
        shapes = layer.shapes
        mark, changes = marks.of(shapes.origin) if marks else ("", [])
        return {
            "name": shapes.name,
            "type": shapes.type,
            "kind": "unknown" if shapes.unknown else "broken" if shapes.broken else kind(shapes.type),
            "node": self.home[place],
            "details": details(layer, self.analysis),
            "text": shapes.text or format_message(schema.NetParameter(layer=[shapes.param])),
            "mark": mark,
            "changes": changes,
            "peer": self.peers.get(place, -1),
        }


def _pair(first: _Picture, second: _Picture) -> None:
    """Set in both pictures which layers correspond."""
    first.peers = Matching(first.params, second.params).to_after
    second.peers = {after: before for before, after in first.peers.items()}


def _rows(pictures: Sequence[_Picture]) -> list[list[int]]:
    if len(pictures) == 1:
        return [ranks(pictures[0].nodes)]
    first, second = pictures
    heads = {node.layers[0]: i for i, node in enumerate(first.nodes)}
    pairs = {}
    for j, node in enumerate(second.nodes):
        peer = second.peers.get(node.layers[0])
        if peer in heads:
            pairs[heads[peer]] = j
    return list(common_ranks(first.nodes, second.nodes, pairs))


# -- what differs between two nets


class _Marks:
    """Each layer's mark (removed, added, changed, renamed, moved) and its changes as texts, by its place in the file.

    side: 0 for the layers of the first net, 1 for those of the second.
    """

    def __init__(self, difference: PrototxtDifference, side: int) -> None:
        alone = [difference.removed, difference.added][side]
        self._of: dict[str, tuple[str, list[str]]] = {place.where: (["removed", "added"][side], []) for place in alone}
        for change in difference.changed:
            self._of[[change.before, change.after][side].where] = _mark(change), _texts(change)

    def of(self, where: str) -> tuple[str, list[str]]:
        """The mark and the changes of the layer at a place, `file:line:column`; empty if nothing differs."""
        return self._of.get(where, ("", []))


def _mark(change: LayerChange) -> str:
    if change.fields or change.connections:
        return "changed"
    return "renamed" if change.renamed else "moved"


def _texts(change: LayerChange) -> list[str]:
    renamed = [f"name {change.before.name} → {change.after.name}"] if change.renamed else []
    moved = ["moved in the order of layers"] if change.moved else []
    return [*renamed, *(field.short for field in (*change.fields, *change.connections)), *moved]


# -- the file


def _fill(data: dict[str, Any]) -> str:
    """The template with its style, script and data."""
    folder = resources.files(__package__)
    # with "<" a layer's name could end the script element
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    parts = {
        "title": html.escape(data["title"]),
        "style": folder.joinpath("view.css").read_text(encoding="utf-8"),
        "data": text,
        "script": "\n".join(folder.joinpath(name).read_text(encoding="utf-8") for name in _SCRIPTS),
    }
    template = folder.joinpath("view.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{ (\w+) \}\}", lambda match: parts[match[1]], template)
