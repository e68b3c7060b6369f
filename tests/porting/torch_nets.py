"""Small nets with the architectures of torchvision's, written after the papers: for imports into Caffe."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F


def _convolution(
    inputs: int, outputs: int, kernel: int = 3, activation: type[nn.Module] = nn.ReLU, **how: int
) -> nn.Sequential:
    dilation = how.get("dilation", 1)
    padding = dilation * (kernel // 2)
    convolution = nn.Conv2d(inputs, outputs, kernel, padding=padding, bias=False, **how)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), activation())


class VGG(nn.Module):
    """Two blocks of convolutions, then inner products with dropout (Simonyan and Zisserman 2015)."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(True), nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(True),
            nn.MaxPool2d(2, 2),
            nn.Conv2d(4, 8, 3, padding=1), nn.ReLU(True), nn.MaxPool2d(2, 2),
        )  # fmt: skip
        self.avgpool = nn.AdaptiveAvgPool2d((8, 8))
        self.classifier = nn.Sequential(
            nn.Linear(8 * 8 * 8, 16), nn.ReLU(True), nn.Dropout(), nn.Linear(16, 16), nn.ReLU(True), nn.Linear(16, 5)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


class _Block(nn.Module):
    """A bottleneck (He et al. 2016)."""

    def __init__(self, inputs: int, width: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.conv1 = _convolution(inputs, width, 1)
        self.conv2 = _convolution(width, width, 3, stride=stride, dilation=dilation)
        self.conv3 = nn.Conv2d(width, 2 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(2 * width)
        self.downsample = nn.Sequential(nn.Conv2d(inputs, 2 * width, 1, stride, bias=False), nn.BatchNorm2d(2 * width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.bn3(self.conv3(self.conv2(self.conv1(x)))) + self.downsample(x))


def _trunk(dilated: bool) -> nn.Sequential:
    stem = [nn.Conv2d(3, 4, 7, 2, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(True), nn.MaxPool2d(3, 2, 1)]
    last = {"dilation": 2} if dilated else {"stride": 2}
    return nn.Sequential(*stem, _Block(4, 4), _Block(8, 8, **last))


class ResNet(nn.Module):
    """A trunk of bottlenecks, the mean over the image, and an inner product."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = _trunk(dilated=False)
        self.fc = nn.Linear(16, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(torch.flatten(F.adaptive_avg_pool2d(self.trunk(x), 1), 1))


class _Inverted(nn.Module):
    """An inverted residual with a depthwise convolution (Sandler et al. 2018)."""

    def __init__(self, inputs: int, outputs: int, stride: int, activation: type[nn.Module]) -> None:
        super().__init__()
        self.adds = stride == 1 and inputs == outputs
        wide = 2 * inputs
        self.conv = nn.Sequential(
            _convolution(inputs, wide, 1, activation),
            _convolution(wide, wide, 3, activation, stride=stride, groups=wide),
            nn.Conv2d(wide, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.conv(x) if self.adds else self.conv(x)


class MobileNet(nn.Module):
    """Inverted residuals; with HardSwish and squeeze-and-excitation it is like MobileNetV3 (Howard et al. 2019)."""

    def __init__(self, activation: type[nn.Module] = nn.ReLU6, excited: bool = False) -> None:
        super().__init__()
        self.features = nn.Sequential(
            _convolution(3, 4, 3, activation, stride=2),
            _Inverted(4, 4, 1, activation),
            _Excited(4) if excited else nn.Identity(),
            _Inverted(4, 8, 2, activation),
        )
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(8, 5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(x).mean([2, 3]))


class _Excited(nn.Module):
    """Squeeze and excitation (Hu et al. 2018)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Conv2d(channels, 2, 1), nn.Conv2d(2, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gate = self.fc2(F.relu(self.fc1(F.adaptive_avg_pool2d(x, 1))))
        return x * F.hardsigmoid(gate)


class _Pooled(nn.Module):
    """The image pooling of DeepLab v3's ASPP."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = _convolution(16, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.interpolate(self.conv(F.adaptive_avg_pool2d(x, 1)), x.shape[-2:], mode="bilinear", align_corners=False)


class DeepLabV3(nn.Module):
    """A dilated trunk, atrous spatial pyramid pooling, and bilinear enlarging (Chen et al. 2017)."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = _trunk(dilated=True)
        rates = [_convolution(16, 4, 1), *(_convolution(16, 4, 3, dilation=rate) for rate in (2, 3)), _Pooled()]
        self.aspp = nn.ModuleList(rates)
        self.project = nn.Sequential(_convolution(16, 8, 1), nn.Dropout(0.5), nn.Conv2d(8, 5, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        deep = self.backbone(x)
        scores = self.project(torch.cat([branch(deep) for branch in self.aspp], 1))
        return F.interpolate(scores, x.shape[-2:], mode="bilinear", align_corners=False)


class FCN(nn.Module):
    """A dilated trunk and a head of two convolutions (Long et al. 2015)."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = _trunk(dilated=True)
        self.classifier = nn.Sequential(_convolution(16, 4), nn.Dropout(0.1), nn.Conv2d(4, 5, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores = self.classifier(self.backbone(x))
        return F.interpolate(scores, x.shape[-2:], mode="bilinear", align_corners=False)


NETS: dict[str, Callable[[], nn.Module]] = {
    "VGG": VGG,
    "ResNet": ResNet,
    "MobileNetV2": MobileNet,
    "MobileNetV3": lambda: MobileNet(nn.Hardswish, excited=True),
    "DeepLabV3": DeepLabV3,
    "FCN": FCN,
}


def made(name: str) -> nn.Module:
    """A net in evaluation mode with drawn weights and statistics."""
    torch.manual_seed(0)
    net = NETS[name]()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
    return net.eval()
