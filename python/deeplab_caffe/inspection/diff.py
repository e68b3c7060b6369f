"""Two nets, or two solvers, compared by meaning rather than line by line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import InputError
from ..formats.definition import definition_in, is_solver
from ..formats.placeholders import Placeholders
from ..formats.prototxt import Document
from ..formats.tree import Block, Field
from ..formats.wiring import Maker, Wiring
from .diff_class_weights import alike
from .diff_fields import ABSENT, FieldChange, changes
from .diff_match import Matching
from .diff_solvers import alike_solvers
from .diff_unknown import unknown_changes, unknown_in, unknown_outside
from .meaning import plain


@dataclass(frozen=True)
class LayerPlace:
    """A layer and its place in the file, `file:line:column`."""

    name: str
    type: str
    where: str


@dataclass(frozen=True)
class LayerChange:
    """A layer that both nets have.

    fields: the fields that differ; connections: the bottoms that differ, with the blob names of each net; moved:
    whether its place in the order of layers differs.
    """

    before: LayerPlace
    after: LayerPlace
    fields: tuple[FieldChange, ...] = ()
    connections: tuple[FieldChange, ...] = ()
    moved: bool = False

    @property
    def renamed(self) -> bool:
        return self.before.name != self.after.name


@dataclass
class PrototxtDifference:
    """All differences between two files; `equal` if there are none.

    top: fields outside layers (all fields of a solver); removed, added, changed: layers in the order of their nets;
    blobs: (old, new) names of blobs that were renamed although their layers were not.
    """

    before: str
    after: str
    top: list[FieldChange] = field(default_factory=list)
    removed: list[LayerPlace] = field(default_factory=list)
    added: list[LayerPlace] = field(default_factory=list)
    changed: list[LayerChange] = field(default_factory=list)
    blobs: list[tuple[str, str]] = field(default_factory=list)

    @property
    def equal(self) -> bool:
        return not (self.top or self.removed or self.added or self.changed or self.blobs)


def diff_documents(before: Document, after: Document) -> PrototxtDifference:
    """Compare two parsed nets or two solvers, of any dialects.

    Template variables without values are compared as they are written, and so is what another Caffe may know.

    Raises:
        InputError: if a file is not a valid net or solver, or one is a net and the other a solver.

    Example:
        >>> net = 'layer { name: "pool" type: "Pooling" bottom: "data" top: "pool" pooling_param { %s } }'
        >>> before, after = Document(net % "kernel_size: 2", "a"), Document(net % "kernel_size: 3", "b")
        >>> [change.fields[0].short for change in diff_documents(before, after).changed]
        ['kernel_size 2 → 3']
    """
    solvers = [is_solver(document) for document in (before, after)]
    if solvers[0] != solvers[1]:
        kinds = ["a solver" if solver else "a net" for solver in solvers]
        found = f"{before.filename} is {kinds[0]}, {after.filename} is {kinds[1]}"
        raise InputError(f"{found}; expected two nets or two solvers")
    return _Comparison(before, after).solvers() if solvers[0] else _Comparison(before, after).nets()


class _Comparison:
    def __init__(self, before: Document, after: Document) -> None:
        self.documents = before, after
        self.placeholders = Placeholders(before, after)
        self.result = PrototxtDifference(before.filename, after.filename)

    def solvers(self) -> PrototxtDifference:
        params, unknown = alike_solvers(*self.documents, self.placeholders)
        roots = [document.root for document in self.documents]
        found = [*self._changes(*params), *unknown_changes(*unknown)]
        self.result.top = [self._placed(change, roots, ("", "")) for change in found]
        return self.result

    def nets(self) -> PrototxtDifference:
        nets = [definition_in(document, self.placeholders, keep_unknown=True) for document in self.documents]
        roots = [document.root for document in self.documents]
        skip = ("layer", "layers", "input", "input_dim", "input_shape")
        top = [*self._changes(nets[0].param, nets[1].param, skip), *unknown_changes(*map(unknown_outside, roots))]
        self.result.top = [self._placed(change, roots, ("", "")) for change in top]
        self.blocks = [_blocks(document) for document in self.documents]
        self.origins = [[entry.origin for entry in net.entries] for net in nets]
        self.matching = Matching(*([entry.param for entry in net.entries] for net in nets))
        self._layers()
        return self.result

    def _layers(self) -> None:
        matching, result = self.matching, self.result
        before, after = matching.before.layers, matching.after.layers
        result.removed = [self._place(0, i) for i in range(len(before)) if i not in matching.to_after]
        result.added = [self._place(1, j) for j in range(len(after)) if j not in matching.to_before]
        moved = matching.moved()
        blobs: dict[tuple[str, str], None] = {}
        for j, i in sorted(matching.to_before.items()):
            change = self._layer(i, j, i in moved)
            if change.fields or change.connections or change.moved or change.renamed:
                result.changed.append(change)
            if not change.renamed:
                blobs.update(dict.fromkeys((a, b) for a, b in zip(before[i].top, after[j].top, strict=False) if a != b))
        renamed = {(change.before.name, change.after.name) for change in result.changed}
        result.blobs = [names for names in blobs if names not in renamed]

    def _layer(self, i: int, j: int, moved: bool) -> LayerChange:
        before, after = self.matching.before.layers[i], self.matching.after.layers[j]
        places = self._place(0, i), self._place(1, j)
        blocks = [self.blocks[k].get(place.where) for k, place in enumerate(places)]
        origins = places[0].where, places[1].where
        before, after, unknown = alike(before, after, (unknown_in(blocks[0]), unknown_in(blocks[1])))
        found: list[FieldChange] = []
        if before != after:
            stated = self._changes(plain(before), plain(after), _left_out(before, after))
            found = [self._placed(change, blocks, origins) for change in stated]
        found += [self._placed(change, blocks, origins) for change in unknown_changes(*unknown)]
        return LayerChange(*places, tuple(found), tuple(self._connections(i, j)), moved)

    # -- connections

    def _connections(self, i: int, j: int) -> Iterator[FieldChange]:
        """The bottoms that come from another layer than before, were removed or were added."""
        before, after = self.matching.before, self.matching.after
        old, new = list(before.layers[i].bottom), list(after.layers[j].bottom)
        for k in range(max(len(old), len(new))):
            if k < min(len(old), len(new)) and self._same_source(before.makers[i][k], after.makers[j][k]):
                continue
            texts = [
                self._source(wiring, layer, k) if k < len(names) else ABSENT
                for wiring, layer, names in ((before, i, old), (after, j, new))
            ]
            yield FieldChange(f"bottom[{k}]", *texts)

    def _same_source(self, before: list[Maker], after: list[Maker]) -> bool:
        if not before or not after:
            return not before and not after
        old = {self._skip_new(self.matching.before, maker, self.matching.to_after) for maker in before}
        new = {self._skip_new(self.matching.after, maker, self.matching.to_before) for maker in after}
        return any((self.matching.to_after.get(layer), end) in new for layer, end in old)

    @staticmethod
    def _skip_new(wiring: Wiring, maker: Maker, known: dict[int, int]) -> Maker:
        """What makes a blob, skipping in-place layers that only one net has: those are reported by themselves."""
        while maker[0] not in known and wiring.is_in_place(maker[0]) and wiring.makers[maker[0]][0]:
            maker = wiring.makers[maker[0]][0][0]
        return maker

    @staticmethod
    def _source(wiring: Wiring, layer: int, bottom: int) -> str:
        """A blob's name, with that of the layer that makes it if it differs."""
        name = str(wiring.layers[layer].bottom[bottom])
        makers = wiring.makers[layer][bottom]
        made_by = wiring.layers[makers[0][0]].name if makers else name
        return name if made_by == name else f"{name} (of {made_by})"

    # -- places

    def _place(self, which: int, layer: int) -> LayerPlace:
        p = (self.matching.before, self.matching.after)[which].layers[layer]
        return LayerPlace(p.name, p.type, self.origins[which][layer])

    def _changes(self, before: Any, after: Any, skip: Sequence[str] = ()) -> Iterator[FieldChange]:
        return changes(before, after, skip, self.placeholders.texts)

    def _placed(self, change: FieldChange, blocks: Sequence[Block | None], around: tuple[str, str]) -> FieldChange:
        """A change with the places of its values (the place `around` them if they are absent)."""
        found = zip(self.documents, blocks, around, strict=True)
        places = [_where(document, block, change.path) or place for document, block, place in found]
        return replace(change, where_before=places[0], where_after=places[1])


