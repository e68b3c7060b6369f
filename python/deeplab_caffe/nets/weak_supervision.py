"""Weak and semi-supervised learning (Papandreou, Chen, Murphy, Yuille, arXiv 1502.02734): labels of images, and boxes.

A training net estimates the label of each pixel from its own scores and the weak labels (E-step), and learns from that
estimate (M-step); test and deploy nets are DeepLab's. The released nets are weak_em_adapt and semi_bbox_em_fixed; the
others are these with another E-step or other data, as the paper describes them. Choices where it is silent:

- Labels of an image are derived from its pixel labels, as in the release: those in the crop, background included.
- Image labels alone train the net with the small field of view, labels of pixels or boxes LargeFOV, as in the release.
- Strong and weak images are half of a batch each and have loss weights .7 and .3, as in the release for boxes.
- Rectangles and segmentations of boxes are label maps made beforehand (`deeplab box-labels`) and learnt unchanged.
- EM-Fixed on boxes alone starts from the net trained on rectangles. From scores that mean little yet, background, the
  most frequent label, would fill every box, and nothing would correct it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from ..caffe.net_spec import Top, layers, params
from ..formats import schema
from . import data_layers, heads, outputs, roles, vgg16
from .blocks import Spec
from .deeplab_v1 import large_fov, large_fov_scores
from .net_context import NetContext
from .solver_recipes import STEP_V1, Recipe
from .variant import Build, Variant

#: the bias of an E-step: from scores and weak labels to the scores whose maximum is the estimate
EStepBias = Callable[[Spec, NetContext, str, Top, Top], Top]


class Weak(NamedTuple):
    """One kind of weak labels.

    Attributes:
        name: in the names of layers.
        bias: that of the E-step; None where the labels are learnt unchanged.
        of_images: whether there is a list of labels for each image; otherwise each pixel has a label.
    """

    name: str
    bias: EStepBias | None = None
    of_images: bool = False


def em_fixed(n: Spec, context: NetContext, name: str, scores: Top, labels: Top, **biases: Any) -> Top:
    """EM-Fixed (§3.2): constants are added to the scores of the image's labels, more to objects than to background."""
    own = {**biases, "ignore_label": context.dataset.ignore_label}
    return n.put(name, layers.BiasChannel(scores, labels, bias_channel_param=own))


def em_adapt(n: Spec, context: NetContext, name: str, scores: Top, labels: Top) -> Top:
    """EM-Adapt (§3.2): what is added makes background the label of 40 % of the pixels, and each object that of 20 %."""
    own = {"bg_portion": 0.4, "fg_portion": 0.2, "num_iter": 5, "suppress_others": True, "margin_others": 1e-5}
    return n.put(name, layers.AdaptiveBiasChannel(scores, labels, adaptive_bias_channel_param=own))


def small_fov_scores(n: Spec, context: NetContext, images: Top) -> Top:
    """Scores of DeepLab with 4x4 kernels at rate 4 on odd pools: (N, 3, 8k+1, 8l+1) to (N, C, k+1, l+1)."""
    trunk = vgg16.trunk(n, images)
    n.section("head: 4x4 kernels at rate 4 give fc6 a field of view of 128 pixels")
    top = heads.fc6_fc7(n, trunk, heads.SMALL_4X4)
    n.section(f"scores of the {context.num_classes} classes of {context.dataset.title}")
    return heads.scores(n, context.classifier, top, context.num_classes)


# -- weak labels alone


def weak(n: Spec, context: NetContext, scores: roles.ScoreBuilder, kind: Weak) -> None:
    """A net that learns from weak labels alone."""
    if not context.is_training:
        return roles.write_net(n, context, scores)
    images, label = data_layers.images_and_labels(n, context, label="label_strong" if kind.of_images else "label")
    listed = _labels_of_image(n, context, label) if kind.of_images else None
    top = scores(n, context, images)
    shrunk = outputs.shrunk_label(n, label)
    guess = _e_step(n, context, kind, top, listed or shrunk, biased="fc8_biased", estep="label_estep")
    _loss(n, context, "loss", top, guess)
    _accuracy(n, context, "accuracy", top, shrunk)


