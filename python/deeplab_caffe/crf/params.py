"""The parameters of the fully connected CRF, under the paper's names, Caffe's and pydensecrf's."""

from __future__ import annotations

import json
import math
import numbers
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import NamedTuple

from ..errors import InputError
from ..files import write_text
from ..reading import read_text, reason_of
from ..spelling import did_you_mean

NORMALIZATIONS = ("after", "symmetric")

# The paper's names, and those of Caffe's DenseCRF layer.
_CAFFE_NAMES = {
    "w1": "bi_w",
    "sigma_alpha": "bi_xy_std",
    "sigma_beta": "bi_rgb_std",
    "w2": "pos_w",
    "sigma_gamma": "pos_xy_std",
    "iterations": "max_iter",
}


def _check_number(parameters: CRFParameters, name: str, wanted: str, accept) -> None:
    value = getattr(parameters, name)
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number) or not accept(number):
        raise InputError(f"CRF: {name} (Caffe: {_CAFFE_NAMES[name]}) is {value!r}, wanted a finite number, {wanted}")
    object.__setattr__(parameters, name, number)


def _check_names(what: str, given: Mapping[str, float], wanted: tuple[str, ...]) -> None:
    if set(given) != set(wanted):
        raise InputError(f"CRF: {what} has {', '.join(sorted(given)) or 'nothing'}; wanted {', '.join(wanted)}")


class GaussianTerm(NamedTuple):
    """One term of the pairwise energy: `weight` times a Gaussian of position, or of position and colour.

    `sigma_xy` is the standard deviation in pixels, `sigma_colour` that of each band in colour levels; None for a term
    over position alone.
    """

    weight: float
    sigma_xy: float
    sigma_colour: float | None = None

    def at_stride(self, stride: int) -> GaussianTerm:
        """The term on an image of which every `stride`-th pixel is kept in both directions."""
        return self._replace(sigma_xy=self.sigma_xy / stride)


@dataclass(frozen=True)
class CRFParameters:
    """The pairwise energy w1 exp(-|p|^2/2 sigma_alpha^2 - |I|^2/2 sigma_beta^2) + w2 exp(-|p|^2/2 sigma_gamma^2).

    `sigma_alpha` and `sigma_gamma` are standard deviations in pixels, `sigma_beta` in colour levels (0 to 255).
    `iterations` is the number of mean field iterations; 0 gives the softmax of the unary.
    `normalization`: "after" divides each filtered message by its pixel's kernel mass, as DeepLab's program does;
    "symmetric" divides by its square root before and after filtering, which is pydensecrf's default.

    Raises:
        InputError: a weight or standard deviation is out of range.

    Source: DeepLab, section 4.3; Kraehenbuehl and Koltun 2011.

    Example:
        >>> parameters = CRFParameters(w1=4, sigma_alpha=67, sigma_beta=3)
        >>> parameters.to_caffe()["bi_xy_std"]
        67.0
        >>> parameters.terms()[0]
        GaussianTerm(weight=3.0, sigma_xy=3.0, sigma_colour=None)
    """

    w1: float
    sigma_alpha: float
    sigma_beta: float
    w2: float = 3.0
    sigma_gamma: float = 3.0
    iterations: int = 10
    normalization: str = "after"

    def __post_init__(self) -> None:
        for name in ("w1", "w2"):
            _check_number(self, name, "zero or more", lambda value: value >= 0)
        for name in ("sigma_alpha", "sigma_beta", "sigma_gamma"):
            _check_number(self, name, "more than zero", lambda value: value > 0)
        count = self.iterations
        if not isinstance(count, numbers.Real) or not math.isfinite(count) or count < 0 or int(count) != count:
            raise InputError(f"CRF: iterations is {self.iterations!r}, wanted a whole number, zero or more")
        object.__setattr__(self, "iterations", int(count))
        if self.normalization not in NORMALIZATIONS:
            raise InputError(
                f"CRF: normalization is {self.normalization!r}, wanted one of {', '.join(NORMALIZATIONS)} "
                "('after' is DeepLab's program, 'symmetric' is pydensecrf's default)"
            )

    def terms(self) -> tuple[GaussianTerm, GaussianTerm]:
        """The terms of the energy, as every backend takes them: position first, then position and colour."""
        return GaussianTerm(self.w2, self.sigma_gamma), GaussianTerm(self.w1, self.sigma_alpha, self.sigma_beta)

    @classmethod
    def from_caffe(
        cls,
        *,
        bi_w: float,
        bi_xy_std: float,
        bi_rgb_std: float,
        pos_w: float = 3.0,
        pos_xy_std: float = 3.0,
        max_iter: int = 10,
        normalization: str = "after",
    ) -> CRFParameters:
        """The parameters under the names of Caffe's `dense_crf_param`."""
        return cls(bi_w, bi_xy_std, bi_rgb_std, pos_w, pos_xy_std, max_iter, normalization)

    def to_caffe(self) -> dict[str, float]:
        """The parameters as Caffe's `dense_crf_param` names them (which has no normalization: it is always "after")."""
        return {caffe: getattr(self, name) for name, caffe in _CAFFE_NAMES.items()}

    @classmethod
    def from_pydensecrf(
        cls,
        *,
        bilateral: Mapping[str, float],
        gaussian: Mapping[str, float],
        iterations: int = 10,
        normalization: str = "symmetric",
    ) -> CRFParameters:
        """The parameters under pydensecrf's names, and with its default normalization.

        `bilateral`: sxy, srgb and compat of addPairwiseBilateral; `gaussian`: sxy and compat of addPairwiseGaussian.
        """
        _check_names("bilateral", bilateral, ("compat", "srgb", "sxy"))
        _check_names("gaussian", gaussian, ("compat", "sxy"))
        return cls(
            *(bilateral["compat"], bilateral["sxy"], bilateral["srgb"], gaussian["compat"], gaussian["sxy"]),
            *(iterations, normalization),
        )

    def to_pydensecrf(self) -> dict[str, dict[str, float]]:
        """The arguments of addPairwiseBilateral and addPairwiseGaussian; the normalization is an argument of both."""
        return {
            "bilateral": {"sxy": self.sigma_alpha, "srgb": self.sigma_beta, "compat": self.w1},
            "gaussian": {"sxy": self.sigma_gamma, "compat": self.w2},
        }

    def to_json(self) -> str:
        """The parameters as a JSON object under the paper's names."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> CRFParameters:
        """The inverse of `to_json`; also takes Caffe's names. Raises InputError for unknown or missing names."""
        try:
            values = json.loads(text)
        except Exception as error:
            raise InputError(f"CRF parameters: not JSON: {reason_of(error)}") from error
        if not isinstance(values, dict):
            raise InputError(f"CRF parameters: expected a JSON object, got {type(values).__name__}")
        ours = {caffe: name for name, caffe in _CAFFE_NAMES.items()}
        values = {ours.get(name, name): value for name, value in values.items()}
        known = [field.name for field in fields(cls)]
        if unknown := sorted(set(values) - set(known)):
            raise InputError(f"CRF parameters: unknown {', '.join(unknown)}; known: {', '.join(known)}")
        if missing := [name for name in known[:3] if name not in values]:
            raise InputError(f"CRF parameters: {', '.join(missing)} missing")
        return cls(**values)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write `to_json` to a file, whole or not at all."""
        write_text(path, self.to_json() + "\n")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> CRFParameters:
        """Read a file that `save` wrote. Raises InputError with the file's name."""
        text = read_text(path, "the CRF parameters")
        try:
            return cls.from_json(text)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error


