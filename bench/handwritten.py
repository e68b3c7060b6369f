"""DeepLab-LargeFOV (VGG-16) as anybody would write it in PyTorch: what ours is measured against."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

#: output channels of the convolutions of each block, and the pooling behind it: stride
_BLOCKS = [((64, 64), 2), ((128, 128), 2), ((256, 256, 256), 2), ((512, 512, 512), 1), ((512, 512, 512), 1)]


class LargeFOV(nn.Module):
    """Images (N, 3, H, W) to scores (N, classes, h, w) at stride 8, enlarged to H × W unless `training`."""

    def __init__(self, classes: int = 21) -> None:
        super().__init__()
        self.features = nn.Sequential(*_trunk())
        self.head = nn.Sequential(
            nn.Conv2d(512, 1024, 3, padding=12, dilation=12), nn.ReLU(inplace=True), nn.Dropout(0.5),
            nn.Conv2d(1024, 1024, 1), nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Conv2d(1024, classes, 1),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores = self.head(self.features(x))
        return scores if self.training else F.interpolate(scores, x.shape[2:], mode="bilinear", align_corners=True)

    def loss(self, x: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        """The loss with labels (N, 1, H, W) at the resolution of the scores."""
        return F.cross_entropy(self(x).float(), label[:, 0, ::8, ::8].long(), ignore_index=255)

    def convolutions(self) -> list[nn.Conv2d]:
        """In the order of Caffe's layers conv1_1 … fc8."""
        return [module for module in self.modules() if isinstance(module, nn.Conv2d)]


def _trunk() -> Iterator[nn.Module]:
    channels = 3
    for block, (outputs, stride) in enumerate(_BLOCKS):
        dilation = 2 if block == 4 else 1
        for count in outputs:
            yield nn.Conv2d(channels, count, 3, padding=dilation, dilation=dilation)
            yield nn.ReLU(inplace=True)
            channels = count
        yield nn.MaxPool2d(3, stride, 1)
    yield nn.AvgPool2d(3, 1, 1)


def groups(model: LargeFOV, rate: float, decay: float) -> list[dict[str, Any]]:
    """Rate and decay: biases at twice the rate and without decay, the classifier at ten times."""
    *rest, last = model.convolutions()
    return [
        {"params": [getattr(c, kind) for c in layers], "lr": rate * factor * mult, "weight_decay": own}
        for layers, factor in ((rest, 1), ([last], 10))
        for kind, mult, own in (("weight", 1, decay), ("bias", 2, 0.0))
    ]


def with_weights_of(params: Mapping[str, Sequence[Any]]) -> LargeFOV:
    """The net with the weights of a Caffe net's `params`, in the order of its layers."""
    *_, scores = params.values()
    net = LargeFOV(scores[0].data.shape[0])
    for convolution, blobs in zip(net.convolutions(), params.values(), strict=True):
        assert convolution.bias is not None
        convolution.weight.data = torch.from_numpy(np.array(blobs[0].data))
        convolution.bias.data = torch.from_numpy(np.array(blobs[1].data))
    return net
