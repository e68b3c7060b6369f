"""State dicts of well-known PyTorch nets under the layer names of the corresponding Caffe nets.

Supported are torchvision's VGG-16, ResNet-50 and -101, its DeepLab v3 on these, and DeepLab v2 on ResNet-101 in two
families of re-implementations. A convolution's weight and bias are a layer's two blobs. A batch normalisation is two
layers in Caffe: BatchNorm (mean, variance, factor 1) and Scale (slope, offset).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from ..errors import InputError
from ..formats.weight_fit import NetLayer
from ..formats.weights import BlobArray, LayerWeights
from .state_dict import StateDict, modules_of

#: torchvision's module numbers of VGG-16's convolutions
_VGG16 = {
    0: "conv1_1", 2: "conv1_2", 5: "conv2_1", 7: "conv2_2", 10: "conv3_1", 12: "conv3_2", 14: "conv3_3",
    17: "conv4_1", 19: "conv4_2", 21: "conv4_3", 24: "conv5_1", 26: "conv5_2", 28: "conv5_3",
}  # fmt: skip
_VGG16_CLASSIFIER = {0: "fc6", 3: "fc7", 6: "fc8"}
_BRANCHES = {"1": "a", "2": "b", "3": "c", "reduce": "a", "conv3x3": "b", "increase": "c"}
#: the 3x3 convolution between pyramid and scores that only torchvision's DeepLab v3 has, not the paper's
EXTRA = "concat_conv"
#: the arrays of a batch normalisation
_STATISTICS = ("weight", "bias", "running_mean", "running_var")
#: number of blocks in the third stage → depth
_DEPTHS = {6: 50, 23: 101}


@dataclass(frozen=True)
class TorchModel:
    """The PyTorch net that a state dict belongs to.

    preprocessing: "caffe" (BGR, 0 to 255, minus the mean) or "torchvision" (RGB, 0 to 1, normalised by its own mean and
    deviation). stride_on: the convolution of a bottleneck that has the stride, "1x1" or "3x3"; "" without bottlenecks.
    """

    title: str
    preprocessing: str
    stride_on: str = ""


def to_caffe(state: StateDict, where: str, dataset: str = "voc12") -> tuple[TorchModel, list[LayerWeights]]:
    """The Caffe layers of a state dict, in the order of its names, and the net that it belongs to.

    Args:
        state: name → values.
        where: the file, for messages.
        dataset: goes into the names of DeepLab's classifiers, `fc1_<dataset>_c0`.

    Raises:
        InputError: if the net is not supported, or has a module that the supported net does not have.
    """
    source, rename = _recognise(state, where, dataset)
    found: list[LayerWeights] = []
    for module, parts in modules_of(state).items():
        target = rename(module)
        if target is None:
            raise InputError(f"{where}: '{module}' is not part of {source.title}, as supported here")
        wanted = _STATISTICS if "running_mean" in parts else ("weight",)
        if target and not set(wanted) <= set(parts):
            raise InputError(f"{where}: '{module}' has {', '.join(parts)}; expected {', '.join(wanted)}")
        found += _layers(target, parts) if target else []
    return source, found


def _recognise(state: StateDict, where: str, dataset: str) -> tuple[TorchModel, Callable[[str], str | None]]:
    names = set(state)
    if {"features.0.weight", "classifier.0.weight"} <= names:
        if "features.1.weight" in names or "features.28.weight" not in names:
            raise InputError(f"{where}: a VGG net, but not torchvision's VGG-16 without batch normalisation")
        return TorchModel("torchvision's VGG-16", "torchvision"), _vgg16
    for title, prefix, probe, preprocessing, stride_on in _RESNETS:
        if prefix + probe in names:
            depth = _depth(names, prefix, where)
            rename = partial(_resnet, prefix=prefix, depth=depth, dataset=dataset)
            return TorchModel(title.format(depth=depth), preprocessing, stride_on), rename
    some = ", ".join(list(state)[:3])
    raise InputError(
        f"{where}: unknown net; its names begin with {some}. Supported are torchvision's vgg16, resnet50, resnet101 "
        "and deeplabv3, and DeepLab v2's ResNet-101 with the names of its PyTorch re-implementations"
    )


#: title, prefix of the trunk's names, a name that identifies it, preprocessing, where the stride is
_RESNETS = (
    ("DeepLab v2 on ResNet-{depth}, modules called reduce and increase", "base.", "layer2.block1.reduce.conv.weight",
     "caffe", "1x1"),
    ("DeepLab v2 on ResNet-{depth}, modules called reduce and increase", "", "layer2.block1.reduce.conv.weight",
     "caffe", "1x1"),
    ("DeepLab v2 on ResNet-{depth}, modules called Scale", "Scale.", "layer5.conv2d_list.0.weight", "caffe", "1x1"),
    ("DeepLab v2 on ResNet-{depth}, modules called layer5", "", "layer5.conv2d_list.0.weight", "caffe", "1x1"),
    ("torchvision's DeepLab v3 on ResNet-{depth}", "backbone.", "layer1.0.conv1.weight", "torchvision", "3x3"),
    ("torchvision's ResNet-{depth}", "", "layer1.0.conv1.weight", "torchvision", "3x3"),
)  # fmt: skip


def _depth(names: set[str], prefix: str, where: str) -> int:
    torchvision = rf"{re.escape(prefix)}layer3\.(\d+)\.conv3"
    other = rf"{re.escape(prefix)}layer4\.block(\d+)\.increase"
    blocks = {m[0] for name in names for m in [re.match(f"{torchvision}|{other}", name)] if m}
    if len(blocks) not in _DEPTHS:
        raise InputError(f"{where}: a residual net with {len(blocks)} blocks in its third stage; expected 6 or 23")
    return _DEPTHS[len(blocks)]


def _vgg16(module: str) -> str | None:
    """A module's layer; None if the module is unknown."""
    part, _, number = module.partition(".")
    table = {"features": _VGG16, "classifier": _VGG16_CLASSIFIER}.get(part, {})
    return table.get(int(number)) if number.isdecimal() else None


