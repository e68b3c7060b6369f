"""Places the boxes of a net's picture: rows by depth; branches side by side, centred below their fork.

The dominator tree shows which boxes belong to one branch: between a fork and the place where its branches meet, they
are dominated by the branch's first box; after the meeting place, by the fork.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .nodes import DrawnNode

WIDTH = 190
#: gaps between boxes side by side, and between rows, in pixels
GAP = 40
ROW_GAP = 30


@dataclass
class Rectangle:
    """Left, top, width and height of a box, in pixels at zoom 1."""

    x: float
    y: float
    height: float
    width: float = WIDTH

    @property
    def middle(self) -> float:
        return self.x + self.width / 2

    @property
    def bottom(self) -> float:
        return self.y + self.height

    def overlaps(self, other: Rectangle) -> bool:
        """Whether two boxes overlap."""
        beside = self.x + self.width <= other.x or other.x + other.width <= self.x
        return not (beside or self.bottom <= other.y or other.bottom <= self.y)

    @classmethod
    def around(cls, boxes: Sequence[Rectangle], margin: float) -> Rectangle:
        """The box around other boxes, with a margin."""
        left, top = min(box.x for box in boxes) - margin, min(box.y for box in boxes) - margin
        right, bottom = max(box.x + box.width for box in boxes) + margin, max(box.bottom for box in boxes) + margin
        return cls(left, top, bottom - top, right - left)


def place_boxes(
    nodes: Sequence[DrawnNode], rows: Sequence[int], tops: Sequence[float], heights: Sequence[float]
) -> list[Rectangle]:
    """The boxes of nodes whose rows are known; `tops` are the rows' upper edges, the leftmost box is at 0."""
    middles = _spread(_dominators(nodes), rows)
    left = min(middles, default=0.0) - WIDTH / 2
    return [
        Rectangle(middle - WIDTH / 2 - left, tops[row], height)
        for middle, row, height in zip(middles, rows, heights, strict=True)
    ]


def row_tops(rows: Sequence[Sequence[int]], heights: Sequence[Sequence[float]]) -> list[float]:
    """The upper edge of every row of one net, or of nets side by side; a row is as high as its highest box."""
    count = 1 + max((row for part in rows for row in part), default=-1)
    high = [0.0] * count
    for part, sizes in zip(rows, heights, strict=True):
        for row, height in zip(part, sizes, strict=True):
            high[row] = max(high[row], height)
    tops = [0.0]
    for height in high:
        tops.append(tops[-1] + (height + ROW_GAP if height else 0))
    return tops[:count]


def _dominators(nodes: Sequence[DrawnNode]) -> list[int]:
    """For every node the last one that all paths to it from the inputs pass; −1 if there is none.

    Edges lead forward, so one pass in order suffices (Cooper, Harvey and Kennedy, 2001).
    """
    found: list[int] = []
    for node in nodes:
        dominator = node.above[0] if node.above else -1
        for other in node.above[1:]:
            while other != dominator:
                if other > dominator:
                    other = found[other]
                else:
                    dominator = found[dominator]
        found.append(dominator)
    return found


#: row → leftmost and rightmost edge of a tree of boxes there, relative to the tree's root
_Contour = dict[int, tuple[float, float]]


def _spread(dominators: Sequence[int], rows: Sequence[int]) -> list[float]:
    """The middles of the boxes: every tree is packed as its contour allows, siblings are centred below their parent."""
    children: dict[int, list[int]] = {}
    for i, parent in enumerate(dominators):
        children.setdefault(parent, []).append(i)
    sizes = _sizes(dominators)
    shift = [0.0] * len(rows)
    contours: list[_Contour] = [{} for _ in rows]
    for i in (*reversed(range(len(rows))), -1):
        contour: _Contour = {} if i < 0 else {rows[i]: (-WIDTH / 2, WIDTH / 2)}
        for cluster in _clusters(children.get(i, ()), contours):
            _pack(cluster, contours, shift, sizes)
            for child in cluster:
                for row, (low, high) in contours[child].items():
                    old = contour.get(row, (0.0, 0.0))
                    contour[row] = min(old[0], low + shift[child]), max(old[1], high + shift[child])
                contours[child] = {}
        if i >= 0:
            contours[i] = contour
    for i, parent in enumerate(dominators):
        shift[i] += shift[parent] if parent >= 0 else 0.0
    return shift


def _clusters(children: Sequence[int], contours: Sequence[_Contour]) -> list[list[int]]:
    """Children whose trees share rows, together."""
    clusters: list[tuple[set[int], list[int]]] = []
    for child in children:
        rows, members = set(contours[child]), [child]
        apart = []
        for other_rows, others in clusters:
            if rows.isdisjoint(other_rows):
                apart.append((other_rows, others))
            else:
                rows, members = rows | other_rows, others + members
        clusters = [*apart, (rows, members)]
    return [sorted(members) for _, members in clusters]


def _sizes(dominators: Sequence[int]) -> list[int]:
    """The number of boxes in the tree of each box."""
    sizes = [1] * len(dominators)
    for i in reversed(range(len(dominators))):
        if dominators[i] >= 0:
            sizes[dominators[i]] += sizes[i]
    return sizes


def _pack(cluster: Sequence[int], contours: Sequence[_Contour], shift: list[float], sizes: Sequence[int]) -> None:
    """Put trees side by side, as close as possible.

    The trunk, a tree at least twice as large as any other, stays below its parent, with the others to its right;
    without a trunk they are centred.
    """
    by_size = sorted(cluster, key=lambda child: -sizes[child])
    trunk = by_size[0] if len(cluster) == 1 or sizes[by_size[0]] >= 2 * sizes[by_size[1]] else None
    order = [child for child in cluster if child != trunk]
    right: dict[int, float] = {}
    for child in order if trunk is None else [trunk, *order]:
        contour = contours[child]
        shift[child] = max((right[row] + GAP - low for row, (low, _) in contour.items() if row in right), default=0.0)
        for row, (_, high) in contour.items():
            right[row] = max(right.get(row, high + shift[child]), high + shift[child])
    if trunk is None:
        middle = (shift[cluster[0]] + shift[cluster[-1]]) / 2
        for child in cluster:
            shift[child] -= middle