def _labels_of_image(n: Spec, context: NetContext, label: Top) -> Top:
    """`label_weak` (N, C, 1, 1): the labels in each label map, C of them at most. (The release allows ten.)"""
    n.section("the labels of each image, background among them: all that training sees")
    own = {"max_labels": context.num_classes, "ignore_label": context.dataset.ignore_label}
    n["label_weak"] = layers.UniqueLabel(label, include={"phase": schema.TRAIN}, unique_label_param=own)
    return n["label_weak"]


def _e_step(n: Spec, context: NetContext, kind: Weak, scores: Top, labels: Top, *, biased: str, estep: str) -> Top:
    """The labels to learn from: the arg-max of the biased scores, or without a bias the weak labels themselves."""
    if kind.bias is None:
        return labels
    n.section("E-step: the labels of the pixels, guessed from the scores and the weak labels")
    top = kind.bias(n, context, biased, scores, labels)
    return n.put(estep, layers.ArgMax(top, axis=1))


def _loss(n: Spec, context: NetContext, name: str, scores: Top, labels: Top, **weight: float) -> None:
    """A loss without a top, in training only. No gradient flows into the estimate, which counts as the truth."""
    n[name] = layers.SoftmaxWithLoss(
        scores,
        labels,
        ntop=0,
        include={"phase": schema.TRAIN},
        propagate_down=[True, False],
        loss_param={"ignore_label": context.dataset.ignore_label},
        **weight,
    )


def _accuracy(n: Spec, context: NetContext, name: str, scores: Top, labels: Top) -> None:
    n[name] = layers.SegAccuracy(scores, labels, ignore_label=context.dataset.ignore_label)


# -- strong and weak labels


def semi(n: Spec, context: NetContext, kind: Weak) -> None:
    """LargeFOV on batches half of images with labels of pixels, half of weakly labelled images."""
    if not context.is_training:
        return large_fov(n, context)
    strong, label = data_layers.images_and_labels(n, context, "data_strong", "label_strong")
    images, weak_label = data_layers.images_and_labels(
        n, context, f"data_{kind.name}", f"label_{kind.name}", context.weak_list
    )
    listed = _labels_of_image(n, context, weak_label) if kind.of_images else None
    n["data"] = layers.Concat(strong, images, axis=0)
    scores = large_fov_scores(n, context, n["data"])
    n["fc8_strong"], n[f"fc8_{kind.name}"] = layers.Slice(
        scores, ntop=2, name="fc8_slice", axis=0, slice_point=context.recipe.batch_size, include={"phase": schema.TRAIN}
    )
    _strong_and_weak(n, context, kind, label, weak_label, listed)


def _strong_and_weak(n: Spec, context: NetContext, kind: Weak, label: Top, weak_label: Top, listed: Top | None) -> None:
    """Losses and accuracies of both halves of the batch."""
    top, weak_top = n["fc8_strong"], n[f"fc8_{kind.name}"]
    shrunk = outputs.shrunk_label(n, label, name="label_shrink_strong")
    _loss(n, context, "loss_strong", top, shrunk, loss_weight=0.7)
    weak_shrunk = outputs.shrunk_label(n, weak_label, name=f"label_shrink_{kind.name}")
    names = {"biased": f"fc8_{kind.name}_biased", "estep": f"label_{kind.name}_estep"}
    guess = _e_step(n, context, kind, weak_top, listed or weak_shrunk, **names)
    _loss(n, context, f"loss_{kind.name}", weak_top, guess, loss_weight=0.3)
    _accuracy(n, context, "accuracy_strong", top, shrunk)
    _accuracy(n, context, f"accuracy_{kind.name}", weak_top, weak_shrunk)


# -- the table


def _image(bias: EStepBias) -> Weak:
    return Weak("image", bias, of_images=True)


#: biases of background and objects: for boxes the release's; for labels of images the paper has fg_bias > bg_bias > 0
_FIXED_BY_IMAGE = _image(partial(em_fixed, bg_bias=3, fg_bias=5))
_FIXED_BY_BOX = Weak("bbox", partial(em_fixed, bg_bias=5, fg_bias=6, label_type=params.BiasChannel.PIXEL))
_BY_BOX = Weak("bbox")

