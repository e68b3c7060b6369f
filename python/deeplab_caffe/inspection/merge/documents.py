"""Three versions of a net or a solver merged: as generated once, as edited by hand since, as generated now."""

from __future__ import annotations

from ...errors import InputError
from ...formats import schema
from ...formats.definition import is_solver
from ...formats.edits import Edits
from ...formats.placeholders import Placeholders
from ...formats.prototxt import Document
from .fields import FieldMerge
from .layers import LAYERS, Counterparts, NetText, with_blobs
from .marks import insert_mark, mark_lines, remove_marks
from .order import LayerOrder
from .outcome import MergeChange, MergeResult, Taken
from .rows import Row, rows_of
from .sources import other_sources

_KINDS = {"layer": schema.LayerParameter.DESCRIPTOR, "layers": schema.V1LayerParameter.DESCRIPTOR}


def merge_documents(base: Document, ours: Document, theirs: Document) -> MergeResult:
    """Merge an edited net, or solver, with what its generator makes now; by layers and fields, not by lines.

    What only one side changed is taken; comments, layout and order of the edited text stay. Where both changed one
    value in two ways, the edited one stays, below a comment `# CONFLICT …` that has both. Blobs that one side renamed
    are renamed in what comes from the other.

    Args:
        base: the generated text that the edit started from.
        ours: the edited text.
        theirs: the text as it is generated now.

    Raises:
        InputError: a text is not a valid net or solver, or they are not of one kind and dialect.

    Example:
        >>> layer = 'layer {{ name: "fc6" type: "Convolution" convolution_param {{ pad: {} dilation: {} }} }}'
        >>> base, ours, theirs = (Document(layer.format(*sizes)) for sizes in ((12, 12), (6, 12), (12, 24)))
        >>> merge_documents(base, ours, theirs).text
        'layer { name: "fc6" type: "Convolution" convolution_param { pad: 6 dilation: 24 } }'
        >>> print(merge_documents(base, ours, Document(layer.format(24, 12))).conflicts[0])
        fc6 convolution_param.pad: yours is 6, the generator's is now 24 (was 12)
    """
    solver = is_solver(ours)
    for document in (base, theirs):
        if is_solver(document) != solver:
            kinds = ["a solver" if one else "a net" for one in (solver, not solver)]
            raise InputError(f"{ours.filename} is {kinds[0]}, {document.filename} is {kinds[1]}; they cannot be merged")
    windows = "\r\n" in ours.text and "\n" not in ours.text.replace("\r\n", "")
    plain = Document(ours.text.replace("\r\n", "\n"), ours.filename) if windows else ours
    result = _Merge(base, plain, theirs, solver).result()
    if windows:
        result.text = result.text.replace("\n", "\r\n")
    if base.text == theirs.text:
        result.text = ours.text
    elif base.text == plain.text:
        result.text = theirs.text
    return result


class _Merge:
    def __init__(self, base: Document, ours: Document, theirs: Document, solver: bool) -> None:
        self._is_net = not solver
        self.changes: list[MergeChange] = []
        documents = self._with_renamed_blobs([base, ours, theirs])
        self.nets = [self._net(document) for document in documents]
        if len({field.name for net in self.nets for field in net.layers}) > 1:
            raise InputError(
                f"{ours.filename}: not in the dialect of the generated file; `deeplab prototxt upgrade` brings it to "
                "today's"
            )
        self.pairs = [Counterparts(self.nets[0], net) for net in self.nets[1:]]
        self.rows = rows_of(self.nets, self.pairs)

    def _net(self, document: Document) -> NetText:
        return NetText(document, self._placeholders, self._is_net)

    def _with_renamed_blobs(self, documents: list[Document]) -> list[Document]:
        """The documents with the blobs that one side renamed renamed in the others as well."""
        self._placeholders = Placeholders(*documents)
        base, ours, theirs = (self._net(document) for document in documents)
        own, new = (Counterparts(base, net).renamed_blobs() for net in (ours, theirs))
        clash = {old for old in own.keys() & new.keys() if own[old] != new[old]}
        own, new = ({old: name for old, name in names.items() if old not in clash} for names in (own, new))
        for old in own | new:
            taken: Taken = "both" if old in own and old in new else "yours" if old in own else "theirs"
            self.changes.append(MergeChange("", f"blob {old}", old, own.get(old, old), new.get(old, old), taken))
        both = own | new
        return [with_blobs(document, names) for document, names in zip(documents, (both, new, own), strict=True)]

    def result(self) -> MergeResult:
        base, ours, theirs = self.nets
        edits = Edits(ours.document)
        fields = FieldMerge(base.document, theirs.document, edits)
        kind = schema.NetParameter.DESCRIPTOR if self._is_net else schema.SolverParameter.DESCRIPTOR
        roots = [net.document.root for net in self.nets]
        fields.outside(kind, roots[0], roots[1], roots[2], LAYERS if self._is_net else ())
        for row in self.rows:
            if row.ours is not None and row.theirs is not None:
                self._layer(row, fields)
        settled = [change.place for change in fields.changes if change.taken != "yours"]
        remove_marks(edits, settled)
        edited = Document(edits.apply(), ours.document.filename)
        order = LayerOrder(self.nets, self.rows, self.pairs, edited, self._differences)
        text = order.text()
        self.changes += [*order.changes, *fields.changes]
        return MergeResult(self._with_other_sources(text, order) if self._is_net else text, self.changes)

    def _with_other_sources(self, text: str, order: LayerOrder) -> str:
        """The merged text with marks at layers that read another layer's blob now than they should."""
        merged = self._net(Document(text, self.nets[1].document.filename))
        edits = Edits(merged.document)
        layers = dict(zip(order.rows, merged.layers, strict=True))
        for other in other_sources(self.nets, self.rows, merged, order.rows):
            who = "your text" if other.is_users else "the generator's"
            remark = f"'{other.blob}' is made by {other.found} here, but by {other.wanted} in {who}; check the order"
            change = MergeChange(other.row.name, f"bottom[{other.bottom}]", "", "", "", "conflict", remark)
            self.changes.append(change)
            insert_mark(edits, layers[other.row].start, mark_lines(change))
        return edits.apply()

    def _layer(self, row: Row, fields: FieldMerge) -> None:
        base, ours, theirs = (net.layers for net in self.nets)
        assert row.ours is not None and row.theirs is not None
        before, own = None if row.base is None else base[row.base], ours[row.ours]
        fields.layer(row.name, _KINDS[own.name], before, own, theirs[row.theirs])

    def _differences(self, row: Row, side: int) -> list[str]:
        """What a side changed in a layer that the other side removed, in words; empty if nothing."""
        base, net = self.nets[0], self.nets[side]
        i, j = row.base, (row.ours, row.theirs)[side - 1]
        assert i is not None and j is not None
        before, after = base.layers[i], net.layers[j]
        fields = FieldMerge(base.document, base.document, Edits(net.document))
        fields.layer("", _KINDS[before.name], before, after, before)
        return [f"{change.path} {change.base} → {change.yours}" for change in fields.changes]
