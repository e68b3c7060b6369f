"""Rules about nonlinearities: where they are missing, and where they do not belong."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...formats.layer_facts import ACTIVATION, IDENTITY, NORMALISATION, types_where
from .findings import NOTE, WARNING, Hit, rule
from .layer import LintBlob, LintLayer
from .net_file import View
from .offers import naming

#: types between a convolution and its activation
_BETWEEN = types_where(lambda row: row.kind == NORMALISATION or row.in_use == IDENTITY)
#: types through which the scores of classes are followed, with what does not belong there
_SCORES = types_where(lambda row: row.keeps_scores or row.in_use == IDENTITY or row.kind == ACTIVATION)
_MOVES = types_where(lambda row: row.keeps_labels)
#: activations that stand behind another on purpose: |tanh x|, min(ReLU x, 6)
_AFTER_ANOTHER = ("AbsVal", "Clip")
_ByTag = dict[str | None, list[LintLayer]]
_TAG = re.compile(r"\d+(?:_\d+)*[a-z]?\d*")


@rule("relu-after-wrong-blob", WARNING, "an activation on a blob that already has one, or that its name does not match")
def relu_after_wrong_blob(view: View) -> Iterator[Hit]:
    """Copying a block and forgetting to change one name leaves one layer with two activations and another with none."""
    weighted = _weighted_by_tag(view)
    for layer in view.layers:
        if layer.facts.kind != ACTIVATION or not layer.bottoms:
            continue
        blob = view.bottom(layer, 0)
        if blob is None:
            continue
        named = _named_for_another(view, weighted, layer, blob)
        earlier = None if layer.type in _AFTER_ANOTHER else _activated(view, blob)
        if earlier is not None:
            missing = f"; '{named}' has none" if named else ""
            message = f"'{blob.name}' already has an activation, {earlier.title}{missing}"
            yield layer.hit(message, "read the intended blob", "bottom", 0)
        elif named:
            message = f"reads '{blob.name}', but its name matches '{named}', which has no activation"
            offers = naming(layer.find("bottom", 0), [named])
            yield layer.hit(message, f"read '{named}', or rename the layer", "bottom", 0, offers=offers)


def _activated(view: View, blob: LintBlob) -> LintLayer | None:
    """The activation that made a blob, perhaps with normalisation after it."""
    while blob.maker.type in _BETWEEN:
        before = view.bottoms[blob.maker.index]
        if not before or before[0] is None:
            return None
        blob = before[0]
    return blob.maker if blob.maker.facts.kind == ACTIVATION else None


def _named_for_another(view: View, weighted: _ByTag, layer: LintLayer, blob: LintBlob) -> str | None:
    """`conv5_3` for a relu5_3 that reads conv5_2, if conv5_3 is a weighted layer's blob that no activation reads."""
    tag = _tag(layer.name)
    if tag is None or tag == _tag(blob.name) or tag in blob.name:
        return None
    for other in weighted.get(tag, ()):
        if not _is_activated(view, other):
            return other.tops[0]
    return None


def _weighted_by_tag(view: View) -> _ByTag:
    """The weighted layers of a view with tops, by the tag in their names."""
    found: _ByTag = {}
    for layer in view.layers:
        if layer.weighted and layer.tops:
            found.setdefault(_tag(layer.name), []).append(layer)
    return found


def _tag(name: str) -> str | None:
    """`5_3` of conv5_3."""
    found = _TAG.search(name)
    return found[0] if found else None


def _is_activated(view: View, layer: LintLayer) -> bool:
    """Whether an activation reads what a layer makes, perhaps after normalisation."""
    names = {layer.tops[0]}
    for other in view.layers[view.layers.index(layer) + 1 :]:
        if other.bottoms and other.bottoms[0] in names:
            if other.facts.kind == ACTIVATION:
                return True
            if other.facts.kind == NORMALISATION:
                names.update(other.tops)
    return False


@rule("activation-on-scores", WARNING, "an activation or a Dropout between the last weights and the loss")
def activation_on_scores(view: View) -> Iterator[Hit]:
    """Scores may have any sign and size. A ReLU makes negative ones equal, and Dropout makes them noisy."""
    for loss in view.losses:
        if loss.type != "SoftmaxWithLoss":
            continue
        for blob in view.ancestors(view.bottom(loss, 0), through=_SCORES):
            dropout = blob.maker.type in ("Dropout", "SpatialDropout")
            if blob.maker.facts.kind == ACTIVATION or dropout:
                kind = "Dropout" if dropout else "activation"
                message = f"an {kind} on the scores '{blob.name}' that {loss.title} reads"
                yield blob.maker.hit(message.replace("an D", "a D"), "remove it: scores may have any value")


@rule("softmax-before-loss", WARNING, "a Softmax or Sigmoid before a loss that applies it itself")
def softmax_before_loss(view: View) -> Iterator[Hit]:
    """The loss applies softmax (sigmoid) itself. Applied twice, probabilities are nearly flat and training stalls."""
    for loss in view.losses:
        if loss.type not in ("SoftmaxWithLoss", "SigmoidCrossEntropyLoss"):
            continue
        for blob in view.ancestors(view.bottom(loss, 0), through=_MOVES):
            if blob.maker.type in ("Softmax", "Sigmoid"):
                message = f"{loss.title} applies the {blob.maker.type.lower()} itself, but reads '{blob.name}'"
                yield blob.maker.hit(message, "let the loss read the scores before this layer")


def _is_factored(one: LintLayer, other: LintLayer) -> bool:
    """Whether two convolutions are columns and rows of one kernel: k × 1 and 1 × k, as in ENet and Inception."""
    sizes = [(p.kernel_h, p.kernel_w) for p in (one.param.convolution_param, other.param.convolution_param)]
    return sizes[0] == sizes[1][::-1] and 1 in sizes[0] and max(sizes[0]) > 1


@rule("missing-activation", NOTE, "two layers with weights in a row, without an activation between them")
def missing_activation(view: View) -> Iterator[Hit]:
    """Two linear layers in a row can compute no more than one of them."""
    for layer in view.layers:
        if layer.type not in ("Convolution", "InnerProduct") or not layer.bottoms:
            continue
        for blob in view.ancestors(view.bottom(layer, 0), through=_BETWEEN):
            if blob.maker.type in ("Convolution", "InnerProduct") and not _is_factored(blob.maker, layer):
                message = f"reads '{blob.name}' of {blob.maker.title} without an activation between them"
                yield layer.hit(message, "add a ReLU between them", "bottom", 0)
                break
