"""The layers of a merged net: which come, go and move, with the comments above them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...formats.prototxt import Document
from ..diff_fields import ABSENT
from .field_meaning import shown
from .layers import LAYERS, Counterparts, NetText, blobs_of
from .marks import mark_lines
from .outcome import MergeChange, Taken
from .pieces import Piece, Pieces, comment_lines, merged_comments, merged_header
from .rows import Row

Key = Row | tuple[str, int]
_BASE, _OURS, _THEIRS = range(3)


class LayerOrder:
    """Puts the merged text together from pieces.

    Args:
        nets: the net before, the user's, and now.
        rows: their layers.
        pairs: the layers of the user's net, and of the new one, that correspond to those before.
        edited: the user's text with the merged fields; it has the same layers.
        differences: what a side (1: the user, 2: the generator) changed in a layer, in words.

    Attributes:
        changes: layers that were added or removed, or that have moved, and the generator's comments.
    """

    def __init__(
        self,
        nets: Sequence[NetText],
        rows: Sequence[Row],
        pairs: Sequence[Counterparts],
        edited: Document,
        differences: Callable[[Row, int], list[str]],
    ) -> None:
        self._nets, self._rows, self._pairs, self._differences = nets, rows, pairs, differences
        self._edited = edited
        self.changes: list[MergeChange] = []
        texts = [Pieces.of(document) for document in (nets[0].document, edited, nets[2].document)]
        self._sides = [self._keyed(text, side) for side, text in enumerate(texts)]
        self._texts = texts
        self._final = texts[_OURS]
        self._key_of = {piece: key for key, piece in self._sides[_OURS].items()}

    def text(self) -> str:
        """The merged text."""
        base, ours, theirs = self._texts
        self._comments()
        self._remove()
        self._move()
        self._insert()
        self._restate_removed()
        ours.header = merged_header(base.header, ours.header, theirs.header)
        ours.tail, _ = merged_comments(base.tail, ours.tail, theirs.tail)
        return ours.text()

    @property
    def rows(self) -> list[Row]:
        """The layers of the merged text, in order."""
        keys = [self._key_of[piece] for piece in self._final.pieces]
        return [key for key in keys if isinstance(key, Row)]

    def _keyed(self, text: Pieces, side: int) -> dict[Key, Piece]:
        """The pieces of a text by the rows of their layers; other fields by their name and how often it came before."""
        rows = {index: row for row in self._rows if (index := (row.base, row.ours, row.theirs)[side]) is not None}
        found: dict[Key, Piece] = {}
        layer = 0
        for piece in text.pieces:
            if rows and piece.field.name in LAYERS:
                found[rows[layer]] = piece
                layer += 1
            else:
                name = piece.field.name or piece.body
                found[name, sum(isinstance(key, tuple) and key[0] == name for key in found)] = piece
        return found

    # -- comments

    def _comments(self) -> None:
        base, ours, theirs = self._sides
        for key, piece in ours.items():
            if key not in base or key not in theirs:
                continue
            above = base[key].above, piece.above, theirs[key].above
            piece.above, kept = merged_comments(*above)
            before, own, new = ("\n".join(comment_lines(text)) for text in above)
            if before != new and own != new:
                remark = "yours stays; the generator's has changed" if kept else "renewed by the generator"
                name = key.name if isinstance(key, Row) else key[0]
                taken: Taken = "yours" if kept else "theirs"
                self.changes.append(MergeChange(name, "comment", before, own, new, taken, remark))

    # -- layers that the generator removed

    def _remove(self) -> None:
        for row in self._rows:
            if row.base is None or row.ours is None or row.theirs is not None:
                continue
            piece = self._sides[_OURS][row]
            changed = self._differences(row, _OURS)
            if changed:
                remark = f"the generator removed this layer, in which you changed {', '.join(changed)}"
                piece.add(mark_lines(self._layer(row, "conflict", remark)))
                continue
            self._layer(row, "theirs")
            self._take_out(piece, self._sides[_BASE][row])
            del self._key_of[piece], self._sides[_OURS][row]

    def _take_out(self, piece: Piece, generated: Piece) -> None:
        """Remove a piece; the user's comments in it and above it go above the next one."""
        within = [text for _, text in Document(piece.body).comments]
        old = {*generated.comments, *(text for _, text in Document(generated.body).comments)}
        mine = [text.rstrip() for text in (*piece.comments, *within) if text not in old]
        at = self._final.pieces.index(piece)
        del self._final.pieces[at]
        if mine and at < len(self._final.pieces):
            self._final.pieces[at].add(mine, first=True)
        elif mine:
            self._final.tail = "\n" + "\n".join(mine) + (self._final.tail or "\n")

    # -- layers that the generator added

    def _insert(self) -> None:
        for key, piece in self._sides[_THEIRS].items():
            if not isinstance(key, Row) or key.theirs is None:
                continue
            if key.base is not None or key.ours is not None:
                if key.base is None:
                    self._layer(key, "both")
                continue
            at, between = self._place(key)
            new = Piece(piece.field, piece.above, piece.body)
            self._put_in(at, key, new)
            clash = self._clash(piece, between)
            if clash:
                remark = f"you and the generator both inserted a layer here, and both use {clash}; check their order"
                new.add(mark_lines(self._change(key, "position", "conflict", remark)))
            self._layer(key, "theirs")
        for row in self._rows:
            if row.base is None and row.theirs is None:
                self._layer(row, "yours")

    def _put_in(self, at: int, key: Key, piece: Piece) -> None:
        self._final.pieces.insert(at, piece)
        self._sides[_OURS][key] = piece
        self._key_of[piece] = key

    def _place(self, key: Key) -> tuple[int, list[Piece]]:
        """Where a piece of the generator belongs in the user's text, and the user's own layers that stand before it."""
        order = list(self._sides[_THEIRS])
        own, pieces = self._sides[_OURS], self._final.pieces
        there = order.index(key)
        before = next((other for other in reversed(order[:there]) if other in own), None)
        if before is None:
            after = next((other for other in order[there + 1 :] if other in own), None)
            return (pieces.index(own[after]) if after is not None else len(pieces)), []
        at = pieces.index(own[before]) + 1
        between = []
        while at < len(pieces) and self._is_users(pieces[at]):
            between.append(pieces[at])
            at += 1
        return at, between

    def _is_users(self, piece: Piece) -> bool:
        key = self._key_of.get(piece)
        return isinstance(key, Row) and key.base is None and key.theirs is None

    @staticmethod
    def _clash(new: Piece, between: Sequence[Piece]) -> str:
        """The blobs that one of two inserted layers makes and the other uses, so that their order matters."""
        every = "top", "bottom"
        found: set[str] = set()
        for piece in between:
            found |= blobs_of(new.field, "top") & blobs_of(piece.field, *every)
            found |= blobs_of(piece.field, "top") & blobs_of(new.field, *every)
        return ", ".join(f"'{name}'" for name in sorted(found))

    # -- layers that the user removed

    def _restate_removed(self) -> None:
        for row in self._rows:
            if row.base is None or row.ours is not None:
                continue
            changed = self._differences(row, _THEIRS) if row.theirs is not None else []
            if not changed:
                self._layer(row, "both" if row.theirs is None else "yours")
                continue
            remark = f"you removed this layer, in which the generator changed {', '.join(changed)}; it is now"
            lines = mark_lines(self._layer(row, "conflict", remark), self._sides[_THEIRS][row].body)
            at, _ = self._place(row)
            if at < len(self._final.pieces):
                self._final.pieces[at].add(lines, first=True)
            else:
                self._final.tail = "\n\n" + "\n".join(lines) + (self._final.tail or "\n")

    # -- order

    def _move(self) -> None:
        common = [row for row in self._rows if None not in (row.base, row.ours, row.theirs)]
        base, ours, theirs = (
            sorted(common, key=lambda row, side=side: (row.base, row.ours, row.theirs)[side])  # type: ignore[misc]
            for side in range(3)
        )
        moved = [{row for row in common if row.base in pair.moved} for pair in self._pairs]
        taken: Taken = "yours" if theirs == base else "both" if ours == theirs else "theirs"
        if taken != "theirs":
            for row in ours:
                if row in moved[0]:
                    self._change(row, "position", taken)
            return
        for row in theirs:
            if row in moved[1] and row in moved[0]:
                self._sides[_OURS][row].add(mark_lines(self._change(row, "position", "conflict")))
            elif row in moved[1]:
                self._change(row, "position", "theirs")
                piece = self._sides[_OURS][row]
                self._final.pieces.remove(piece)
                del self._sides[_OURS][row]
                at, _ = self._place(row)
                self._put_in(at, row, piece)
            elif row in moved[0]:
                self._change(row, "position", "yours")

    # -- what is recorded

    def _layer(self, row: Row, taken: Taken, remark: str = "") -> MergeChange:
        return self._record(row, "", self._bodies(row), taken, remark)

    def _change(self, row: Row, path: str, taken: Taken, remark: str = "") -> MergeChange:
        return self._record(row, path, [self._behind(row, side) for side in range(3)], taken, remark)

    def _record(self, row: Row, path: str, values: Sequence[str], taken: Taken, remark: str) -> MergeChange:
        change = MergeChange(row.name, path, values[0], values[1], values[2], taken, remark)
        self.changes.append(change)
        return change

    def _bodies(self, row: Row) -> list[str]:
        return [
            ABSENT if i is None else shown([net.layers[i]], net.document.text)
            for net, i in zip(self._nets, (row.base, row.ours, row.theirs), strict=True)
        ]

    def _behind(self, row: Row, side: int) -> str:
        """`behind fc6`: where a layer stands in one of the nets."""
        place = (row.base, row.ours, row.theirs)[side]
        if place is None:
            return ABSENT
        return f"behind {self._nets[side].name(place - 1)}" if place else "first"
