"""The smallest pieces of a net: functions that take a top and return a top, naming layers as the releases do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ..caffe.net_spec import NetSpec, Top, layers, params

#: (lr_mult, decay_mult) of a weight and of its bias
Multipliers = tuple[tuple[float, float], tuple[float, float]]
PRETRAINED: Multipliers = ((1, 1), (2, 0))
NEW: Multipliers = ((10, 1), (20, 0))
_STATISTICS = [{"lr_mult": 0, "decay_mult": 0}] * 3

#: a weight filler; its bias filler is constant 0
Filler = dict[str, Any]
MSRA: Filler = {"type": "msra"}


def gaussian(std: float) -> Filler:
    """A filler with standard deviation `std`."""
    return {"type": "gaussian", "std": std}


@dataclass(frozen=True)
class Style:
    """How the layers of one net are written.

    training: state multipliers and fillers; nets for use need neither.
    width: multiplier of channels. from_scratch: msra fillers where the release relies on initial weights.
    """

    training: bool = True
    width: float = 1.0
    batch_norm: bool = False
    moving_average_fraction: float | None = None
    from_scratch: bool = False
    dropout_ratio: float = 0.5

    @property
    def fills_trunk(self) -> bool:
        """Whether trunk and head state fillers: from_scratch, which batch_norm implies."""
        return self.from_scratch or self.batch_norm

    def channels(self, number: int) -> int:
        """`number` times the width, rounded to a multiple of 8, at least 8; `number` itself at width 1."""
        return number if self.width == 1 else max(8, int(number * self.width / 8 + 0.5) * 8)


class Spec(NetSpec):
    """A NetSpec with a style, and with comments for the text: `sections`, layer name to comment."""

    style: Style
    sections: dict[str, str]

    def __init__(self, style: Style) -> None:
        super().__init__()
        self.__dict__.update(style=style, sections={}, _comment="")

    def section(self, comment: str) -> None:
        """Put `comment` above the layer that is assigned next."""
        self.__dict__["_comment"] = comment

    def __setitem__(self, name: str, value: Any) -> None:
        super().__setitem__(name, value)
        if self.__dict__["_comment"]:
            self.sections[name] = self.__dict__["_comment"]
            self.section("")


def convolution(
    n: Spec,
    name: str,
    bottom: Top,
    num_output: int,
    kernel_size: int,
    *,
    pad: int = 0,
    dilation: int = 1,
    bias_term: bool = True,
    multipliers: Multipliers = PRETRAINED,
    filler: Filler | None = None,
) -> Top:
    """One Convolution layer; the parameter fields of Caffe's default values are left out."""
    shape: dict[str, Any] = {"num_output": num_output, "kernel_size": kernel_size}
    shape |= {"pad": pad} if pad else {}
    shape |= {"dilation": dilation} if dilation != 1 else {}
    shape |= {} if bias_term else {"bias_term": False}
    training: dict[str, Any] = {}
    if n.style.training:
        training["param"] = [{"lr_mult": lr, "decay_mult": decay} for lr, decay in multipliers[: 1 + bias_term]]
        if filler:
            shape["weight_filler"] = filler
            shape |= {"bias_filler": {"type": "constant", "value": 0}} if bias_term else {}
    n[name] = layers.Convolution(bottom, convolution_param=shape, **training)
    return n[name]


def conv_relu(
    n: Spec, name: str, bottom: Top, channels: int, kernel_size: int = 3, pad: int = 1, dilation: int = 1
) -> Top:
    """Convolution and ReLU in place; BatchNorm and Scale between them if the style has them.

    `conv1_1` is followed by `relu1_1`, or by `bn_conv1_1`, `scale_conv1_1`, `relu1_1`.
    """
    style = n.style
    filler = MSRA if style.fills_trunk else None
    top = convolution(
        n,
        name,
        bottom,
        style.channels(channels),
        kernel_size,
        pad=pad,
        dilation=dilation,
        bias_term=not style.batch_norm,
        filler=filler,
    )
    if style.batch_norm:
        top = batch_norm_scale(n, name, top)
    relu = re.sub("^[a-z]+", "relu", name)
    n[relu] = layers.ReLU(top, in_place=True)
    return n[relu]


def batch_norm_scale(n: Spec, name: str, bottom: Top) -> Top:
    """BatchNorm `bn_<name>` and Scale `scale_<name>`, in place.

    Training normalises by the batch, testing by the stored statistics (Caffe's default). The solver must not touch
    the statistics, hence their three multipliers of 0.
    """
    fraction = n.style.moving_average_fraction
    own = {"batch_norm_param": {"moving_average_fraction": fraction}} if fraction is not None else {}
    statistics = {"param": _STATISTICS} if n.style.training else {}
    n[f"bn_{name}"] = layers.BatchNorm(bottom, in_place=True, **own, **statistics)
    multipliers = {"param": [{"lr_mult": 1, "decay_mult": 0}, {"lr_mult": 2, "decay_mult": 0}]}
    learned = multipliers if n.style.training else {}
    n[f"scale_{name}"] = layers.Scale(n[f"bn_{name}"], in_place=True, bias_term=True, **learned)
    return n[f"scale_{name}"]


def pooling(n: Spec, name: str, bottom: Top, kernel_size: int, stride: int, pad: int, pool: str = "MAX") -> Top:
    """One Pooling layer, MAX or AVE."""
    shape = {"kernel_size": kernel_size, "stride": stride} | ({"pad": pad} if pad else {})
    n[name] = layers.Pooling(bottom, pool=getattr(params.Pooling, pool), **shape)
    return n[name]


def dropout(n: Spec, name: str, bottom: Top) -> Top:
    """Dropout in place, with the style's ratio."""
    n[name] = layers.Dropout(bottom, in_place=True, dropout_ratio=n.style.dropout_ratio)
    return n[name]


def classifier(n: Spec, name: str, bottom: Top, num_classes: int) -> Top:
    """The scores: a 1x1 convolution that starts at random and learns ten times as fast as the rest."""
    return convolution(n, name, bottom, num_classes, 1, multipliers=NEW, filler=gaussian(0.01))
