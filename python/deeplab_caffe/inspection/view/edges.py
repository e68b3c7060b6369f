"""The lines between the boxes of a net's picture, as SVG paths that avoid other boxes."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from .graph_layout import Rectangle
from .nodes import DrawnNode

#: free space between a box and a line beside it, and between lines beside the same boxes
_CLEARANCE = 14
_APART = 6


@dataclass(frozen=True)
class Edge:
    """A line from one box to another, and the blob that it represents."""

    above: int
    below: int
    blob: str
    path: str


def draw_edges(nodes: Sequence[DrawnNode], boxes: Sequence[Rectangle]) -> list[Edge]:
    """The edges of all nodes."""
    order = sorted(range(len(boxes)), key=lambda i: boxes[i].y)
    tops = [boxes[i].y for i in order]
    lanes: dict[float, list[tuple[float, float]]] = {}
    edges = []
    for i, node in enumerate(nodes):
        for j, blob in node.below:
            between = order[bisect_right(tops, boxes[i].y) : bisect_left(tops, boxes[j].y)]
            edges.append(Edge(i, j, blob, _path(boxes[i], boxes[j], [boxes[k] for k in between], lanes)))
    return edges


def _path(
    above: Rectangle, below: Rectangle, between: Sequence[Rectangle], lanes: dict[float, list[tuple[float, float]]]
) -> str:
    """A curve if no row is between them; else a vertical line beside the boxes, with a curve at either end."""
    start, end = (above.middle, above.bottom), (below.middle, below.y)
    if not between:
        bend = (end[1] - start[1]) / 2
        return f"M{_p(*start)}C{_p(start[0], start[1] + bend)} {_p(end[0], end[1] - bend)} {_p(*end)}"
    x = _way_round(start[0], end[0], between)
    if x not in (start[0], end[0]):
        x = _free_lane(x, start[1], end[1], lanes)
    first, last = min(box.y for box in between), max(box.bottom for box in between)
    return (
        f"M{_p(*start)}C{_p(start[0], first)} {_p(x, start[1])} {_p(x, first)}"
        f"L{_p(x, last)}C{_p(x, end[1])} {_p(end[0], last)} {_p(*end)}"
    )


def _way_round(start: float, end: float, between: Sequence[Rectangle]) -> float:
    """The x of a vertical line that no box blocks: the start or the end if possible, else the nearest to both."""
    blocked: list[tuple[float, float]] = []
    for left, right in sorted((box.x - _CLEARANCE, box.x + box.width + _CLEARANCE) for box in between):
        if blocked and left < blocked[-1][1]:
            blocked[-1] = (blocked[-1][0], max(blocked[-1][1], right))
        else:
            blocked.append((left, right))

    def way(x: float) -> list[float]:
        """x itself if it is free, else the edges of what blocks it."""
        return next(([left, right] for left, right in blocked if left < x < right), [x])

    ways = [x for near in (start, end, (start + end) / 2) for x in way(near)]
    return min(ways, key=lambda x: (abs(x - start) + abs(x - end), x not in (start, end)))


def _free_lane(x: float, top: float, bottom: float, lanes: dict[float, list[tuple[float, float]]]) -> float:
    """The x of a line near x that does not overlap another line between top and bottom."""
    while any(low < bottom and top < high for low, high in lanes.get(x, ())):
        x += _APART
    lanes.setdefault(x, []).append((top, bottom))
    return x


def _p(x: float, y: float) -> str:
    return f"{x:.0f} {y:.0f}"
