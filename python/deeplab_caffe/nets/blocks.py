"""The smallest parts of a net: functions from a top to a top, whose layers have the names of the releases."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from ..caffe.net_spec import NetSpec, Top, layers, params

#: (lr_mult, decay_mult) of a weight and of its bias
Multipliers = tuple[tuple[float, float], tuple[float, float]]
PRETRAINED: Multipliers = ((1, 1), (2, 0))
NEW: Multipliers = ((10, 1), (20, 0))
FROZEN: Multipliers = ((0, 0), (0, 0))

#: a weight filler; the bias filler beside it is constant 0
Filler = dict[str, Any]
MSRA: Filler = {"type": "msra"}


def gaussian(std: float) -> Filler:
    """A Gaussian filler with mean 0 and standard deviation `std`."""
    return {"type": "gaussian", "std": std}


@dataclass(frozen=True)
class Style:
    """How the layers of one net are written.

    Attributes:
        training: write multipliers and fillers; test and deploy nets need neither.
        width: factor on the channels.
        batch_norm: VGG nets get BatchNorm layers; those of ResNets learn, which are frozen otherwise.
        moving_average_fraction: of BatchNorm; None for Caffe's default.
        from_scratch: write msra fillers where the release relies on initial weights.
        residuals_start_at_zero: blocks of ResNets start as what they add to, so that features do not grow with depth.
        dropout_ratio: of the head.
        stride_on_3x3: in ResNets the 3x3 convolutions have the strides (torchvision's weights), not the 1x1 before.
        pretrained: multipliers of the layers that start from initial weights.
        shares: name the parameters, so that branches with other suffixes use the same ones.
    """

    training: bool = True
    width: float = 1.0
    batch_norm: bool = False
    moving_average_fraction: float | None = None
    from_scratch: bool = False
    residuals_start_at_zero: bool = False
    dropout_ratio: float = 0.5
    stride_on_3x3: bool = False
    pretrained: Multipliers = PRETRAINED
    shares: bool = False

    @property
    def fills_trunk(self) -> bool:
        """Whether the layers of trunk and head have fillers: from_scratch, which batch_norm implies."""
        return self.from_scratch or self.batch_norm

    def channels(self, number: int) -> int:
        """`number` times the width, rounded to a multiple of 8, at least 8; `number` itself at width 1.

        Example:
            >>> Style(width=0.25).channels(64), Style(width=0.01).channels(64), Style().channels(21)
            (16, 8, 21)
        """
        return number if self.width == 1 else max(8, int(number * self.width / 8 + 0.5) * 8)


class Spec(NetSpec):
    """A NetSpec that also has a style, comments for the text, and a suffix of names.

    The blocks of this package name their layers by `put`, which appends the suffix. So the same functions write each
    branch of a net that sees an image at several scales.

    Attributes:
        style: how layers are written.
        sections: layer name to the comment above it.
        suffix: what `put` appends to names.

    Example:
        >>> n = Spec(Style(width=0.5))
        >>> n["data"] = layers.Input(input_param={"shape": {"dim": [1, 3, 65, 65]}})
        >>> with n.branch("_res05"):
        ...     top = conv_relu(n, "conv1_1", n["data"], 64)
        >>> [(layer.name, list(layer.bottom)) for layer in n.to_proto().layer]
        [('data', []), ('conv1_1_res05', ['data']), ('relu1_1_res05', ['conv1_1_res05'])]
    """

    style: Style
    sections: dict[str, str]
    suffix: str

    def __init__(self, style: Style) -> None:
        super().__init__()
        self.__dict__.update(style=style, sections={}, suffix="", _comment="")

    def section(self, comment: str) -> None:
        """Write `comment` above the layer that is assigned next."""
        self.__dict__["_comment"] = comment

    def __setitem__(self, name: str, value: Any) -> None:
        super().__setitem__(name, value)
        if self.__dict__["_comment"]:
            self.sections[name] = self.__dict__["_comment"]
            self.section("")

    def put(self, name: str, top: Top) -> Top:
        """Assign `top` to `name` with the branch's suffix, and return it."""
        self[name + self.suffix] = top
        return top

    @contextmanager
    def branch(self, suffix: str) -> Iterator[None]:
        """A context in which names get `suffix`, except those of shared parameters."""
        with self._changed("suffix", suffix):
            yield

    @contextmanager
    def styled(self, **changes: Any) -> Iterator[None]:
        """A context in which the style has these changes: `with n.styled(pretrained=FROZEN): …`."""
        with self._changed("style", replace(self.style, **changes)):
            yield

    @contextmanager
    def _changed(self, name: str, value: Any) -> Iterator[None]:
        before = self.__dict__[name]
        self.__dict__[name] = value
        try:
            yield
        finally:
            self.__dict__[name] = before

    def param(self, multipliers: Sequence[tuple[float, float]], names: Sequence[str]) -> dict[str, Any]:
        """The keyword `param` of a layer: multipliers in training, names where parameters are shared; or {}."""
        rows: list[dict[str, Any]] = []
        for (lr, decay), name in zip(multipliers, names, strict=True):
            row: dict[str, Any] = {"name": name} if self.style.shares else {}
            rows.append(row | ({"lr_mult": lr, "decay_mult": decay} if self.style.training else {}))
        return {"param": rows} if any(rows) else {}


def convolution(
    n: Spec,
    name: str,
    bottom: Top,
    num_output: int,
    kernel_size: int,
    *,
    pad: int = 0,
    dilation: int = 1,
    stride: int = 1,
    group: int = 1,
    bias_term: bool = True,
    multipliers: Multipliers | None = None,
    filler: Filler | None = None,
    names: Sequence[str] = (),
) -> Top:
    """One Convolution layer; fields that would have Caffe's default are not written.

    Args:
        n: the net.
        name: of the layer.
        bottom: (N, C, h, w).
        num_output: channels of the top; `width` does not change them.
        kernel_size: in pixels of the bottom; so are pad, dilation and stride.
        multipliers: of weight and bias; by default the style's for pretrained layers.
        filler: of the weight, in training nets; the bias then starts at 0. None for no filler.
        names: of weight and bias where the style shares them; by default `<name>_w` and `<name>_b`.

    Returns:
        The top, (N, num_output, h', w').
    """
    shape: dict[str, Any] = {"num_output": num_output, "kernel_size": kernel_size}
    for key, value, default in (("pad", pad, 0), ("dilation", dilation, 1), ("stride", stride, 1), ("group", group, 1)):
        shape |= {key: value} if value != default else {}
    shape |= {} if bias_term else {"bias_term": False}
    if filler and n.style.training:
        shape["weight_filler"] = filler
        shape |= {"bias_filler": {"type": "constant", "value": 0}} if bias_term else {}
    blobs = 1 + bias_term
    param = n.param((multipliers or n.style.pretrained)[:blobs], (names or (f"{name}_w", f"{name}_b"))[:blobs])
    return n.put(name, layers.Convolution(bottom, convolution_param=shape, **param))


def conv_relu(
    n: Spec, name: str, bottom: Top, channels: int, kernel_size: int = 3, pad: int = 1, **geometry: Any
) -> Top:
    """Convolution and ReLU in place; BatchNorm and Scale between them if the style has them.

    `conv1_1` is followed by `relu1_1`, or by `bn_conv1_1`, `scale_conv1_1`, `relu1_1`. channels: before the style's
    width. geometry: dilation, stride and group, as in `convolution`.
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
        bias_term=not style.batch_norm,
        filler=filler,
        **geometry,
    )
    if style.batch_norm:
        top = batch_norm_scale(n, name, top)
    return relu(n, re.sub("^[a-z]+", "relu", name), top)


def relu(n: Spec, name: str, bottom: Top) -> Top:
    """ReLU in place."""
    return n.put(name, layers.ReLU(bottom, in_place=True))


def batch_norm_scale(n: Spec, name: str, bottom: Top) -> Top:
    """BatchNorm `bn_<name>` and Scale `scale_<name>`, in place.

    Training normalises by the batch, testing by the stored statistics (Caffe's default). The solver must not change
    the statistics, so their three multipliers are 0. In a part of a net that is frozen, training normalises by the
    stored statistics too, and keeps them: what the part computes stays what it was trained to compute.
    """
    own: dict[str, Any] = {}
    if n.style.training and n.style.pretrained[0][0] == 0:
        own = {"batch_norm_param": {"use_global_stats": True}}
    elif n.style.moving_average_fraction is not None:
        own = {"batch_norm_param": {"moving_average_fraction": n.style.moving_average_fraction}}
    param = n.param([(0, 0)] * 3, [f"bn_{name}_{i}" for i in range(3)])
    top = n.put(f"bn_{name}", layers.BatchNorm(bottom, in_place=True, **own, **param))
    param = n.param([(lr, 0) for lr, _ in n.style.pretrained], [f"scale_{name}_{i}" for i in range(2)])
    return n.put(f"scale_{name}", layers.Scale(top, in_place=True, bias_term=True, **param))


def pooling(n: Spec, name: str, bottom: Top, kernel_size: int, stride: int, pad: int, pool: str = "MAX") -> Top:
    """One Pooling layer, MAX or AVE."""
    shape = {"kernel_size": kernel_size, "stride": stride} | ({"pad": pad} if pad else {})
    return n.put(name, layers.Pooling(bottom, pool=getattr(params.Pooling, pool), **shape))


def dropout(n: Spec, name: str, bottom: Top) -> Top:
    """Dropout in place, with the style's ratio."""
    return n.put(name, layers.Dropout(bottom, in_place=True, dropout_ratio=n.style.dropout_ratio))
