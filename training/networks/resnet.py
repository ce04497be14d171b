"""ResNet encoders (He et al. 2016), named as torchvision names them, so that its weight files fit."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
BLOCKS = {18: (2, 2, 2, 2), 50: (3, 4, 6, 3)}
WIDTHS = (64, 128, 256, 512)


def convolution(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    """Without bias: batch normalisation follows."""
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Sequential | None:
    if stride == 1 and inputs == outputs:
        return None
    return nn.Sequential(convolution(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))


class Basic(nn.Module):
    """Two 3x3 convolutions (ResNet-18)."""

    growth = 1

    def __init__(self, inputs: int, width: int, stride: int, strided_kernel: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = convolution(inputs, width, 3, stride), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = convolution(width, width, 3), nn.BatchNorm2d(width)
        self.downsample = _shortcut(inputs, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        residual = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(residual + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 convolutions (ResNet-50; figures 4 and 5 of paper 2)."""

    growth = 4

    def __init__(self, inputs: int, width: int, stride: int, strided_kernel: int) -> None:
        super().__init__()
        outputs = width * self.growth
        self.conv1 = convolution(inputs, width, 1, stride if strided_kernel == 1 else 1)
        self.conv2 = convolution(width, width, 3, stride if strided_kernel == 3 else 1)
        self.conv3 = convolution(width, outputs, 1)
        self.bn1, self.bn2, self.bn3 = nn.BatchNorm2d(width), nn.BatchNorm2d(width), nn.BatchNorm2d(outputs)
        self.downsample = _shortcut(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        residual = F.relu(self.bn1(self.conv1(x)))
        residual = self.bn3(self.conv3(F.relu(self.bn2(self.conv2(residual)))))
        return F.relu(residual + (x if self.downsample is None else self.downsample(x)))


class ResNetEncoder(nn.Module):
    """RGB (B, 3, H, W) in [0, 1] → four feature maps, at 1/4, 1/8, 1/16 and 1/32.

    Parameters: 23 508 032 (depth 50), 11 176 512 (depth 18): torchvision's less the classifier. ImageNet's mean and
    spread are taken off inside.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, depth: int = 50, strided_kernel: int = 3) -> None:
        """`strided_kernel`: the convolution that halves a bottleneck's input, 3x3 (torchvision) or the first 1x1."""
        super().__init__()
        if depth not in BLOCKS:
            raise ValueError(f"there is no encoder of depth {depth!r}: choose from {sorted(BLOCKS)!r}")
        if strided_kernel not in (1, 3):
            raise ValueError(f"strided_kernel is 1 or 3, not {strided_kernel!r}")
        self.depth, self.strided_kernel = depth, strided_kernel
        block = Basic if depth == 18 else Bottleneck
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        inputs = 64
        for number, (width, count) in enumerate(zip(WIDTHS, BLOCKS[depth], strict=True), start=1):
            layer = []
            for index in range(count):
                layer.append(block(inputs, width, 2 if number > 1 and index == 0 else 1, strided_kernel))
                inputs = width * block.growth
            setattr(self, f"layer{number}", nn.Sequential(*layer))
        self.channels = tuple(width * block.growth for width in WIDTHS)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1), persistent=False)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, image: Tensor) -> list[Tensor]:
        x = F.relu(self.bn1(self.conv1((image - self.mean) / self.std)))
        x = F.max_pool2d(x, 3, stride=2, padding=1)
        features = []
        for number in range(1, len(WIDTHS) + 1):
            x = self.get_submodule(f"layer{number}")(x)
            features.append(x)
        return features