@dataclass(frozen=True)
class Preset:
    """CRF parameters of released weights, and their source."""

    parameters: CRFParameters
    source: str


_SETUP = "comment in DeepLab v2's MATLAB set-up script"
_LIST = "third-party list, not confirmed by the authors"
PRESETS: dict[str, Preset] = {
    "default": Preset(CRFParameters(5, 50, 3, 3, 3), "default of DeepLab v2's run script"),
    "DeepLab": Preset(CRFParameters(5, 50, 10, 3, 3), f"{_SETUP} ('not optimized well'); train-DeepLab's crf layer"),
    "DeepLab-MSc": Preset(CRFParameters(3, 95, 3, 3, 3), _SETUP),
    "DeepLab-COCO": Preset(CRFParameters(5, 67, 3, 3, 3), _SETUP),
    "bbox-eroded-gt": Preset(CRFParameters(41, 33, 4, 3, 3), f"{_SETUP} (box to segmentation)"),
    "bbox-eroded-20": Preset(CRFParameters(45, 37, 3, 15, 3), f"{_SETUP} (box to segmentation)"),
    "DeepLab-LargeFOV": Preset(CRFParameters(4, 121, 5, 3, 3), _LIST),
    "DeepLab-MSc-LargeFOV": Preset(CRFParameters(4, 83, 5, 3, 3), _LIST),
    "DeepLab-COCO-LargeFOV": Preset(CRFParameters(5, 69, 5, 3, 3), _LIST),
    "DeepLab-MSc-COCO-LargeFOV": Preset(CRFParameters(4, 59, 5, 3, 3), _LIST),
    "DeepLabv2-ResNet-101": Preset(
        CRFParameters(5, 21, 3, 4, 1), "commented crf layer in the released DeepLabv2 ResNet-101 test.prototxt"
    ),
    "DeepLabv2-ResNet-101-port": Preset(CRFParameters(4, 67, 3, 3, 1), "public PyTorch port of DeepLabv2"),
}


def check_compact(eps: float) -> None:
    """Raise InputError unless `eps`, the threshold of compaction, is 0 (none) or a probability below 1."""
    if not 0 <= eps < 1:
        raise InputError(f"CRF: compact is {eps:g}, wanted a probability from 0 to below 1")


def preset(name: str) -> CRFParameters:
    """The parameters of a released model. Raises InputError, with the known names, for another.

    Example:
        >>> preset("DeepLab-MSc").sigma_alpha
        95.0
    """
    if name not in PRESETS:
        raise InputError(f"CRF: no preset {name!r}{did_you_mean(name, PRESETS)}; known: {', '.join(PRESETS)}")
    return PRESETS[name].parameters
