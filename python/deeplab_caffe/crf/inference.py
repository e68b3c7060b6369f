"""Inference in the fully connected CRF: checks of the input, and the choice of a backend."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import Float32
from ..errors import InputError
from .backends.base import BackendOptions
from .params import CRFParameters, check_compact

#: each backend and its module in `backends`
_MODULES = {"native": "native", "torch": "torch_backend", "exact": "exact", "pydensecrf": "pydensecrf_backend"}
BACKENDS = ("auto", *_MODULES)


def dense_crf(
    image: ArrayLike,
    unary: ArrayLike,
    parameters: CRFParameters,
    backend: str = "auto",
    *,
    compact: float = 0.0,
    device: str | None = None,
) -> Float32:
    """The class probabilities after mean field inference. May be called from several threads.

    Args:
        image: (H, W), (H, W, 3) or (H, W, bands), uint8 or float: levels 0 to 255, or features in the units of
            sigma_beta. RGB and BGR give the same result: every band has the same standard deviation.
        unary: energies (C, H, W), -log probability up to a constant per pixel; +inf excludes a class.
        parameters: the energy, the number of iterations and the normalization.
        backend: "native" (also "auto") on the CPU; "torch" on `device`; "exact", brute force, to measure the error of
            the others; "pydensecrf", for comparison, if it is installed.
        compact: classes whose probability by the unary is nowhere above this times the pixel's largest send no
            messages (see `active_classes`); 0 keeps all.
        device: "cpu" or "cuda", for backend "torch".

    Returns:
        Q (C, H, W), float32, which sums to 1 over the classes.

    Raises:
        InputError: the arrays do not fit together or hold NaN, or the backend is not available.

    Source: DeepLab, section 4.3; Kraehenbuehl and Koltun 2011.

    Example:
        >>> image, unary = np.zeros((4, 6, 3), np.uint8), np.zeros((2, 4, 6))
        >>> dense_crf(image, unary, CRFParameters(w1=4, sigma_alpha=67, sigma_beta=3), "exact")[:, 0, 0]
        array([0.5, 0.5], dtype=float32)
    """
    return crf_batch([image], [unary], parameters, backend, compact=compact, device=device, labels=False)[0]


def crf_labels(
    image: ArrayLike,
    unary: ArrayLike,
    parameters: CRFParameters,
    backend: str = "auto",
    *,
    compact: float = 0.0,
    device: str | None = None,
) -> NDArray[np.integer]:
    """The most probable class of each pixel after mean field inference.

    Args:
        image: (H, W), (H, W, 3) or (H, W, bands), levels from 0 to 255.
        unary: (C, H, W) energies, such as `unary_from_scores` makes them.
        parameters: weights and standard deviations of the pairwise terms, and the number of iterations.
        backend, compact, device: as of `dense_crf`.

    Returns:
        (H, W) class indices, the first of equals; uint8, or int32 beyond 256 classes.

    Raises:
        InputError: as of `dense_crf`.

    Example:
        >>> from deeplab_caffe.crf import unary_from_scores
        >>> image = np.full((4, 6, 3), 100, np.uint8)
        >>> image[:, 3:] = 200
        >>> scores = np.where(image[:, :, 0] < 150, 1, -1) * np.float32([[[1]], [[-1]]])  # (2, 4, 6)
        >>> scores[:, 1, 1] = [-0.5, 0.5]  # one pixel that is wrong
        >>> crf_labels(image, unary_from_scores(scores), CRFParameters(w1=4, sigma_alpha=10, sigma_beta=5))[1].tolist()
        [0, 0, 0, 1, 1, 1]
    """
    return crf_batch([image], [unary], parameters, backend, compact=compact, device=device)[0]


def crf_batch(
    images: Sequence[ArrayLike],
    unaries: Sequence[ArrayLike],
    parameters: CRFParameters,
    backend: str = "auto",
    *,
    compact: float = 0.0,
    device: str | None = None,
    labels: bool = True,
) -> list[NDArray]:
    """`crf_labels` of several images, or `dense_crf` if `labels` is false; "torch" computes all of them at once.

    Args:
        images: each as of `crf_labels`; they may differ in size.
        unaries: the energies of each, (C, H, W) of its size, all with the same number of classes.
        parameters, backend, compact, device: as of `dense_crf`.
        labels: return class indices (H, W); otherwise probabilities (C, H, W).

    Raises:
        InputError: as of `dense_crf`, or the numbers of images and unaries differ.
    """
    name = _chosen(backend, compact, device)
    if len(images) != len(unaries):
        raise InputError(f"CRF: {len(images)} images and {len(unaries)} unaries")
    pairs = [check_inputs(*pair, sigma_beta=parameters.sigma_beta) for pair in zip(images, unaries, strict=True)]
    infer = import_module(f".backends.{_MODULES[name]}", __package__).infer
    return infer(pairs, parameters, BackendOptions(labels, compact, device or "cpu")) if pairs else []


def _chosen(backend: str, compact: float, device: str | None) -> str:
    if backend not in BACKENDS:
        raise InputError(f"CRF: backend is {backend!r}, wanted one of {', '.join(BACKENDS)}")
    name = "native" if backend == "auto" else backend
    check_compact(compact)
    if compact and name not in ("native", "torch"):
        raise InputError(f"CRF: compact is {compact}, but backend '{name}' does not support compaction")
    if device is not None and name != "torch":
        raise InputError(f"CRF: device is {device!r}, but backend '{name}' runs on the CPU only; use backend 'torch'")
    return name


def check_inputs(image: ArrayLike, unary: ArrayLike, *, sigma_beta: float = 255.0) -> tuple[NDArray, Float32]:
    """Image and unary as arrays that fit together, the unary float32 and finite. Raises InputError; see `dense_crf`."""
    unary = check_unary(unary)
    image = check_image(image, sigma_beta, unary.shape[1:])
    if image.shape[:2] != unary.shape[1:]:
        raise InputError(
            f"CRF: the image is {image.shape[0]} x {image.shape[1]} (H x W) and the unary "
            f"{unary.shape[1]} x {unary.shape[2]}; resize the scores to the image first (resize_scores)"
        )
    return image, unary


def check_image(image: ArrayLike, sigma_beta: float = 255.0, size: tuple[int, ...] = ()) -> NDArray:
    """The image as an array (H, W) or (H, W, bands) of levels 0 to 255. Raises InputError.

    Float features below 0 or nearly all within 3 need a `sigma_beta` below 1: with another the image was probably
    divided by 255, or normalised for a net, by mistake.
    `size` (H, W), if known, distinguishes an image of three rows and many bands from (3, H, W).
    """
    image = np.asarray(image)
    if image.ndim not in (2, 3) or 0 in image.shape:
        raise InputError(f"CRF: the image has shape {image.shape}, wanted (height, width) or (height, width, bands)")
    if image.ndim == 3 and image.shape[0] == 3 and image.shape[2] > 4 and image.shape[:2] != size:
        raise InputError(f"CRF: the image has shape {image.shape}, which looks like (3, H, W); wanted (H, W, 3)")
    if image.dtype == np.uint8:
        return image
    if image.dtype.kind not in "fiu":
        raise InputError(f"CRF: the image has type {image.dtype}, wanted uint8, or float with levels 0 to 255")
    if not np.isfinite(image).all():
        raise InputError("CRF: the image holds NaN or infinite values")
    if image.dtype.kind == "f" and sigma_beta >= 1 and (cause := _not_levels(image)):
        raise InputError(
            f"CRF: the image is float with levels {image.min():.3g} to {image.max():.3g}; it was probably {cause}. "
            "sigma_beta is in levels of 0 to 255: give the image in them (or, for features, give sigma_beta in their "
            "units, below 1)"
        )
    return image


def _not_levels(image: NDArray) -> str:
    """Why values are probably not levels of 0 to 255; empty if they are."""
    low, high = image.min(), image.max()
    if low < 0:
        return "normalised for a net (mean subtracted)"
    if 0 < high <= 1:
        return "divided by 255"
    small = np.count_nonzero(image <= 3) > 0.99 * image.size
    return "normalised for a net" if small and high > 0 and (image != np.rint(image)).any() else ""


def check_unary(unary: ArrayLike, *, any_values: bool = False) -> Float32:
    """The energies (C, H, W) as float32 without infinite values. Raises InputError.

    Probabilities, their logarithms, one-hot maps, class indices and a single class are refused unless `any_values`.
    """
    unary = np.asarray(unary)
    if unary.ndim != 3 or 0 in unary.shape:
        raise InputError(f"CRF: the unary has shape {unary.shape}, wanted (classes, height, width)")
    if unary.dtype.kind not in "fiu":
        raise InputError(f"CRF: the unary has type {unary.dtype}, wanted float32")
    if not any_values:
        _refuse_other_values(unary)
    unary = np.ascontiguousarray(unary, dtype=np.float32)
    # One sum is cheaper than testing every value; it is finite only if all values are.
    with np.errstate(over="ignore", invalid="ignore"):
        finite = np.isfinite(unary.sum())
    return unary if finite else _without_infinity(unary)


def _refuse_other_values(unary: NDArray) -> None:
    """Refuse what is not energies by the look of every 16th row."""
    if len(unary) == 1:
        raise InputError(
            "CRF: the unary has one class; wanted the energies of all classes: for the probability p of class 1 of "
            "two, use unary_from_sigmoids(p)"
        )
    if what := unlike_energies(unary):
        raise InputError(f"CRF: the unary {what}")


def unlike_energies(unary: NDArray) -> str:
    """What a unary (C, H, W) holds instead of energies, with what to do; empty if it holds energies."""
    sample = unary[:, ::16].astype(np.float32)
    if len(sample) < 2 or not np.isfinite(sample).all():
        return ""
    if (sample >= 0).all() and _are_1(sample):
        return (
            "is from 0 to 1 and sums to 1 over the classes, so it holds probabilities; wanted energies: use "
            "unary_from_probabilities (for one-hot maps unary_from_labels)"
        )
    if (sample <= 0).all() and _are_1(np.exp(sample)):
        return "holds log-probabilities; wanted energies, their negative"
    return ""


def _are_1(values: NDArray) -> bool:
    return bool(np.abs(values.sum(axis=0, dtype=np.float64) - 1).max() < 1e-4)


def _without_infinity(unary: Float32) -> Float32:
    """The unary with +inf replaced by an energy so high that the belief in the class is 0."""
    if np.isnan(unary).any() or (unary == -np.inf).any():
        label, row, column = np.argwhere(np.isnan(unary) | (unary == -np.inf))[0]
        raise InputError(
            f"CRF: the unary holds {unary[label, row, column]} at class {label}, row {row}, column {column}; "
            "energies must be finite, or +inf to exclude a class"
        )
    if np.isposinf(unary.min(axis=0)).any():
        row, column = np.argwhere(np.isposinf(unary.min(axis=0)))[0]
        raise InputError(f"CRF: the unary excludes every class at row {row}, column {column}")
    return np.minimum(unary, np.float32(1e30))