def _left_out(before: Any, after: Any) -> list[str]:
    """The fields that are not compared here: those compared elsewhere and, for layers of different types, those that
    only one of the layers states."""
    skipped = ["name", "bottom", "top"]
    weights = [list(p.loss_weight) or ([1.0] if p.type.endswith("Loss") else []) for p in (before, after)]
    if weights[0] == weights[1]:
        skipped.append("loss_weight")
    if before.type != after.type:
        stated = [{d.name for d, _ in p.ListFields()} for p in (before, after)]
        skipped += stated[0] ^ stated[1]
    return skipped


def _blocks(document: Document) -> dict[str, Block]:
    """The blocks of the layers in a file, by place."""
    return {
        document.where(item.start): item.value
        for item in document.root.fields
        if item.name in ("layer", "layers") and isinstance(item.value, Block)
    }


#: a field → the fields that older dialects, or other spellings, use for it
_OTHERWISE = {
    "dilation": ("hole", "hole_h", "hole_w"),
    "kernel_size": ("kernelsize", "kernel_h", "kernel_w"),
    "stride": ("stride_h", "stride_w"),
    "pad": ("pad_h", "pad_w"),
    "lr_mult": ("blobs_lr",),
    "decay_mult": ("weight_decay",),
    "loss_param": ("softmaxloss_param",),
    "type": ("solver_type",),
    "axis": ("concat_dim", "slice_dim"),
    "normalization": ("normalize",),
    "shape": ("num",),
}


def _where(document: Document, block: Block | None, path: str) -> str:
    """The place of the field at a path, or of the innermost present field around it; else an empty text."""
    found = field_at(block, path)
    return "" if found is None else document.where(found.start)


def field_at(block: Block | None, path: str) -> Field | None:
    """The field at a path, or the innermost present field around it, in the spelling of any dialect; None if none is.

    Args:
        block: the fields of a layer, a net or a solver.
        path: as in FieldChange, such as "convolution_param.pad" or "param[1].lr_mult".
    """
    found: Field | None = None
    for part in path.split("."):
        name, _, index = part.rstrip("]").partition("[")
        inner = _child(block, name, int(index or -1)) if block is not None else None
        if inner is None:
            break
        found = inner
        block = found.value if isinstance(found.value, Block) else None
    return found


def _child(block: Block, name: str, index: int) -> Field | None:
    """The field of a name or of another spelling of it; of several fields the one of that index, or the last."""
    names = (name, *_OTHERWISE.get(name, ()))
    found = [item for item in block.fields if item.name in names]
    if index >= len(found):
        return None
    return found[index] if found else None
