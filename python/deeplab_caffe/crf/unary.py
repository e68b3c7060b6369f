"""Unary energies from scores, probabilities or labels, and scores resized as Caffe's Interp layer does it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import Float32, Size
from ..errors import InputError
from ..lazy import imported_on_use

if TYPE_CHECKING:
    from ..kernels import bilinear_rows as kernels
else:
    kernels = imported_on_use("deeplab_caffe.kernels.bilinear_rows")

#: the probability that a given label is right, unless stated
DEFAULT_CONFIDENCE = 0.7


def unary_from_scores(scores: ArrayLike) -> Float32:
    """Energies -log softmax(scores) over the classes, not clipped.

    Args:
        scores: (C, H, W), the net's output before the softmax.

    Returns:
        Energies (C, H, W), float32.

    Raises:
        InputError: another number of dimensions, or values that are not finite.

    Example:
        >>> unary_from_scores(np.log([[[1.0]], [[3.0]]])).ravel().round(3)
        array([1.386, 0.288], dtype=float32)
    """
    scores = _class_maps(scores, "scores")
    _refuse_not_finite(scores, "scores")
    shifted = scores - scores.max(axis=0)
    return np.log(np.exp(shifted).sum(axis=0)) - shifted


def unary_from_probabilities(probabilities: ArrayLike) -> Float32:
    """Energies -log p; p = 0 gets the energy of the smallest normal float32 (87.3).

    Args:
        probabilities: (C, H, W).

    Returns:
        Energies (C, H, W), float32.

    Raises:
        InputError: one class, values that are not finite, below -0.001, or do not sum to 1 over a pixel's classes
            within 0.005, or only zeros and ones (hard labels: use unary_from_labels).
    """
    probabilities = _class_maps(probabilities, "probabilities")
    _refuse_not_finite(probabilities, "probabilities")
    if len(probabilities) == 1:
        raise InputError(
            "CRF: probabilities of one class; wanted one map for each class: for the probability p of class 1 of two, "
            "stack 1 - p and p"
        )
    if probabilities.min() < -1e-3:
        raise InputError(
            f"CRF: probabilities hold {probabilities.min():.6g}; wanted 0..1 (for scores use unary_from_scores)"
        )
    error = np.abs(probabilities.sum(axis=0) - 1)
    if error.max() > 5e-3:
        row, column = np.unravel_index(int(error.argmax()), error.shape)
        total = probabilities[:, row, column].sum()
        raise InputError(
            f"CRF: probabilities of the pixel at row {row}, column {column} sum to {total:.6g}, "
            "wanted 1 (for scores use unary_from_scores)"
        )
    if error.size > 1 and not error.any() and np.isin(probabilities, (0, 1)).all():
        raise InputError(
            "CRF: probabilities are only 0 and 1, so they are hard labels, of which the CRF would change nothing; use "
            "unary_from_labels(probabilities.argmax(axis=0), classes, confidence)"
        )
    return -np.log(np.maximum(probabilities, np.finfo(np.float32).tiny))


def unary_from_labels(labels: ArrayLike, classes: int, confidence: float, unsure: int | None = 255) -> Float32:
    """Energies of hard labels that are right with probability `confidence`.

    Args:
        labels: (H, W), whole numbers from 0 to `classes` - 1, or `unsure`.
        classes: the number of classes, C.
        confidence: between 1 / `classes` and 1; the other classes share the rest evenly.
        unsure: the label of pixels at which all classes are equally probable; None for none.

    Returns:
        Energies (C, H, W), float32.

    Raises:
        InputError: a label or the confidence is out of range.
    """
    labels = np.asarray(labels)
    if labels.ndim != 2 or not labels.size or labels.dtype.kind not in "iu":
        raise InputError(
            f"CRF: labels have shape {labels.shape} and type {labels.dtype}, wanted whole numbers (height, width)"
        )
    if classes < 2 or not 1 / classes < confidence < 1:
        raise InputError(
            f"CRF: {classes} classes and confidence {confidence}; wanted two or more classes and a confidence above "
            "1 / classes and below 1"
        )
    known = np.ones(labels.shape, bool) if unsure is None else labels != unsure
    wrong = known & ((labels < 0) | (labels >= classes))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise InputError(
            f"CRF: label {labels[row, column]} at row {row}, column {column}; wanted 0 to {classes - 1}"
            + ("" if unsure is None else f" or {unsure} for a pixel without a known class")
        )
    energies = np.full((classes, *labels.shape), -np.log((1 - confidence) / (classes - 1)), np.float32)
    rows, columns = np.nonzero(known)
    energies[labels[known], rows, columns] = -np.log(confidence)
    energies[:, ~known] = np.log(classes)
    return energies


def unary_from_sigmoids(probabilities: ArrayLike) -> Float32:
    """Energies -log p of independent probabilities, which need not sum to 1; mean field normalises them.

    Args:
        probabilities: (C, H, W) in 0..1; one channel is the probability of class 1 of two.

    Returns:
        Energies (C, H, W), or (2, H, W), float32.

    Raises:
        InputError: values are not in 0..1.
    """
    values = _class_maps(probabilities, "sigmoid probabilities")
    _refuse_not_finite(values, "sigmoid probabilities")
    if values.min() < -1e-3 or values.max() > 1 + 1e-3:
        raise InputError(
            f"CRF: sigmoid probabilities are from {values.min():.6g} to {values.max():.6g}; wanted 0 to 1 (for values "
            "before the sigmoid use kind logits)"
        )
    values = np.concatenate([1 - values, values]) if len(values) == 1 else values
    return -np.log(np.maximum(values, np.finfo(np.float32).tiny))


def unary_of_kind(
    values: NDArray[Any], kind: str, classes: int = 2, confidence: float = DEFAULT_CONFIDENCE, unsure: int | None = 255
) -> Float32:
    """Energies of a score map, up to a constant per pixel.

    Args:
        values: (C, H, W), or one channel of class indices.
        kind: what they are; see `data.score_kinds`.
        classes, confidence, unsure: for labels; see `unary_from_labels`. One-hot maps have `classes` channels.

    Raises:
        InputError: the values do not fit the kind.
    """
    if kind == "labels":
        return unary_from_labels(_indices(values), classes, confidence, unsure)
    return _ENERGIES[kind](values)


def _logits(values: NDArray[Any]) -> Float32:
    """Energies of scores; one channel z is that of class 1 of two, of probability 1 / (1 + exp(-z))."""
    values = np.asarray(values, np.float32)
    return np.concatenate([np.zeros_like(values), -values]) if len(values) == 1 else -values


def _indices(values: NDArray[Any]) -> NDArray[np.integer]:
    """The class indices (H, W) of one channel, or of one-hot maps."""
    values = np.asarray(values)
    if len(values) > 1:
        if not np.isin(values, (0, 1)).all() or not (values.sum(axis=0) == 1).all():
            raise InputError("CRF: labels must be one channel of class indices, or one-hot: a single 1 at each pixel")
        return values.argmax(axis=0)
    if values.dtype.kind == "f" and (values == np.rint(values)).all():
        values = values.astype(np.int64)
    return values[0]


#: constants per pixel do not change mean field, so -scores stands for -log softmax(scores)
_ENERGIES: dict[str, Callable[[NDArray[Any]], Float32]] = {
    "scores": _logits,
    "logits": _logits,
    "log-probabilities": _logits,
    "probabilities": unary_from_probabilities,
    "sigmoid": unary_from_sigmoids,
}


def input_size(maps: tuple[int, ...], stated: Size | None, image: Size) -> Size:
    """The size of the net's input, to which maps (C, h, w) are enlarged: `stated`, or the maps' own size.

    Raises InputError if the image is larger, or if the map cannot come from an input of that size.
    """
    height, width = stated or maps[1:]
    if height < image[0] or width < image[1]:
        raise InputError(
            f"the {'input of the net' if stated else 'score map'} is {height} x {width} (H x W), smaller than the "
            f"image, {image[0]} x {image[1]}; state the size of the net's input with --size, or --size image if the "
            "map covers the image"
        )
    if stated:
        _check_strides(maps, stated, image)
    return height, width


def _check_strides(maps: tuple[int, ...], size: Size, image: Size) -> None:
    """Refuse a size at which the net's stride, input over map, would differ between height and width."""
    least, most = zip(*(_strides(*pair) for pair in zip(size, maps[1:], strict=True)), strict=True)
    if max(least) <= min(most):
        return
    down, across = (length / count for length, count in zip(size, maps[1:], strict=True))
    turned = " (stated as height x width; are they exchanged?)" if size[0] != size[1] and size != image else ""
    whole = "; the map does not cover the image alone: state the size of the net's input" if size == image else ""
    raise InputError(
        f"the score map is {maps[1]} x {maps[2]} (H x W) and the size of the net's input {size[0]} x {size[1]}"
        f"{turned}, so its stride would be {down:.2f} down and {across:.2f} across{whole}; check --size"
    )


