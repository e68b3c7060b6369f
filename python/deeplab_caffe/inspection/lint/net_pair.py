"""Two nets of one model, of which one uses the weights that the other learns: where they compute different things."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ...formats.prototxt import Document, Field
from ...formats.signature import is_untouched, made_by, takes_edits_over
from ..diff import field_at
from .computation import computes, computing_changes, facts_of_layer, image_changes, is_identity
from .computation_by_type import Side, by_type
from .layer import LintBlob, LintLayer
from .net_file import NetFile, View

#: what the generator makes in the place of two documents: the pairs that it would write, none if it did not make them
Generator = Callable[[Document, Document], Sequence[tuple[Document, Document]]]


@dataclass(frozen=True)
class Difference:
    """A layer of a net that computes something else than the layer of its name in the training net.

    Args:
        learned: the layer in the training net.
        layer: the layer in the other net.
        path: the field that differs, such as "convolution_param.pad", or "bottom[0]".
        before: its value in the training net, as prototxt text.
        after: its value in the other net.
        wanted: the value with which the other net would compute the same, if that is not `before`; "" if it is.
    """

    learned: LintLayer
    layer: LintLayer
    path: str
    before: str
    after: str
    wanted: str = ""

    @property
    def field(self) -> str:
        """The path without the layer's own message: `dilation`."""
        first, _, rest = self.path.partition(".")
        return rest if rest and first.endswith("_param") else self.path

    @property
    def place(self) -> tuple[str, str]:
        return self.layer.name, self.path


def field_in(layer: LintLayer, path: str) -> Field | None:
    """The field of a layer at a path, the innermost present one around it, or the layer's own."""
    if layer.param.type == "Python" and path.partition(".")[0].endswith("_param"):
        path = "python_param.param_str"
    return field_at(layer.block, path) or layer.element


