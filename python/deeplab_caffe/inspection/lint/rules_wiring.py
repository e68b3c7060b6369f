"""Rules about names and connections: which layer reads what, and what writes over it."""

from __future__ import annotations

from collections.abc import Iterator

from ...formats.layer_facts import METRIC
from ...spelling import did_you_mean, nearest_word
from .findings import ERROR, WARNING, Hit, rule
from .net_file import Layer, NetFile
from .views import Blob, View, is_loss


@rule("unnamed-layer", WARNING, "a layer without a name, whose weights nothing can find", "net")
def unnamed_layer(file: NetFile) -> Iterator[Hit]:
    for layer in file.layers:
        if not layer.name and not layer.incomplete:
            yield layer.hit("the layer has no name", "state one: weights are found by it")


@rule("repeated-name", WARNING, "two layers of one name in one net, of which weights are loaded into the first")
def repeated_name(view: View) -> Iterator[Hit]:
    first: dict[str, Layer] = {}
    for layer in view.layers:
        before = first.setdefault(layer.name, layer)
        if before is not layer and layer.name:
            line = before.file.document.place(before.offset("name"))[0]
            yield layer.hit(
                f"another layer has this name, on line {line}", "give it its own: weights go to the first", "name"
            )


@rule("dangling-bottom", ERROR, "a bottom that no layer before makes")
def dangling_bottom(view: View) -> Iterator[Hit]:
    made: set[str] = set()
    all_tops = {top: layer for layer in view.layers for top in layer.tops}
    for layer in view.layers:
        for i, name in enumerate(layer.bottoms):
            if view.bottoms[layer.index][i] is None:
                later = all_tops.get(name)
                if later is not None:
                    line = later.file.document.place(later.offset())[0]
                    message = f"bottom '{name}' is made only later, by {later.title} on line {line}"
                    yield layer.hit(message, "put this layer behind that one", "bottom", i)
                else:
                    message = f"bottom '{name}' is made by no layer before this one{_in(view)}"
                    advice = "write the name of a blob" + did_you_mean(name, sorted(made))
                    yield layer.hit(message, advice, "bottom", i)
        made.update(layer.tops)


def _in(view: View) -> str:
    """` in TEST`, where the net has several states."""
    return f" in {view.title}" if len(view.file.views) > 1 else ""


@rule("repeated-top", ERROR, "a blob that two layers make, the second not in place")
def repeated_top(view: View) -> Iterator[Hit]:
    first: dict[str, Blob] = {}
    for blob in view.blobs:
        before = first.setdefault(blob.name, blob)
        if before is not blob and blob.before is None:
            by = before.maker.title
            yield blob.maker.hit(
                f"top '{blob.name}' is made by {by} already", "give it another name", "top", blob.index
            )


@rule("unused-blob", WARNING, "a blob that no layer reads and that is no result of the net", "net")
def unused_blob(file: NetFile) -> Iterator[Hit]:
    used: dict[tuple[int, int], bool] = {}
    for view in file.views:
        reads_all = bool(view.losses)
        for blob in view.blobs:
            source = not blob.maker.bottoms and blob.maker.type != "Parameter"
            result = blob.maker.facts.kind == METRIC or is_loss(blob.maker) or not (reads_all or source)
            key = (blob.maker.index, blob.index)
            used[key] = used.get(key, False) or bool(blob.readers) or result
    for (index, i), is_used in used.items():
        if not is_used:
            layer = file.layers[index]
            message = f"top '{layer.tops[i]}' is read by no layer"
            yield layer.hit(message, f"take it out, or put it into a Silence layer{_like(file, layer, i)}", "top", i)


def _like(file: NetFile, layer: Layer, i: int) -> str:
    """The dangling bottom that this top may have been meant for."""
    missing = [
        name
        for view in file.views
        for other in view.layers
        for name, blob in zip(other.bottoms, view.bottoms[other.index], strict=True)
        if blob is None
    ]
    close = nearest_word(layer.tops[i], missing)
    return f"; bottom '{close}' is made by nobody" if close else ""


@rule("in-place-shared", ERROR, "a layer in place on a blob that another layer reads, too")
def in_place_shared(view: View) -> Iterator[Hit]:
    for blob in view.blobs:
        if blob.before is None:
            continue
        others = [reader for reader in blob.before.readers if reader is not blob.maker]
        if others:
            message = f"works in place on '{blob.name}', which {others[0].title} reads, too"
            yield blob.maker.hit(message, "give its top a name of its own", "top", blob.index)


@rule("in-place-type", ERROR, "a layer in place whose type reads its bottom while it writes")
def in_place_type(view: View) -> Iterator[Hit]:
    for blob in view.blobs:
        layer = blob.maker
        if blob.before is not None and layer.type and not layer.facts.in_place:
            message = f"{layer.type} cannot work in place, but its top '{blob.name}' is its bottom"
            yield layer.hit(message, "give its top a name of its own", "top", blob.index)


@rule("in-place-gradient", WARNING, "a layer in place over what the layer before needs for its gradient")
def in_place_gradient(view: View) -> Iterator[Hit]:
    for blob in view.blobs if view.trains else []:
        before = blob.before.maker if blob.before is not None else None
        if before is not None and before.facts.caffe_reads_top:
            message = f"works in place on the top of {before.title}, whose gradient is made from it in Caffe"
            yield blob.maker.hit(message, "give its top a name of its own", "top", blob.index)


@rule("include-and-exclude", ERROR, "a layer that states both include and exclude rules", "net")
def include_and_exclude(file: NetFile) -> Iterator[Hit]:
    for layer in file.layers:
        if layer.param.include and layer.param.exclude:
            yield layer.hit("states both include and exclude rules", "keep one kind", "exclude", 0)


@rule("never-included", WARNING, "a layer whose rules no state meets", "net")
def never_included(file: NetFile) -> Iterator[Hit]:
    included = {layer.index for view in file.views for layer in view.layers}
    states = ", ".join(view.title for view in file.views)
    for layer in file.layers:
        rules = "include" if layer.param.include else "exclude"
        if layer.index not in included and not layer.incomplete:
            message = f"no state in which the net is whole ({states}) lets this layer in"
            yield layer.hit(message, f"look at its {rules} rule, and at the data layers'", rules, 0)


@rule("propagate-down-count", ERROR, "propagate_down or loss_weight stated for another number of blobs than there are")
def propagate_down_count(view: View) -> Iterator[Hit]:
    for layer in view.layers:
        for field, what, blobs in (("propagate_down", "bottom", layer.bottoms), ("loss_weight", "top", layer.tops)):
            count = len(getattr(layer.param, field))
            if count not in (0, len(blobs)) and not (field == "loss_weight" and is_loss(layer) and not blobs):
                message = f"states {field} {count} times for {len(blobs)} {what}s"
                yield layer.hit(message, f"state it once for each {what}, or not at all", field, 0)
