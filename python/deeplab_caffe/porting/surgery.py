"""Operations on the arrays of layers: what each of them preserves, and what it changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import InputError


@dataclass(frozen=True)
class Preprocessing:
    """What must be done to an image before a net's first convolution.

    A colour value v, 0 to 255, becomes (v - mean) * scale. order: "BGR" or "RGB", which mean and scale follow.
    """

    order: str
    mean: tuple[float, float, float]
    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)


#: VGG-16 and the nets based on it, in Caffe
CAFFE = Preprocessing("BGR", (104.008, 116.669, 122.675))
#: torchvision: values from 0 to 1, minus (0.485, 0.456, 0.406), divided by (0.229, 0.224, 0.225)
TORCHVISION = Preprocessing("RGB", (123.675, 116.28, 103.53), (1 / (255 * 0.229), 1 / (255 * 0.224), 1 / (255 * 0.225)))


def fold_preprocessing(weight: np.ndarray, old: Preprocessing, new: Preprocessing) -> tuple[np.ndarray, np.ndarray]:
    """Adapt the first convolution to images with another preprocessing.

    Order and scale go into the weights without loss. A difference of the means is a constant per output: it is added to
    the bias, or subtracted from the mean of the batch normalisation behind. That is exact if the kernel is inside the
    image; where it reaches into the padding, results differ by the colour of the border.

    Args:
        weight: (O, 3, h, w).
        old: the preprocessing that the weights were trained with.
        new: the preprocessing that they shall be used with.

    Returns:
        The new weights (O, 3, h, w), and the constants (O) to add to the outputs.
    """
    flip = old.order != new.order
    mean, scale = (np.array(x[::-1] if flip else x) for x in (old.mean, old.scale))
    wide = (weight[:, ::-1] if flip else weight).astype(np.float64)
    constant = (wide.sum((2, 3)) * (new.mean - mean) * scale).sum(1)
    folded = wide * (scale / np.array(new.scale))[:, None, None]
    return folded.astype(np.float32), constant.astype(np.float32)


def as_shape(values: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """The same values in another shape: an inner product (O, C*h*w) as a convolution (O, C, h, w), or back."""
    if values.size != np.prod(shape, dtype=np.int64):
        raise InputError(
            f"{values.shape} has {values.size} values, {tuple(shape)} needs {np.prod(shape, dtype=np.int64)}"
        )
    return values.reshape(tuple(shape))


def diagonal_blocks(weight: np.ndarray, shape: Sequence[int]) -> np.ndarray | None:
    """Weights (R, C, h, w) as those of a layer with groups, (R, C/g, h, w); None if that does not fit or loses weights.

    Nothing is lost if the rows of each group are 0 in the columns of all others, as in the bilinear deconvolutions of
    FCN's release, which have a kernel per pair of classes.
    """
    groups = weight.shape[1] // shape[1] if weight.ndim == len(shape) == 4 and shape[1] else 0
    if groups < 2 or weight.shape != (shape[0], groups * shape[1], *shape[2:]) or shape[0] % groups:
        return None
    blocks = weight.reshape(groups, shape[0] // groups, groups, *shape[1:])
    kept = blocks[np.arange(groups), :, np.arange(groups)]
    return kept.reshape(tuple(shape)) if np.count_nonzero(kept) == np.count_nonzero(weight) else None


def positions(taps: int, kernel_size: int, step: int | None = None) -> list[int]:
    """Which of `taps` taps along an axis a smaller kernel keeps: every `step`th, centred.

    The default is the largest step that fits, which keeps the field of view. VGG-16's fc6 has 7 taps, 4 apart at
    DeepLab's resolution: every third one gives LargeFOV's 3 taps at rate 12.

    Example:
        >>> positions(7, 3), positions(7, 4), positions(7, 3, step=2)
        ([0, 3, 6], [0, 2, 4, 6], [1, 3, 5])
    """
    widest = (taps - 1) // (kernel_size - 1) if kernel_size > 1 else 1
    step = min(step or widest, widest)
    first = (taps - 1 - step * (kernel_size - 1)) // 2
    return [first + step * i for i in range(kernel_size)]


def decimate_taps(weight: np.ndarray, kernel_size: int, step: int | None = None) -> np.ndarray:
    """Weights (O, C, h, h) with every `step`th tap only, (O, C, k, k), times h²/k².

    The factor preserves the sum over a smooth kernel, so that biases and later layers get inputs of the usual size.
    Source: DeepLab v1, section 3.1, for the decimation; the factor is ours.
    """
    taps = positions(weight.shape[-1], kernel_size, step)
    kept = weight[:, :, taps][:, :, :, taps]
    return kept * np.float32((weight.shape[-1] / kernel_size) ** 2)


def choose_filters(weight: np.ndarray, count: int, how: str, seed: int) -> np.ndarray:
    """Which `count` of a layer's filters (O, …) to keep, in order: at "random", or those of the greatest "norm"."""
    if how == "random":
        chosen = np.random.default_rng(seed).choice(len(weight), count, replace=False)
    elif how == "norm":
        norms = np.linalg.norm(weight.reshape(len(weight), -1), axis=1)
        chosen = np.argsort(-norms, kind="stable")[:count]
    else:
        raise InputError(f"unknown way '{how}' to choose filters; expected 'random' or 'norm'")
    return np.sort(chosen)


def keep_inputs(weight: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Weights (O, C, …) for some inputs only, (O, kept, …), times C/kept to keep the expected sum, as in dropout."""
    return weight[:, kept] * np.float32(weight.shape[1] / len(kept))


def fold_normalisation(
    weight: np.ndarray, bias: np.ndarray | None, mean: np.ndarray, variance: np.ndarray,
    slope: np.ndarray, offset: np.ndarray, eps: float = 1e-5,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """A convolution (O, …) and the batch normalisation behind it as one convolution and bias; all else is (O)."""
    factor = slope.astype(np.float64) / np.sqrt(variance.astype(np.float64) + eps)
    folded = weight * factor.reshape(-1, *(1,) * (weight.ndim - 1))
    start = -mean.astype(np.float64) if bias is None else bias.astype(np.float64) - mean
    return folded.astype(np.float32), (start * factor + offset).astype(np.float32)