class NetPair:
    """A training net and another net in their states; `generator` knows which differences were generated."""

    def __init__(self, train: View, other: View, generator: Generator | None = None) -> None:
        self.train, self.other = train, other
        self._generator = generator
        self._names = [{layer.name for layer in view.layers} for view in (train, other)]
        #: the names of layers that are data in one of the nets, such as a Concat of two lists in a training net
        self._data = {layer.name for view in (train, other) for layer in view.layers if not layer.bottoms}

    def differences(self) -> list[Difference]:
        """Where the nets compute different things, without the differences that the generator makes itself."""
        found = list(self._all())
        if not found or _made_together(self.train.file.document, self.other.file.document):
            return []
        made = self._generated()
        return [kept for item in found if (kept := _beyond(item, made.get(item.place, ()))) is not None]

    def _all(self) -> Iterator[Difference]:
        known: dict[str, LintLayer] = {}
        for layer in self.train.layers:
            known.setdefault(layer.name, layer)
        seen: set[str] = set()
        for layer in self.other.layers:
            learned = known.get(layer.name)
            if learned is None or layer.name in seen or learned.incomplete or layer.incomplete:
                continue
            seen.add(layer.name)
            if computes(learned.param) and computes(layer.param):
                yield from self._fields(learned, layer)
                yield from self._bottoms(learned, layer)
        yield from self._images()

    def _generated(self) -> dict[tuple[str, str], list[Difference]]:
        """The differences of the nets that the generator makes in the place of these, by layer and path."""
        made: dict[tuple[str, str], list[Difference]] = {}
        documents = self.train.file.document, self.other.file.document
        for pair in self._generator(*documents) if self._generator else ():
            views = [_like(view, document) for view, document in zip((self.train, self.other), pair, strict=True)]
            for item in NetPair(views[0], views[1])._all():
                made.setdefault(item.place, []).append(item)
        return made

    # -- fields

    def _fields(self, learned: LintLayer, layer: LintLayer) -> Iterator[Difference]:
        found = [(change, "") for change in computing_changes(learned.param, layer.param)]
        if not (found and found[0][0].path == "type"):
            found = by_type(Side(self.train, learned), Side(self.other, layer), found)
        for change, wanted in found:
            yield Difference(learned, layer, change.path, change.before, change.after, wanted)

    # -- what is read

    def _bottoms(self, learned: LintLayer, layer: LintLayer) -> Iterator[Difference]:
        before, after = (self._sources(which, at) for which, at in ((0, learned), (1, layer)))
        if before is None or after is None:
            return
        if _any_order(layer.param):
            before, after = sorted(before), sorted(after)
        for i in range(max(len(before), len(after))):
            texts = [names[i] if i < len(names) else "(none)" for names in (before, after)]
            if texts[0] != texts[1]:
                yield Difference(learned, layer, f"bottom[{i}]", *texts)
                return

    def _sources(self, which: int, layer: LintLayer) -> list[str] | None:
        """What a layer reads, by the names of layers that both nets have; None if that cannot be told."""
        view = (self.train, self.other)[which]
        found = [self._source(view, view.bottom(layer, i)) for i in range(len(layer.bottoms))]
        return None if None in found else [text for text in found if text is not None]

    def _source(self, view: View, blob: LintBlob | None) -> str | None:
        passed: list[str] = []
        while blob is not None and not self._is_end(blob.maker):
            if len(blob.maker.bottoms) != 1 or len(blob.maker.tops) != 1 or blob.maker.incomplete:
                return None
            if not is_identity(blob.maker.param):
                passed.append(facts_of_layer(blob.maker.param).name)
            blob = view.bottom(blob.maker, 0)
        if blob is None:
            return None
        end = "the data" if blob.maker.name in self._data or not blob.maker.bottoms else blob.maker.name
        if blob.index and end == blob.maker.name:
            end += f", top {blob.index}"
        return f"{end} through {', '.join(reversed(passed))}" if passed else end

    def _is_end(self, maker: LintLayer) -> bool:
        """Whether a layer is one that both nets have, or data."""
        if not maker.bottoms:
            return True
        return all(maker.name in names for names in self._names) and computes(maker.param)

    # -- images

    def _images(self) -> Iterator[Difference]:
        """Data layers of the other net that prepare images differently than every data layer of the training net."""
        known = [layer for layer in self.train.layers if _prepares_images(layer)]
        for layer in self.other.layers:
            if not _prepares_images(layer) or layer in known:
                continue
            named = [learned for learned in known if learned.name == layer.name] or known
            found = [(learned, list(image_changes(learned.param, layer.param))) for learned in named]
            if found and all(changes for _, changes in found):
                learned, changes = found[0]
                for change in changes:
                    yield Difference(learned, layer, change.path, change.before, change.after)


def _prepares_images(layer: LintLayer) -> bool:
    return "transform_param" in facts_of_layer(layer.param).params and not layer.incomplete


def _any_order(param: Any) -> bool:
    """Whether the order of a layer's bottoms has no meaning."""
    return param.type == "Eltwise" and not param.eltwise_param.coeff


def _like(view: View, document: Document) -> View:
    file = NetFile(document, with_shapes=view.file.with_shapes)
    return View(file, view.phase, view.stages, view.level)


# -- what the generator makes


def _made_together(train: Document, other: Document) -> bool:
    """Whether both files are as one command has generated them, without edits that it took over."""
    texts = train.text, other.text
    untouched = all(is_untouched(text) and not takes_edits_over(text) for text in texts)
    return untouched and made_by(texts[0]) == made_by(texts[1])


def _beyond(item: Difference, made: Sequence[Difference]) -> Difference | None:
    """A difference that is not the generator's; its `wanted` value keeps the proportion that the generator makes."""
    for own in made:
        if (own.before, own.after) == (item.before, item.after):
            return None
        numbers = [_number(text) for text in (own.before, own.after, item.before, item.after)]
        if None not in numbers and numbers[0] and numbers[2]:
            made_before, made_after, before, after = numbers
            wanted = before * made_after / made_before  # type: ignore[operator]
            if wanted == after:
                return None
            if wanted == int(wanted):
                return Difference(item.learned, item.layer, item.path, item.before, item.after, f"{int(wanted)}")
    return item


def _number(text: str) -> float | None:
    try:
        return float(text.partition(" ")[0])
    except ValueError:
        return None