_SOURCE = "Weakly- and Semi-Supervised Learning (arXiv 1502.02734), Tables 1 and 3"
_RELEASED = f"{_SOURCE}, and the released net and solvers"
_NO_WEIGHTS = {"class_weights": "it learns from weak labels, so how often each class occurs is not known before"}
_RECIPES = tuple(replace(stage, batch_size=20) for stage in STEP_V1)
_MIXED = tuple(replace(stage, batch_size=15, lists=("train",)) for stage in STEP_V1)


def _weak_lists(suffix: str = "") -> tuple[Recipe, ...]:
    """Half of a batch are images of "train", half are the others, in stage 2 with those of val."""
    names = ("train_aug_diff_train", "trainval_aug_diff_train")
    first, second = (replace(s, weak_lists=(f"{name}{suffix}",)) for s, name in zip(_MIXED, names, strict=True))
    return replace(first, average_loss=100), second


def _box_lists(kind: str) -> tuple[Recipe, ...]:
    """All images, with the labels that were made from their boxes."""
    lists = (f"train_aug_bbox_{kind}", f"trainval_aug_bbox_{kind}")
    return tuple(replace(stage, lists=(name,)) for stage, name in zip(STEP_V1, lists, strict=True))


_SMALL = Variant(
    title="DeepLab-Weak-EM-Adapt: labels of images, adaptive biases",
    build=partial(weak, scores=small_fov_scores, kind=_image(em_adapt)),
    recipes=_RECIPES,
    source=_RELEASED,
    initial="VGG-16, its fc6 subsampled to 4x4 (vgg16_128.caffemodel)",
    parameters=65_140_565,
    field_of_view=128,
    refuses=_NO_WEIGHTS,
)


def _large(words: str, build: Build, recipes: tuple[Recipe, ...], **changes: Any) -> Variant:
    """A row whose test and deploy nets are LargeFOV."""
    row = replace(
        _SMALL,
        title=f"DeepLab-LargeFOV-{words}",
        build=build,
        recipes=recipes,
        source=_SOURCE,
        initial="VGG-16, its fc6 subsampled to 3x3, its fc6 and fc7 to 1024 channels (vgg16_20M.caffemodel)",
        parameters=20_505_429,
        field_of_view=224,
    )
    return replace(row, **changes)


def _semi(words: str, kind: Weak, suffix: str = "", **changes: Any) -> Variant:
    """A row of a net that is trained on mixed batches."""
    both = {"reads": ("weak_set", "weak2_set"), **changes}
    return _large(f"Semi-{words}", partial(semi, kind=kind), _weak_lists(suffix), **both)


_BOXES_EM = partial(weak, scores=large_fov_scores, kind=_FIXED_BY_BOX)
_AFTER_RECTANGLES = {"initial": "the trained bbox_rect", "starts_from": "bbox_rect"}

VARIANTS: dict[str, Variant] = {
    "weak_em_adapt": _SMALL,
    "weak_em_fixed": replace(
        _SMALL,
        title="DeepLab-Weak-EM-Fixed: labels of images, fixed biases",
        build=partial(weak, scores=small_fov_scores, kind=_FIXED_BY_IMAGE),
        source=_SOURCE,
    ),
    "semi_em_fixed": _semi("EM-Fixed: labels of pixels, and labels of images, fixed biases", _FIXED_BY_IMAGE),
    "bbox_rect": _large("Bbox-Rect: boxes as rectangles", large_fov, _box_lists("rect"), refuses={}),
    "bbox_seg": _large("Bbox-Seg: boxes segmented by the CRF", large_fov, _box_lists("seg"), refuses={}),
    "bbox_em_fixed": _large("Bbox-EM-Fixed: boxes, fixed biases", _BOXES_EM, _box_lists("rect"), **_AFTER_RECTANGLES),
    "semi_bbox_rect": _semi("Bbox-Rect: labels of pixels, and boxes as rectangles", _BY_BOX, "_bbox_rect"),
    "semi_bbox_seg": _semi("Bbox-Seg: labels of pixels, and boxes segmented by the CRF", _BY_BOX, "_bbox_seg"),
    "semi_bbox_em_fixed": _semi(
        "Bbox-Fixed: labels of pixels, and boxes, fixed biases", _FIXED_BY_BOX, "_bbox_rect", source=_RELEASED
    ),
}