def _strides(length: int, count: int) -> tuple[float, float]:
    """The strides at which a net may make `count` outputs of `length` inputs, however it rounds and pads."""
    return length / (count + 1), length / max(count - 1, 0.5)


def resize_scores(scores: ArrayLike, size: tuple[int, int], crop: tuple[int, int] | None = None) -> Float32:
    """Resize scores by corner-aligned bilinear interpolation, as Caffe's Interp layer does.

    Args:
        scores: (C, h, w).
        size: (H, W), the size of the net's input, for example (513, 513) for a map of 65 x 65 at stride 8.
        crop: (height, width) of the image: only this part at the top left is computed. None for all.

    Returns:
        Scores (C, H, W), or (C, height, width), float32.

    Raises:
        InputError: a size is below 1, or `crop` is larger than `size`.

    Source: interp_layer.cpp of DeepLab v2.

    Example:
        >>> resize_scores([[[0, 8]]], (1, 5), crop=(1, 3))
        array([[[0., 2., 4.]]], dtype=float32)
    """
    scores = _class_maps(scores, "scores")
    crop = size if crop is None else crop
    if min(*size, *crop) < 1 or crop[0] > size[0] or crop[1] > size[1]:
        raise InputError(
            f"CRF: cannot resize scores to {size[0]} x {size[1]} (H x W) and crop to {crop[0]} x {crop[1]}; "
            "the image must fit in the net's input"
        )
    classes, height, width = scores.shape
    if (height, width) == tuple(size):
        return np.ascontiguousarray(scores[:, : crop[0], : crop[1]])
    left, right, weight = bilinear_taps(width, size[1], 0, crop[1])
    wide = (1 - weight) * scores[:, :, left] + weight * scores[:, :, right]
    out = np.empty((classes, *crop), np.float32)
    kernels.blend_rows(np.ascontiguousarray(wide), *bilinear_taps(height, size[0], 0, crop[0]), out)
    return out


