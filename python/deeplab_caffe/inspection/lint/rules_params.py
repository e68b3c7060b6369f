"""Rules about learned parameters: fillers, multipliers, normalisation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial

from ...formats.edits import Edits
from ...formats.filler_types import FILLER_TYPES
from ...formats.layer_facts import ACTIVATION, types_where
from .findings import ERROR, NOTE, WARNING, Hit, Offer, rule
from .layer import LintLayer
from .net_file import View
from .offers import adding, naming, setting

_KEEPS_SCORES = types_where(lambda row: row.keeps_scores)


def _learned(view: View) -> list[LintLayer]:
    """The layers whose weights this net learns."""
    if not view.trains:
        return []
    return [x for x in view.layers if x.weighted and not x.incomplete and x.multiplier(0) != 0]


@rule("missing-filler", WARNING, "a new layer (one that learns faster, or makes the scores) without a weight_filler")
def missing_filler(view: View) -> Iterator[Hit]:
    """The default filler is constant 0. A layer that no weight file fills then starts at 0."""
    learned = _learned(view)
    usual = Counter(layer.multiplier(0) for layer in learned).most_common(1)
    scoring = _scoring(view)
    for layer in learned:
        faster = bool(usual) and layer.multiplier(0) > usual[0][0]
        if (faster or layer.index in scoring) and not layer.weights.HasField("weight_filler"):
            why = "learns faster than the rest" if faster else "makes the scores"
            message = f"{why}, so it is probably new, but has no weight_filler: its weights start at 0"
            wanted = 'weight_filler { type: "gaussian" std: 0.01 }'
            offers = adding(layer, wanted, _param(layer))
            yield layer.hit(message, f"set one, such as {wanted}", _param(layer), offers=offers)


def _scoring(view: View) -> set[int]:
    """The layers whose tops are scores for a loss."""
    found = set()
    for loss in view.losses:
        if loss.type in ("SoftmaxWithLoss", "SigmoidCrossEntropyLoss") and loss.bottoms:
            for blob in view.ancestors(view.bottom(loss, 0), through=_KEEPS_SCORES):
                found.add(blob.maker.index)
    return found


def _param(layer: LintLayer) -> str:
    return layer.facts.params[0]


def _is_one_value(filler: str) -> bool:
    return filler in FILLER_TYPES and FILLER_TYPES[filler].one_value


@rule("constant-filler", WARNING, "weights that all start at the same value, and so stay equal")
def constant_filler(view: View) -> Iterator[Hit]:
    """All outputs compute the same and get the same gradient, so they stay equal for ever."""
    scoring = _scoring(view)  # the labels make their outputs differ
    for layer in _learned(view):
        constant = layer.weights.HasField("weight_filler") and _is_one_value(layer.weights.weight_filler.type)
        if constant and layer.weights.num_output > 1 and layer.type != "Deconvolution" and layer.index not in scoring:
            yield layer.hit(
                "all weights start at the same value, so all outputs learn the same",
                "set a gaussian, xavier or msra filler", _param(layer), "weight_filler",
                offers=naming(layer.find(_param(layer), "weight_filler", "type"), ("xavier", "msra")),
            )  # fmt: skip


@rule("deconvolution-filler", NOTE, "a Deconvolution that neither learns nor has a filler: its output is 0")
def deconvolution_filler(view: View) -> Iterator[Hit]:
    """A frozen Deconvolution keeps its first values, and the default filler is 0: the output is 0. The scripts of FCN
    and HED set the weights themselves, so this is only a note.
    """
    for layer in view.layers if view.trains else []:
        frozen = layer.type == "Deconvolution" and layer.multiplier(0) == 0 and not layer.incomplete
        if frozen and not layer.weights.HasField("weight_filler"):
            message = "its weights are not learned and have no filler: unless they are loaded, its output is 0"
            wanted = 'weight_filler { type: "bilinear" }'
            offers = adding(layer, wanted, "convolution_param")
            yield layer.hit(message, f"set {wanted}", "convolution_param", offers=offers)


@rule("bias-multiplier", WARNING, "a bias without its own lr_mult, while other layers' biases learn at twice the rate")
def bias_multiplier(view: View) -> Iterator[Hit]:
    """Published nets learn biases at twice the rate and without weight decay; a layer that forgets it differs silently.
    """
    learned = [layer for layer in _learned(view) if layer.weights.bias_term]
    doubled = [x for x in learned if len(x.param.param) > 1 and x.multiplier(1) == 2 * x.multiplier(0)]
    if len(doubled) < 2 or 2 * len(doubled) < len(learned):
        return
    for layer in learned:
        stated = len(layer.param.param) > 1 and layer.param.param[1].HasField("lr_mult")
        if not stated:
            weight = layer.multiplier(0)
            message = f"has no lr_mult for its bias, which learns at 1; in {len(doubled)} layers at twice the weights'"
            wanted = f"param {{ lr_mult: {2 * weight:g} decay_mult: 0 }}"
            offers = _behind_the_weights(layer, wanted) if len(layer.param.param) == 1 else []
            yield layer.hit(message, f"add {wanted}", "param", offers=offers)


def _behind_the_weights(layer: LintLayer, text: str) -> list[Offer]:
    """Add the block of the bias behind that of the weights."""
    weights = layer.find("param")
    return [] if weights is None else [Offer(f"Add {text}", lambda edits: edits.insert_after(weights, text))]


@rule("weight-multiplier", WARNING, "a layer without lr_mult, while the other layers have one")
def weight_multiplier(view: View) -> Iterator[Hit]:
    """Multipliers default to 1. Where all other layers state theirs, this one was probably forgotten."""
    learned = _learned(view)
    stating = [layer for layer in learned if any(spec.HasField("lr_mult") for spec in layer.param.param)]
    if len(stating) < 2 or 2 * len(stating) < len(learned):
        return
    for layer in learned:
        if not layer.param.param:
            message = f"has no lr_mult, so weights and bias learn at 1; {len(stating)} layers have one"
            yield layer.hit(message, "add param { lr_mult: … decay_mult: … }")


@rule("batch-norm-multiplier", WARNING, "a lr_mult for the statistics of a BatchNorm, which the solver must not change")
def batch_norm_multiplier(view: View) -> Iterator[Hit]:
    """The three parameters are running statistics.

    BVLC's Caffe refuses another lr_mult; in others the solver would change them.
    """
    for layer in view.layers:
        if layer.type != "BatchNorm":
            continue
        for i in range(min(3, len(layer.param.param))):
            field = layer.find("param", i, "lr_mult")
            # the upgrade sets all three to 0, so look at what is written
            written = getattr(field.value, "text", "0") if field is not None else "0"
            if field is not None and not _is_zero(written):
                yield layer.hit(
                    f"lr_mult {written} for statistics, which the solver must not change", "set lr_mult: 0",
                    "param", i, "lr_mult", fix=partial(_set_zero, layer, i),
                )  # fmt: skip


def _is_zero(text: str) -> bool:
    try:
        return float(text) == 0
    except ValueError:  # a template variable
        return True


def _set_zero(layer: LintLayer, index: int, edits: Edits) -> None:
    field = layer.find("param", index, "lr_mult")
    assert field is not None
    edits.set_value(field, "0")


@rule("batch-norm-without-scale", NOTE, "a BatchNorm without a Scale after it, so mean and deviation stay fixed")
def batch_norm_without_scale(view: View) -> Iterator[Hit]:
    """BatchNorm only normalises in Caffe. The learned factor and offset of the paper are a Scale layer with a bias."""
    for layer in view.layers:
        if layer.type == "BatchNorm" and layer.tops:
            readers = view.tops[layer.index][0].readers
            if readers and all(reader.facts.kind == ACTIVATION or reader.weighted for reader in readers):
                message = "no Scale follows, so mean and deviation stay 0 and 1"
                yield layer.hit(message, "add a Scale with bias_term")


@rule("bias-before-batch-norm", NOTE, "a bias that the BatchNorm after it cancels")
def bias_before_batch_norm(view: View) -> Iterator[Hit]:
    """BatchNorm subtracts the mean, and the bias with it: the bias has no effect but takes memory and time."""
    for layer in _learned(view):
        if layer.weights.bias_term and layer.tops and layer.multiplier(1) != 0:
            readers = view.tops[layer.index][0].readers
            if readers and all(map(_subtracts_the_mean, readers)):
                message = "the BatchNorm after it subtracts its bias again, with the mean"
                offers = setting(layer, "false", _param(layer), "bias_term")
                yield layer.hit(message, "set bias_term: false", _param(layer), offers=offers)


def _subtracts_the_mean(layer: LintLayer) -> bool:
    """Whether this is a BatchNorm that subtracts the mean of the batch."""
    return layer.type == "BatchNorm" and not layer.param.batch_norm_param.use_global_stats


@rule("nothing-learns", WARNING, "a training net in which every lr_mult is 0")
def nothing_learns(view: View) -> Iterator[Hit]:
    """Training would run to the end and change nothing."""
    layers = [layer for layer in view.layers if layer.weighted]
    frozen = all(layer.multiplier(0) == layer.multiplier(1) == 0 and not layer.incomplete for layer in layers)
    if view.trains and layers and frozen:
        yield layers[-1].hit("no layer of this training net learns: every lr_mult is 0", "set some above 0", "param")


@rule("multiplier-range", ERROR, "a negative lr_mult or decay_mult, or a dropout_ratio outside 0 to 1")
def multiplier_range(view: View) -> Iterator[Hit]:
    """A negative lr_mult goes up the gradient; Dropout divides by 1 - ratio."""
    for layer in view.layers:
        for i, spec in enumerate(layer.param.param):
            for field in ("lr_mult", "decay_mult"):
                if getattr(spec, field) < 0:
                    message = f"{field} is {getattr(spec, field):g}, expected at least 0"
                    yield layer.hit(message, "set 0 or more", "param", i, field)
        param = {"Dropout": "dropout_param", "SpatialDropout": "spatial_dropout_param"}.get(layer.type)
        ratio = getattr(layer.param, param).dropout_ratio if param else 0
        if param and not 0 <= ratio < 1:
            message = f"dropout_ratio is {ratio:g}, expected at least 0 and less than 1"
            yield layer.hit(message, "set the share of values to drop", param, "dropout_ratio")