def _resnet(module: str, prefix: str, depth: int, dataset: str) -> str | None:
    """A module's layer; "" for one that is ignored (a classifier of images, an auxiliary head); None if unknown."""
    inner = module.removeprefix(prefix)
    if re.match(r"fc$|aux_classifier\.", module):
        return ""
    for pattern, name in _RESNET_RULES:
        match = re.fullmatch(pattern, inner)
        if match:
            return name(depth, dataset, *match.groups())
    return None


def _block(stage: int, index: int, depth: int) -> str:
    """4b22, or 4c in ResNet-50."""
    numbered = depth == 101 and stage in (3, 4)
    letter = "a" if index == 0 else f"b{index}" if numbered else chr(ord("a") + index)
    return f"{stage}{letter}"


def _branch(stage: int, index: int, branch: str, is_norm: bool, depth: int) -> str:
    return f"{'' if is_norm else 'res'}{_block(stage, index, depth)}_branch{branch}"


def _head(name: str, is_norm: bool) -> str:
    return f"{'_' if is_norm else ''}{name}"


_RESNET_RULES: list[tuple[str, Callable[..., str]]] = [
    # torchvision's, and those written after it
    (r"conv1", lambda d, s: "conv1"),
    (r"bn1", lambda d, s: "_conv1"),
    (r"layer([1-4])\.(\d+)\.(conv|bn)(\d)",
     lambda d, s, n, i, kind, k: _branch(int(n) + 1, int(i), "2" + _BRANCHES[k], kind == "bn", d)),
    (r"layer([1-4])\.(\d+)\.downsample\.([01])",
     lambda d, s, n, i, k: _branch(int(n) + 1, int(i), "1", k == "1", d)),
    (r"layer5\.conv2d_list\.(\d)", lambda d, s, k: f"fc1_{s}_c{k}"),
    # stages counted from the stem, blocks from one, a convolution and its normalisation in one module
    (r"layer1\.conv1\.(conv|bn)", lambda d, s, kind: "conv1" if kind == "conv" else "_conv1"),
    (r"layer([2-5])\.block(\d+)\.(reduce|conv3x3|increase)\.(conv|bn)",
     lambda d, s, n, i, m, kind: _branch(int(n), int(i) - 1, "2" + _BRANCHES[m], kind == "bn", d)),
    (r"layer([2-5])\.block(\d+)\.shortcut\.(conv|bn)",
     lambda d, s, n, i, kind: _branch(int(n), int(i) - 1, "1", kind == "bn", d)),
    (r"aspp\.c(\d)", lambda d, s, k: f"fc1_{s}_c{k}"),
    # the head of torchvision's DeepLab v3
    (r"classifier\.0\.convs\.([0-3])\.([01])", lambda d, s, k, i: _head(f"aspp{k}", i == "1")),
    (r"classifier\.0\.convs\.4\.([12])", lambda d, s, i: _head("image_pooling", i == "2")),
    (r"classifier\.0\.project\.([01])", lambda d, s, i: _head("concat_projection", i == "1")),
    (r"classifier\.([12])", lambda d, s, i: _head(EXTRA, i == "2")),
    (r"classifier\.4", lambda d, s: f"fc1_{s}"),
]  # fmt: skip


def _layers(target: str, parts: dict[str, np.ndarray]) -> Iterator[LayerWeights]:
    """One module's layers: a BatchNorm and a Scale if it has running statistics."""
    if "running_mean" in parts:
        mean, variance = parts["running_mean"], parts["running_var"]
        factor = np.ones(1, np.float32)
        yield LayerWeights(f"bn{target}", "BatchNorm", [BlobArray(x) for x in (mean, variance, factor)])
        yield LayerWeights(f"scale{target}", "Scale", [BlobArray(parts[x]) for x in ("weight", "bias")])
        return
    kind = "InnerProduct" if parts["weight"].ndim == 2 else "Convolution"
    yield LayerWeights(target, kind, [BlobArray(parts[x]) for x in ("weight", "bias") if x in parts])


def warnings(source: TorchModel, layers: Sequence[LayerWeights], target: Mapping[str, NetLayer]) -> list[str]:
    """Warnings about a target whose shapes fit: strides on other convolutions, a missing layer."""
    found = []
    first = target.get("res3a_branch2a")
    stride_on = source.stride_on if first is None else "1x1" if first.stride == 2 else "3x3"
    if source.stride_on and stride_on != source.stride_on:
        found.append(
            f"{source.title} has its strides on the {source.stride_on} convolutions, this net on the {stride_on}: the "
            f"features will differ; generate the net with --stride-on {source.stride_on}"
        )
    if EXTRA not in target and any(layer.name == EXTRA for layer in layers):
        found.append(
            f"{source.title} has a 3x3 convolution '{EXTRA}' with BatchNorm and ReLU before its scores, this net does "
            "not: scores are meaningless until the net is trained, or has that layer"
        )
    return found
