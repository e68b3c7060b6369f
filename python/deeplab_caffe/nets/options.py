"""The options of a generated experiment, checked when they are made."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from ..arrays import Size
from ..data.class_weights import METHODS
from ..errors import InputError
from ..spelling import did_you_mean
from ..words import one_of
from .input_sizes import as_size
from .solver_recipes import POLICIES

#: the Caffe that nets are written for: DeepLab's (which the embedded one is too), or BVLC's
DIALECTS = ("deeplab", "bvlc")
_MODES = ("GPU", "CPU")
_OUTPUT_STRIDES = (4, 8, 16, 32, 64, 128, 256)


def _option(help: str, default: Any = None, choices: Sequence[str] = ()) -> Any:
    return field(default=default, metadata={"help": help, "choices": tuple(choices)})


@dataclass(frozen=True)
class GeneratorOptions:
    """The options of one generated experiment; None leaves a choice to the recipe or to the data set.

    Sizes are in pixels: one number for a square, or (height, width). Which sizes fit depends on the model.
    The help text of each field says what it is, and after a semicolon the default.

    Raises:
        InputError: a value is invalid.

    Example:
        >>> dict(GeneratorOptions(crop=(321, 321), batch_size=4).stated())
        {'crop': 321, 'batch_size': 4}
    """

    dataset: str | None = _option("name or TOML file of the data set; that in the model's name, or what the demo draws")
    root_folder: str | None = _option("put before each path in a list, no slash added; the data set's root")
    train_set: str | None = _option("list of stage 1; train_aug or else train")
    train2_set: str | None = _option("list of stage 2; trainval_aug or else trainval")
    test_set: str | None = _option("list of the test net; val or else test")
    weak_set: str | None = _option("semi-supervised nets: list of weakly labelled images of stage 1")
    weak2_set: str | None = _option("semi-supervised nets: list of weakly labelled images of stage 2")
    crop: int | Size | None = _option(
        "training crop, of a size that the net takes (often 8k + 1); the data set's, or else 321"
    )
    test_crop: int | Size | None = _option("size images are padded to for testing; the data set's or else 513")
    batch_size: int | None = _option("images per training batch")
    iter_size: int | None = _option("batches per update")
    iterations: int | None = _option("updates of stage 1")
    iterations2: int | None = _option("updates of stage 2 (0: no stage 2)")
    base_lr: float | None = _option("learning rate at the start")
    base_lr2: float | None = _option("that of stage 2; base_lr, or else the recipe's")
    policy: str | None = _option("policy of the learning rate", choices=POLICIES)
    stepsize: int | None = _option("updates between drops of the rate by 10, for policy step")
    snapshot: int | None = _option("updates between snapshots")
    display: int | None = _option("updates between log lines")
    random_seed: int | None = _option("seed of fillers, shuffling, crops and dropout")
    solver_mode: str | None = _option("the device that the solver asks for", choices=_MODES)
    width: float | None = _option("factor on the channels of all layers but the scores, rounded to multiples of 8; 1")
    batch_norm: bool = _option(
        "VGG: BatchNorm and Scale after every convolution but the last. ResNet: its own BatchNorm layers learn", False
    )
    moving_average_fraction: float | None = _option("that of BatchNorm; Caffe's .999, slow for runs below 5000 updates")
    from_scratch: bool = _option(
        "write msra fillers, to train without initial weights (in VGG nets --batch-norm implies it)", False
    )
    scale: float | None = _option("factor on the pixels, after the mean is subtracted; 1")
    scale_factors: tuple[float, ...] = _option("sizes by which training images are rescaled at random", ())
    dropout: float | None = _option("dropout ratio of the head; 0.5")
    class_weights: str | None = _option(
        f"weights of the classes in the loss: {', '.join(METHODS)}, or a file of weights (JSON, .npy); all 1"
    )
    test_output_stride: int | None = _option("ResNet of v3: output stride of test and deploy nets; that of training")
    stride_on: str | None = _option(
        "ResNet: which convolutions stride, 1x1 (release) or 3x3 (torchvision's weights)", choices=("1x1", "3x3")
    )
    dialect: str | None = _option(
        "bvlc: Python layers for what BVLC's Caffe lacks (docs/real-caffe.md); deeplab", choices=DIALECTS
    )
    experiment: str | None = _option("folder of the experiment: snapshots and results; exper/<data set>/<model>")
    folder: str | None = _option(
        "folder of the nets and solvers; prototxt/<data set>/<model>, with options that of the experiment"
    )
    feature_dir: str | None = _option("the test net writes its scores as .mat files below this folder")
    softmax: bool = _option("end the deploy net with probabilities `prob` after the scores", False)

    def __post_init__(self) -> None:
        for name in ("crop", "test_crop"):
            if getattr(self, name) is not None:
                height, width = as_size(getattr(self, name), f"option {name}")
                object.__setattr__(self, name, height if height == width else (height, width))
        object.__setattr__(self, "scale_factors", tuple(self.scale_factors))
        for name in ("batch_size", "iter_size", "iterations", "stepsize", "snapshot", "display"):
            self._check(name, lambda value: _is_integer(value) and value >= 1, "a whole number, at least 1")
        for name in ("iterations2", "random_seed"):
            self._check(name, lambda value: _is_integer(value) and value >= 0, "a whole number, at least 0")
        self._check("test_output_stride", lambda value: value in _OUTPUT_STRIDES, f"one of {_OUTPUT_STRIDES}")
        for name in ("base_lr", "base_lr2", "width", "scale"):
            self._check(name, _is_positive, "a number above 0")
        for option in fields(self):
            if choices := option.metadata["choices"]:
                self._check(option.name, lambda value, known=choices: value in known, one_of(choices), choices)
        self._check("dropout", lambda value: _is_number(value) and 0 <= value < 1, "a number, at least 0 and below 1")
        self._check("moving_average_fraction", lambda v: _is_number(v) and 0 < v < 1, "a number between 0 and 1")
        if not all(_is_positive(factor) for factor in self.scale_factors):
            raise InputError(f"option scale_factors: got {self.scale_factors}; wanted numbers above 0, as in 0.5,0.75")
        if self.moving_average_fraction is not None and not self.batch_norm:
            raise InputError("option moving_average_fraction: belongs to BatchNorm; give batch_norm as well")

    def _check(self, name: str, is_valid: Any, wanted: str, known: Sequence[str] = ()) -> None:
        value = getattr(self, name)
        if value is not None and not is_valid(value):
            raise InputError(f"option {name}: got {value!r}; wanted {wanted}{did_you_mean(str(value), known)}")

    def stated(self) -> Mapping[str, Any]:
        """The options that are stated, by name, in the order of the fields; others are None, False or empty."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_positive(value: Any) -> bool:
    return _is_number(value) and value > 0
