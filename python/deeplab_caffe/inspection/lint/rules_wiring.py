"""Rules about names and connections: what each layer reads, and what overwrites it."""

from __future__ import annotations

from collections.abc import Iterator

from ...formats.layer_facts import LAYER_FACTS, METRIC, WEIGHTS, types_where
from ...spelling import did_you_mean, nearest_word, nearest_words
from .findings import ERROR, WARNING, Hit, rule
from .layer import LintBlob, LintLayer
from .net_file import NetFile, View, is_loss
from .offers import naming


@rule("no-layers", WARNING, "a net without layers", "net")
def no_layers(file: NetFile) -> Iterator[Hit]:
    """It has no blobs and computes nothing: the file was emptied, or not completely written, or is not a net."""
    unread = file.refused or file.problems or file.document.errors  # other rules say what is wrong
    if not file.layers and not unread:
        yield file.hit(file.block.start, "the net has no layers", "write its layers, or restore the file")


@rule("unnamed-layer", WARNING, "a layer without a name, whose weights cannot be found", "net")
def unnamed_layer(file: NetFile) -> Iterator[Hit]:
    """Weights are saved and loaded by layer name, so nothing can load those of a layer without a name."""
    for layer in file.layers:
        if not layer.name and not layer.incomplete:
            yield layer.hit("the layer has no name", "add one: weights are found by name")


#: types that may have parameters, which a file of weights has by the layer's name
_WITH_PARAMS = types_where(lambda row: row.kind == WEIGHTS) | {"BatchNorm", "BN", "Scale", "Bias", "PReLU", "Python"}


def _has_params(view: View, layer: LintLayer) -> bool:
    """Whether a layer may have parameters; of an unknown type it may."""
    return layer.type in _WITH_PARAMS or layer.type not in LAYER_FACTS or bool(view.shapes.params(layer))


@rule("repeated-name", WARNING, "two layers with weights of the same name: they are loaded into the first only")
def repeated_name(view: View) -> Iterator[Hit]:
    """Weights are loaded by name into the first layer of that name; the second one keeps its initial values."""
    first: dict[str, LintLayer] = {}
    for layer in view.layers:
        if not layer.name or not _has_params(view, layer):
            continue
        before = first.setdefault(layer.name, layer)
        if before is not layer:
            line = before.document.place(before.offset("name"))[0]
            yield layer.hit(
                f"another layer has this name, on line {line}",
                "rename it: weights are loaded into the first only",
                "name",
            )


@rule("dangling-bottom", ERROR, "a bottom that no earlier layer makes")
def dangling_bottom(view: View) -> Iterator[Hit]:
    """A layer can read only what a layer before it has made; Caffe stops with `Unknown bottom blob`.

    A blob that is missing in a state which the net is not meant for (it has no data there, or lacks a layer of some
    stage) is no mistake, unless a solver uses that state.
    """
    made: set[str] = set()
    all_tops = {top: layer for layer in view.layers for top in layer.tops}
    for layer in view.layers:
        for i, name in enumerate(layer.bottoms):
            if view.bottoms[layer.index][i] is None:
                later = all_tops.get(name)
                if later is not None:
                    line = later.document.place(later.offset())[0]
                    message = f"bottom '{name}' is made only later, by {later.title} on line {line}"
                    yield layer.hit(message, "move this layer behind that one", "bottom", i)
                elif not _is_of_another_state(view, name):
                    message = f"bottom '{name}' is made by no layer before this one{_in(view)}"
                    advice = "use the name of an existing blob" + did_you_mean(name, sorted(made))
                    offers = naming(layer.find("bottom", i), nearest_words(name, sorted(made), 3))
                    yield layer.hit(message, advice, "bottom", i, offers=offers)
        made.update(layer.tops)


def _is_of_another_state(view: View, name: str) -> bool:
    """Whether a missing blob only shows that the net is not meant for this state, which was guessed from its rules."""
    if view.file.states_known:
        return False
    included = {layer.index for layer in view.layers}
    makers = [x for x in view.file.layers if name in x.tops and x.index not in included]
    staged = any(r.stage or r.not_stage for x in makers for r in (*x.param.include, *x.param.exclude))
    sources = [layer for layer in view.file.layers if not layer.bottoms and layer.tops]
    ruled = [layer for layer in sources if layer.param.include or layer.param.exclude]
    has_none = bool(ruled) and not any(layer.index in included for layer in ruled)
    return bool(makers) and (staged or has_none)


def _in(view: View) -> str:
    """` in TEST` if the net has several states."""
    return f" in {view.title}" if len(view.file.views) > 1 else ""


