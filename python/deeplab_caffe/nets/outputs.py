"""The outputs of a net, after the scores: loss and accuracy in training, scores at full resolution otherwise."""

from __future__ import annotations

from typing import Any

from ..caffe.net_spec import Top, layers
from ..formats import schema
from .blocks import Spec
from .net_context import NetContext


def shrunk_label(n: Spec, label: Top, factor: int = 8, pad_beg: int = 0, name: str = "label_shrink") -> Top:
    """Labels at the resolution of the scores: (N, 1, h, w) to (N, 1, (h + pad_beg - 1) / factor + 1, …)."""
    n.section(f"labels at the resolution of the scores: every {factor}th pixel, corners included")
    n[name] = layers.Interp(label, shrink_factor=factor, pad_beg=pad_beg, pad_end=0)
    return n[name]


def cross_entropy(context: NetContext, scores: Top, label: Top, **fields: Any) -> Top:
    """A SoftmaxWithLoss; if the options give the classes weights, an InfogainLoss with a diagonal matrix.

    Both divide by the number of pixels that are not ignored, whatever the weights, unless loss_param says otherwise.
    """
    if context.class_weights is None:
        return layers.SoftmaxWithLoss(scores, label, **fields)
    return layers.InfogainLoss(scores, label, infogain_loss_param={"source": context.class_weights}, **fields)


def loss_and_accuracy(n: Spec, context: NetContext, scores: Top, label: Top, suffix: str = "") -> None:
    """`loss` (in training only, without a top) and `accuracy`, of scores and labels of one resolution."""
    ignore = context.dataset.ignore_label
    if not suffix:
        n.section("the loss has no top, so the log's net outputs are the accuracies: pixels, classes, mean IoU")
    own = {"ntop": 0, "include": {"phase": schema.TRAIN}, "loss_param": {"ignore_label": ignore}}
    n[f"loss{suffix}"] = cross_entropy(context, scores, label, **own)
    n[f"accuracy{suffix}"] = layers.SegAccuracy(scores, label, ignore_label=ignore)


def full_resolution(n: Spec, scores: Top, name: str = "fc8_interp", factor: int = 8) -> Top:
    """Scores zoomed to the size of the input: (N, C, k+1, l+1) to (N, C, 8k+1, 8l+1), bilinear."""
    n.section("scores at the resolution of the image")
    n[name] = layers.Interp(scores, zoom_factor=factor)
    return n[name]


def mat_write(n: Spec, context: NetContext, scores: Top, name: str = "fc8") -> None:
    """`<name>_mat`: writes scores as <feature_dir>/<list>/<name>/<id>_blob_0.mat, if the options name feature_dir."""
    if context.options.feature_dir is None:
        return
    listed = context.list_file
    ids = context.dataset.lists.get(f"{context.list_name}_id", listed.with_name(f"{listed.stem}_id{listed.suffix}"))
    n[f"{name}_mat"] = layers.MatWrite(
        scores,
        ntop=0,
        include={"phase": schema.TEST},
        prefix=f"{context.options.feature_dir}/{context.list_name}/{name}/",
        source=ids.as_posix(),
        strip=0,
        period=1,
    )


def test_accuracy(n: Spec, context: NetContext, scores: Top, label: Top, top: str) -> None:
    """SegAccuracy at full resolution over all images tested so far (reset: false)."""
    ignore = context.dataset.ignore_label
    n.sections["accuracy"] = "over all images so far: pixels, classes, mean IoU"
    n[top] = layers.SegAccuracy(scores, label, ignore_label=ignore, reset=False, name="accuracy")


def silence(n: Spec, *unused: Top) -> None:
    """A Silence layer for tops of a test net that no layer reads, which would be outputs of the net otherwise."""
    n["silence"] = layers.Silence(*unused, ntop=0, include={"phase": schema.TEST})


def deploy_output(n: Spec, context: NetContext, scores: Top) -> None:
    """The output of a deploy net: the scores, or with option `softmax` their probabilities `prob`.

    The scores have the name that they have in the test net. Arg-max needs no softmax, the CRF computes its own, and
    frameworks that import the net expect scores; `prob` takes as much memory again.
    """
    if context.options.softmax:
        n.section("probabilities of the classes at every pixel")
        n["prob"] = layers.Softmax(scores)
