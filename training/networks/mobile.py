"""The compact network of the default model: mobile-style encoder, light decoder, log of canonical depth."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

ENCODER = (
    # (expansion, output channels, blocks, stride, dense): `dense` blocks use one 3x3 convolution in place of
    # pointwise + depthwise, which is faster on a CPU while there are few channels (EfficientNetV2, section 3.2)
    (2, 24, 2, 2, True),  # to 1/4
    (3, 40, 3, 2, False),  # to 1/8
    (4, 80, 4, 2, False),  # to 1/16
    (4, 128, 4, 2, False),  # to 1/32
)


def conv(inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1, relu: bool = True) -> nn.Module:
    """Convolution + batch norm (+ ReLU): the group that every engine fuses and quantises."""
    layers = [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*layers, nn.ReLU(inplace=True)) if relu else nn.Sequential(*layers)


class InvertedResidual(nn.Module):
    """Expand, filter, project without activation (Sandler et al. 2018, figure 4); residual where shapes allow."""

    def __init__(self, inputs: int, outputs: int, expansion: int, stride: int, dense: bool) -> None:
        super().__init__()
        middle = inputs * expansion
        if dense:
            head = [conv(inputs, middle, 3, stride)]
        else:
            head = [conv(inputs, middle), conv(middle, middle, 3, stride, groups=middle)]
        self.layers = nn.Sequential(*head, conv(middle, outputs, relu=False))
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x) if self.residual else self.layers(x)


class GlobalContext(nn.Module):
    """Adds what the whole image says (indoors or street, camera height) to every place."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, channels // 2, 1)
        self.spread = nn.Conv2d(channels // 2, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        pooled = x.mean(dim=(2, 3), keepdim=True)
        return x + self.spread(F.relu(self.squeeze(pooled)))


class Up(nn.Module):
    """Twice the size by repetition, plus the encoder's features of that size, then a 3x3 convolution."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.reduce = conv(inputs, outputs, relu=False)
        self.mix = conv(outputs, outputs, 3)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        return self.mix(F.relu(skip + F.interpolate(self.reduce(x), scale_factor=2.0, mode="nearest")))


class MobileDepthNet(nn.Module):
    """Normalised RGB (B, 3, H, W) → log of canonical depth (B, 1, H, W); H and W multiples of 32.

    Canonical depth is what a camera with the canonical focal length would have seen: depth * canonical_focal / fx, fx
    in pixels of this very input (Yin et al. 2023, Metric3D, section 3.1). The last doubling is bilinear in log depth.
    """

    def __init__(self, stem: int = 16, log_depth_start: float = 1.2) -> None:
        super().__init__()
        self.stem = conv(3, stem, 3, 2)
        self.stages = nn.ModuleList()
        channels = stem
        for expansion, outputs, blocks, stride, dense in ENCODER:
            stage = [InvertedResidual(channels, outputs, expansion, stride, dense)]
            stage += [InvertedResidual(outputs, outputs, expansion, 1, dense) for _ in range(blocks - 1)]
            self.stages.append(nn.Sequential(*stage))
            channels = outputs
        self.context = GlobalContext(channels)
        self.ups = nn.ModuleList()
        for skip in (ENCODER[2][1], ENCODER[1][1], ENCODER[0][1], stem):
            self.ups.append(Up(channels, skip))
            channels = skip
        self.head = nn.Conv2d(channels, 1, 1)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.constant_(self.head.get_parameter("bias"), log_depth_start)  # ln 3.3 m: the middle of the worlds

    def forward(self, image: Tensor) -> Tensor:
        features = [self.stem(image)]
        for stage in self.stages:
            features.append(stage(features[-1]))
        x = self.context(features.pop())
        for up in self.ups:
            x = up(x, features.pop())
        return F.interpolate(self.head(x), scale_factor=2.0, mode="bilinear", align_corners=False)


def parameter_count(network: nn.Module) -> int:
    """Number of trained values."""
    return sum(p.numel() for p in network.parameters())


class CanonicalDepth(nn.Module):
    """What is exported: uint8 RGB (1, H, W, 3) → canonical depth (1, H, W) m, limited to `min_depth`..`max_depth`.

    The network sees the image `reduction` times smaller. Its canonical focal length counts pixels there, so that of the
    whole graph is `reduction` times longer.
    """

    def __init__(self, network: nn.Module, min_depth: float, max_depth: float, reduction: int = 1) -> None:
        super().__init__()
        self.network, self.min_depth, self.max_depth, self.reduction = network, min_depth, max_depth, reduction

    def forward(self, image: Tensor) -> Tensor:
        x = normalise(image)
        log_depth = self.network(F.avg_pool2d(x, self.reduction) if self.reduction > 1 else x)
        if self.reduction > 1:
            log_depth = F.interpolate(log_depth, scale_factor=float(self.reduction), mode="bilinear")
        return torch.exp(log_depth.squeeze(1)).clamp(self.min_depth, self.max_depth)


def normalise(image: Tensor) -> Tensor:
    """uint8 RGB (B, H, W, 3) → float (B, 3, H, W), about zero mean and unit spread."""
    return image.permute(0, 3, 1, 2).to(torch.float32) * (1.0 / 57.0) - (114.0 / 57.0)