@rule("repeated-top", ERROR, "a blob that two layers make, the second not in place")
def repeated_top(view: View) -> Iterator[Hit]:
    """Two layers that write one blob without reading it overwrite each other; Caffe refuses the net."""
    first: dict[str, LintBlob] = {}
    for blob in view.blobs:
        before = first.setdefault(blob.name, blob)
        if before is not blob and blob.before is None:
            by = before.maker.title
            yield blob.maker.hit(
                f"top '{blob.name}' is already made by {by}", "give it another name", "top", blob.index
            )


@rule("unused-blob", WARNING, "a blob that no layer reads and that is not a result of the net", "net")
def unused_blob(file: NetFile) -> Iterator[Hit]:
    """A blob that nothing reads is often a misspelled connection. It costs memory, and Caffe logs it as an output."""
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
            yield layer.hit(message, f"remove it, or let a Silence layer read it{_like(file, layer, i)}", "top", i)


def _like(file: NetFile, layer: LintLayer, i: int) -> str:
    """A dangling bottom that this top was probably intended for."""
    missing = [
        name
        for view in file.views
        for other in view.layers
        for name, blob in zip(other.bottoms, view.bottoms[other.index], strict=True)
        if blob is None
    ]
    close = nearest_word(layer.tops[i], missing)
    return f"; no layer makes bottom '{close}'" if close else ""


@rule("in-place-shared", ERROR, "an in-place layer on a blob that another layer reads as well")
def in_place_shared(view: View) -> Iterator[Hit]:
    """The other layer would read the values before or after the change, depending on the order of the layers."""
    for blob in view.blobs:
        if blob.before is None:
            continue
        others = [reader for reader in blob.before.readers if reader is not blob.maker]
        if others:
            message = f"works in place on '{blob.name}', which {others[0].title} reads as well"
            yield blob.maker.hit(message, "give its top another name", "top", blob.index)


@rule("in-place-type", ERROR, "an in-place layer of a type that cannot work in place")
def in_place_type(view: View) -> Iterator[Hit]:
    """The layer would overwrite values that it still has to read, or its top has another shape than its bottom."""
    for blob in view.blobs:
        layer = blob.maker
        if blob.before is not None and layer.type in LAYER_FACTS and not layer.facts.in_place:
            message = f"{layer.type} cannot work in place, but its top '{blob.name}' is its bottom"
            yield layer.hit(message, "give its top another name", "top", blob.index)


@rule("in-place-gradient", WARNING, "an in-place layer that overwrites what the layer before needs for its gradient")
def in_place_gradient(view: View) -> Iterator[Hit]:
    """Caffe computes that layer's gradient from its top, which has been overwritten by then: the gradient is wrong."""
    for blob in view.blobs if view.trains else []:
        before = blob.before.maker if blob.before is not None else None
        if before is not None and before.facts.caffe_reads_top:
            message = f"overwrites the top of {before.title}, from which Caffe computes that layer's gradient"
            yield blob.maker.hit(message, "give its top another name", "top", blob.index)


@rule("include-and-exclude", ERROR, "a layer with both include and exclude rules", "net")
def include_and_exclude(file: NetFile) -> Iterator[Hit]:
    """Caffe accepts include rules or exclude rules for a layer, not both."""
    for layer in file.layers:
        if layer.param.include and layer.param.exclude:
            yield layer.hit("has both include and exclude rules", "keep one kind", "exclude", 0)


@rule("never-included", WARNING, "a layer that its rules exclude from every state", "net")
def never_included(file: NetFile) -> Iterator[Hit]:
    """The layer takes part in no phase and stage that the net is used in: probably its rule is misspelled."""
    included = {layer.index for view in file.views for layer in view.layers}
    states = ", ".join(view.title for view in file.views)
    for layer in file.layers:
        rules = "include" if layer.param.include else "exclude"
        if layer.index not in included and not layer.incomplete:
            message = f"no state in which the net is used ({states}) includes this layer"
            yield layer.hit(message, f"check its {rules} rule, and those of the data layers", rules, 0)


@rule("propagate-down-count", ERROR, "propagate_down or loss_weight values whose number is not that of the blobs")
def propagate_down_count(view: View) -> Iterator[Hit]:
    """The values are assigned to bottoms (tops for loss_weight) in order, so their number must match."""
    for layer in view.layers:
        for field, what, blobs in (("propagate_down", "bottom", layer.bottoms), ("loss_weight", "top", layer.tops)):
            count = len(getattr(layer.param, field))
            if count not in (0, len(blobs)) and not (field == "loss_weight" and is_loss(layer) and not blobs):
                message = f"has {count} {field} for {len(blobs)} {what}s"
                yield layer.hit(message, f"set it once per {what}, or not at all", field, 0)
