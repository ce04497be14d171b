"""Up-projection (Laina et al. 2016, section 3.2; paper 2, figure 6): unpooling and a residual block, the fast way."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

KERNEL = 5


def unpool(x: Tensor) -> Tensor:
    """(B, C, H, W) → (B, C, 2 H, 2 W): value (i, j) goes to (2 i, 2 j), zeros elsewhere."""
    corner = torch.zeros_like(x)
    return F.pixel_shuffle(torch.stack([x, corner, corner, corner], dim=2).flatten(1, 2), 2)


class UnpoolConvolution(nn.Module):
    """`unpool`, then a 5x5 convolution, without multiplying by zeros.

    Three of four unpooled values are zero, and which of the 25 taps meet the others depends only on whether row and
    column are even or odd. So four small convolutions of the input itself (3x3, 3x2, 2x3, 2x2 taps) give the four kinds
    of pixels with a quarter of the operations, and the results are interleaved. The four hold the parameters, so that
    no kernel is cut out while it runs and each starts with the spread that fits its own number of taps.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.kinds = nn.ModuleList(
            nn.Conv2d(inputs, outputs, (3 - row, 3 - column), bias=False) for row in (0, 1) for column in (0, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → (B, O, 2 H, 2 W)."""
        padded = F.pad(x, (1, 1, 1, 1))
        pixels = [kind(padded[:, :, number // 2 :, number % 2 :]) for number, kind in enumerate(self.kinds)]
        return F.pixel_shuffle(torch.stack(pixels, dim=2).flatten(1, 2), 2)

    def naive(self, x: Tensor) -> Tensor:
        """The definition that `forward` equals: each kind of pixel has every second tap of the 5x5 kernel."""
        first = self.kinds[0].get_parameter("weight")
        weight = first.new_zeros(*first.shape[:2], KERNEL, KERNEL)
        for number, kind in enumerate(self.kinds):
            weight[:, :, number // 2 :: 2, number % 2 :: 2] = kind.get_parameter("weight")
        return F.conv2d(unpool(x), weight, padding=KERNEL // 2)


class UpProjection(nn.Module):
    """(B, C, H, W) → (B, O, 2 H, 2 W): two branches of the unpooled input, added, rectified."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.long1, self.short = UnpoolConvolution(inputs, outputs), UnpoolConvolution(inputs, outputs)
        self.long2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm1, self.norm2 = nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)
        self.short_norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        long = self.norm2(self.long2(F.relu(self.norm1(self.long1(x)))))
        return F.relu(long + self.short_norm(self.short(x)))
