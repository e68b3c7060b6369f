"""torchvision's VGG-16, ResNets and DeepLab v3, as narrow as one likes, with the names that its state dicts have."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

_VGG16 = (64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M")


class VGG16(nn.Module):
    """(N, 3, 224, 224) to (N, classes)."""

    def __init__(self, divide: int = 1, hidden: int = 4096, classes: int = 1000) -> None:
        super().__init__()
        modules: list[nn.Module] = []
        channels = 3
        for item in _VGG16:
            if item == "M":
                modules.append(nn.MaxPool2d(2, 2))
            else:
                modules += [nn.Conv2d(channels, int(item) // divide, 3, padding=1), nn.ReLU()]
                channels = int(item) // divide
        self.features = nn.Sequential(*modules)
        self.classifier = nn.Sequential(
            *(nn.Linear(channels * 49, hidden), nn.ReLU(), nn.Dropout()),
            *(nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout()),
            nn.Linear(hidden, classes),
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(images).flatten(1))


class Bottleneck(nn.Module):
    def __init__(self, bottom: int, mid: int, stride: int, stride_on: str) -> None:
        super().__init__()
        first, second = (stride, 1) if stride_on == "1x1" else (1, stride)
        self.conv1, self.bn1 = nn.Conv2d(bottom, mid, 1, first, bias=False), nn.BatchNorm2d(mid)
        self.conv2, self.bn2 = nn.Conv2d(mid, mid, 3, second, 1, bias=False), nn.BatchNorm2d(mid)
        self.conv3, self.bn3 = nn.Conv2d(mid, 4 * mid, 1, bias=False), nn.BatchNorm2d(4 * mid)
        self.downsample = None
        if stride != 1 or bottom != 4 * mid:
            self.downsample = nn.Sequential(nn.Conv2d(bottom, 4 * mid, 1, stride, bias=False), nn.BatchNorm2d(4 * mid))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shortcut = self.downsample(x) if self.downsample is not None else x
        y = functional.relu(self.bn1(self.conv1(x)))
        y = functional.relu(self.bn2(self.conv2(y)))
        return functional.relu(self.bn3(self.conv3(y)) + shortcut)


class ResNet(nn.Module):
    """(N, 3, h, w) to the features of the last stage, (N, 2048 / divide, h / 32, w / 32)."""

    def __init__(self, blocks: tuple[int, ...] = (3, 4, 6, 3), divide: int = 1, stride_on: str = "3x3") -> None:
        super().__init__()
        channels = 64 // divide
        self.conv1, self.bn1 = nn.Conv2d(3, channels, 7, 2, 3, bias=False), nn.BatchNorm2d(channels)
        for stage, count in enumerate(blocks):
            mid = (64 << stage) // divide
            parts = []
            for i in range(count):
                parts.append(Bottleneck(channels, mid, 2 if stage and i == 0 else 1, stride_on))
                channels = 4 * mid
            setattr(self, f"layer{stage + 1}", nn.Sequential(*parts))
        self.fc = nn.Linear(channels, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = functional.max_pool2d(functional.relu(self.bn1(self.conv1(images))), 3, 2, 1)
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))


class Pyramid(nn.Module):
    """(N, C, h, w) to (N, mid, h, w): 1x1, three atrous 3x3, the image's average, and what reduces them."""

    def __init__(self, bottom: int, mid: int, rates: tuple[int, int, int]) -> None:
        super().__init__()
        self.convs = nn.ModuleList([nn.Sequential(*conv_bn_relu(bottom, mid, 1))])
        self.convs.extend(nn.Sequential(*conv_bn_relu(bottom, mid, 3, rate)) for rate in rates)
        self.convs.append(nn.Sequential(nn.AdaptiveAvgPool2d(1), *conv_bn_relu(bottom, mid, 1)))
        self.project = nn.Sequential(*conv_bn_relu(5 * mid, mid, 1), nn.Dropout(0.5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tops = [conv(x) for conv in self.convs]
        tops[-1] = tops[-1].expand_as(tops[0])
        return self.project(torch.cat(tops, 1))


def conv_bn_relu(bottom: int, top: int, kernel_size: int, rate: int = 1) -> list[nn.Module]:
    padding = rate * (kernel_size - 1) // 2
    conv = nn.Conv2d(bottom, top, kernel_size, padding=padding, dilation=rate, bias=False)
    return [conv, nn.BatchNorm2d(top), nn.ReLU()]


class DeepLabV3(nn.Module):
    """(N, 3, h, w) to scores (N, classes, h / 32, w / 32), without enlarging them."""

    def __init__(self, divide: int, classes: int, rates: tuple[int, int, int]) -> None:
        super().__init__()
        self.backbone = ResNet(divide=divide)
        del self.backbone.fc
        mid = 256 // divide
        pyramid = Pyramid(2048 // divide, mid, rates)
        self.classifier = nn.Sequential(pyramid, *conv_bn_relu(mid, mid, 3), nn.Conv2d(mid, classes, 1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.backbone(images))


def randomised(model: nn.Module, seed: int = 0) -> nn.Module:
    """The model for use, with statistics, slopes and offsets that a trained one might have."""
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean = torch.randn(module.num_features, generator=generator) * 0.1
            module.running_var = torch.rand(module.num_features, generator=generator) + 0.5
            module.weight.data = torch.rand(module.num_features, generator=generator) + 0.5
            module.bias.data = torch.randn(module.num_features, generator=generator) * 0.1
    return model.eval()
