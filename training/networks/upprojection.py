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


class UnpoolConvolution(nn.Conv2d):
    """`unpool`, then a 5x5 convolution, without multiplying by zeros.

    Three of four unpooled values are zero, and which of the kernel's taps meet the others depends only on whether row
    and column are even or odd. So four small convolutions of the input itself (3x3, 3x2, 2x3, 2x2 taps) give the four
    kinds of pixels, a quarter of the operations, and the results are interleaved.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, KERNEL, padding=KERNEL // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → (B, O, 2 H, 2 W)."""
        padded = F.pad(x, (1, 1, 1, 1))
        kinds = [
            F.conv2d(padded[:, :, row:, column:], self.weight[:, :, row::2, column::2])
            for row in (0, 1)
            for column in (0, 1)
        ]
        return F.pixel_shuffle(torch.stack(kinds, dim=2).flatten(1, 2), 2)

    def naive(self, x: Tensor) -> Tensor:
        """The definition that `forward` equals."""
        return super().forward(unpool(x))


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