def bilinear_taps(source: int, target: int, begin: int, end: int) -> tuple[NDArray[np.intp], NDArray[np.intp], Float32]:
    """For samples `begin` to `end` of `target`: the two source indices and the second one's weight, in float32."""
    ratio = np.float32(source - 1) / np.float32(target - 1) if target > 1 else np.float32(0)
    position = ratio * np.arange(begin, end, dtype=np.float32)
    first = position.astype(np.intp)
    return first, np.minimum(first + 1, source - 1), position - first.astype(np.float32)


def _class_maps(values: ArrayLike, name: str) -> Float32:
    array = np.asarray(values)
    if array.ndim != 3 or 0 in array.shape:
        raise InputError(f"CRF: {name} have shape {array.shape}, wanted (classes, height, width)")
    if array.dtype.kind not in "fiu":
        raise InputError(f"CRF: {name} have type {array.dtype}, wanted numbers")
    return np.asarray(array, dtype=np.float32)


def _refuse_not_finite(values: Float32, name: str) -> None:
    if not np.isfinite(values).all():
        label, row, column = np.argwhere(~np.isfinite(values))[0]
        raise InputError(
            f"CRF: {name} hold {values[label, row, column]} at class {label}, row {row}, column {column}; "
            "every value must be finite"
        )
