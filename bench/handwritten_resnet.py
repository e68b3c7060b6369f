"""DeepLab v2 (ResNet-101, three scales, ASPP) as anybody would write it in PyTorch: what ours is measured against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

#: of each stage: blocks, inner channels, stride of the first block, dilation
_STAGES = {2: (3, 64, 1, 1), 3: (4, 128, 2, 1), 4: (23, 256, 1, 2), 5: (3, 512, 1, 4)}
_DILATIONS = (6, 12, 18, 24)


class _Frozen(nn.Module):
    """Batch normalization by statistics that stay, and its scale: a factor and a shift for each channel."""

    factor: torch.Tensor
    shift: torch.Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("factor", torch.ones(channels, 1, 1))
        self.register_buffer("shift", torch.zeros(channels, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.factor + self.shift


class _Unit(nn.Sequential):
    """A convolution and its normalization; `caffe_name` is what Caffe's res…, bn… and scale… have in common."""

    def __init__(self, caffe_name: str, inputs: int, outputs: int, kernel: int, stride: int = 1, dilation: int = 1):
        pad = dilation * (kernel // 2)
        super().__init__(nn.Conv2d(inputs, outputs, kernel, stride, pad, dilation, bias=False), _Frozen(outputs))
        self.caffe_name = caffe_name


class _Block(nn.Module):
    def __init__(self, name: str, inputs: int, inner: int, stride: int, dilation: int, projects: bool) -> None:
        super().__init__()
        outputs = 4 * inner
        self.shortcut = _Unit(f"{name}_branch1", inputs, outputs, 1, stride) if projects else nn.Identity()
        self.a = _Unit(f"{name}_branch2a", inputs, inner, 1, stride)
        self.b = _Unit(f"{name}_branch2b", inner, inner, 3, 1, dilation)
        self.c = _Unit(f"{name}_branch2c", inner, outputs, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.c(F.relu(self.b(F.relu(self.a(x)))))
        return F.relu(y + self.shortcut(x))


class ResNet101(nn.Module):
    """Images (N, 3, H, W) to scores (N, classes, h, w) at stride 8; `scores` is ASPP's four branches."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.first = _Unit("_conv1", 3, 64, 7, 2)
        blocks, inputs = [], 64
        for stage, (count, inner, stride, dilation) in _STAGES.items():
            for index in range(count):
                letter = "abc"[index] if count == 3 else "a" if index == 0 else f"b{index}"
                first = index == 0
                blocks.append(_Block(f"{stage}{letter}", inputs, inner, stride if first else 1, dilation, first))
                inputs = 4 * inner
        self.blocks = nn.Sequential(*blocks)
        self.scores = nn.ModuleList(nn.Conv2d(inputs, classes, 3, padding=d, dilation=d) for d in _DILATIONS)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.max_pool2d(F.relu(self.first(x)), 3, 2, 1, ceil_mode=True)
        x = self.blocks(x)
        return torch.stack([branch(x) for branch in self.scores]).sum(0)


class ThreeScales(nn.Module):
    """Scores of the whole image, of three quarters and of half of its size, and their maximum."""

    def __init__(self, classes: int = 21) -> None:
        super().__init__()
        self.net = ResNet101(classes)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """(fused, whole, three quarters, half): all at the whole image's resolution but the last one."""
        sides = x.shape[2:]
        whole = self.net(x)
        quarters = self.net(_resized(x, [(side - 1) * 3 // 4 + 1 for side in sides]))
        half = self.net(_resized(x, [(side - 1) // 2 + 1 for side in sides]))
        quarters, enlarged = (_resized(y, whole.shape[2:]) for y in (quarters, half))
        return [torch.maximum(torch.maximum(whole, quarters), enlarged), whole, quarters, half]

    def loss(self, x: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        """The sum of four losses, with labels (N, 1, H, W) at the resolution of the scores."""
        found = self(x)
        labels = [label[:, 0, ::8, ::8].long()] * 3 + [label[:, 0, ::16, ::16].long()]
        pairs = zip(found, labels, strict=True)
        return torch.stack([F.cross_entropy(y.float(), t, ignore_index=255) for y, t in pairs]).sum()


def _resized(x: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    return F.interpolate(x, tuple(size), mode="bilinear", align_corners=True)


def with_weights_of(params: Mapping[str, Sequence[Any]]) -> ThreeScales:
    """The net with the weights of prototxt/voc12/resnet101_msc_aspp, by their names."""
    heads = [name for name in params if name.startswith("fc1_") and "_res" not in name]
    net = ThreeScales(params[heads[0]][0].data.shape[0])
    for unit in (module for module in net.modules() if isinstance(module, _Unit)):
        name = unit.caffe_name
        convolution, frozen = unit
        convolution.weight.data = _copy(params["conv1" if name == "_conv1" else f"res{name}"][0])
        mean, variance, count = (_copy(blob) for blob in params[f"bn{name}"])
        scale, shift = (_copy(blob) for blob in params[f"scale{name}"])
        factor = scale / (variance / count + 1e-5).sqrt()
        frozen.factor.copy_(factor[:, None, None])
        frozen.shift.copy_((shift - mean / count * factor)[:, None, None])
    for branch, name in zip(net.net.scores, heads, strict=True):
        branch.weight.data, branch.bias.data = _copy(params[name][0]), _copy(params[name][1])
    return net


def groups(model: ThreeScales, rate: float, decay: float) -> list[dict[str, Any]]:
    """Rate and decay as in the prototxt: ten times for the scores, twice that and no decay for their biases."""
    heads = list(model.net.scores)
    rest = [unit[0].weight for unit in model.modules() if isinstance(unit, _Unit)]
    return [
        {"params": rest, "lr": rate, "weight_decay": decay},
        {"params": [head.weight for head in heads], "lr": 10 * rate, "weight_decay": decay},
        {"params": [head.bias for head in heads], "lr": 20 * rate, "weight_decay": 0.0},
    ]


def _copy(blob: Any) -> torch.Tensor:
    return torch.from_numpy(np.array(blob.data))
