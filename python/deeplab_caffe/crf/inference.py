"""The fully connected CRF on one image: what callers use."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deeplab_caffe.errors import InputError

from .lattice import bilateral_lattice, position_lattice
from .mean_field import Beliefs, MeanField, Pairwise
from .params import CRFParameters

BACKENDS = ("auto", "native", "pydensecrf")


def dense_crf(
    image: ArrayLike, unary: ArrayLike, parameters: CRFParameters, backend: str = "auto"
) -> NDArray[np.float32]:
    """The class probabilities Q (C, H, W) after mean field inference, float32.

    `image` (H, W), (H, W, 3) or (H, W, bands): levels 0 to 255, uint8 or float; the order of the bands does not matter.
    `unary` (C, H, W): energies, -log probability up to a constant per pixel; +inf rules a class out.
    `backend`: "native" (also "auto"), or "pydensecrf", for comparison, where it is installed.
    Safe to call from many threads. Raises InputError for arrays that do not fit together or hold NaN.
    Source: DeepLab, section 4.3; Kraehenbuehl and Koltun 2011.
    """
    image, unary = check_inputs(image, unary)
    if _chosen(backend) == "pydensecrf":
        from .pydensecrf_backend import infer

        return infer(image, unary, parameters)
    return _native(image, unary, parameters).probabilities()


def crf_labels(
    image: ArrayLike, unary: ArrayLike, parameters: CRFParameters, backend: str = "auto"
) -> NDArray[np.integer]:
    """The most probable class of each pixel (H, W), the first of equals; uint8, or int32 beyond 256 classes.

    Arguments and errors are those of `dense_crf`.
    """
    image, unary = check_inputs(image, unary)
    if _chosen(backend) == "pydensecrf":
        from .pydensecrf_backend import infer

        labels = infer(image, unary, parameters).argmax(axis=0)
        return labels.astype(np.uint8 if len(unary) <= 256 else np.int32)
    return _native(image, unary, parameters).labels()


def _native(image: NDArray, unary: NDArray[np.float32], parameters: CRFParameters) -> Beliefs:
    height, width = image.shape[:2]
    lattices = [
        position_lattice(height, width, parameters.sigma_gamma),
        bilateral_lattice(image, parameters.sigma_alpha, parameters.sigma_beta),
    ]
    weights = (parameters.w2, parameters.w1)
    return MeanField(unary).run(Pairwise(lattices), weights, parameters.iterations, parameters.normalization)


def _chosen(backend: str) -> str:
    if backend not in BACKENDS:
        raise InputError(f"CRF: backend is {backend!r}, wanted one of {', '.join(BACKENDS)}")
    return "native" if backend == "auto" else backend


def check_inputs(image: ArrayLike, unary: ArrayLike) -> tuple[NDArray, NDArray[np.float32]]:
    """The two as arrays that fit together, the unary float32 and finite. Raises InputError; see `dense_crf`."""
    image, unary = check_image(image), _checked_unary(unary)
    if image.shape[:2] != unary.shape[1:]:
        raise InputError(
            f"CRF: the image is {image.shape[0]} x {image.shape[1]} (H x W) and the unary "
            f"{unary.shape[1]} x {unary.shape[2]}; resize the scores to the image first (resize_scores)"
        )
    return image, unary


def check_image(image: ArrayLike) -> NDArray:
    """The image as an array (H, W) or (H, W, bands) of levels 0 to 255. Raises InputError."""
    image = np.asarray(image)
    if image.ndim not in (2, 3) or 0 in image.shape:
        raise InputError(f"CRF: the image has shape {image.shape}, wanted (height, width) or (height, width, bands)")
    if image.ndim == 3 and image.shape[0] == 3 and image.shape[2] > 4:
        raise InputError(f"CRF: the image has shape {image.shape}, which looks like (3, H, W); wanted (H, W, 3)")
    if image.dtype == np.uint8:
        return image
    if image.dtype.kind not in "fiu":
        raise InputError(f"CRF: the image has type {image.dtype}, wanted uint8, or float with levels 0 to 255")
    if not np.isfinite(image).all():
        raise InputError("CRF: the image holds NaN or infinite values")
    if image.dtype.kind == "f" and 0 < image.max() <= 1 and image.min() >= 0:
        raise InputError(
            f"CRF: the image is float with levels {image.min():.3g} to {image.max():.3g}; it was probably divided by "
            "255. sigma_beta is in levels of 0 to 255: multiply the image by 255"
        )
    return image


def _checked_unary(unary: ArrayLike) -> NDArray[np.float32]:
    unary = np.asarray(unary)
    if unary.ndim != 3 or 0 in unary.shape:
        raise InputError(f"CRF: the unary has shape {unary.shape}, wanted (classes, height, width)")
    if unary.dtype.kind not in "fiu":
        raise InputError(f"CRF: the unary has type {unary.dtype}, wanted float32")
    unary = np.ascontiguousarray(unary, dtype=np.float32)
    # One sum is cheaper than a look at every value; it is finite only if all of them are.
    with np.errstate(over="ignore", invalid="ignore"):
        finite = np.isfinite(unary.sum())
    return unary if finite else _without_infinity(unary)


def _without_infinity(unary: NDArray[np.float32]) -> NDArray[np.float32]:
    """The unary with +inf replaced by an energy so high that the class gets no belief."""
    if np.isnan(unary).any() or (unary == -np.inf).any():
        label, row, column = np.argwhere(np.isnan(unary) | (unary == -np.inf))[0]
        raise InputError(
            f"CRF: the unary holds {unary[label, row, column]} at class {label}, row {row}, column {column}; "
            "energies must be numbers, or +inf for a class that is ruled out"
        )
    if np.isposinf(unary.min(axis=0)).any():
        row, column = np.argwhere(np.isposinf(unary.min(axis=0)))[0]
        raise InputError(f"CRF: the unary rules out every class at row {row}, column {column}")
    return np.minimum(unary, np.float32(1e30))
