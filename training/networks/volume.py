"""The 3-D convolution of packing and unpacking."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

TAPS = 3  # along each axis


class Volume(nn.Module):
    """F filters of 3x3x3 over channels, rows and columns: (B, C, H, W) → (B, F C, H, W), padded with zeros.

    Channel f C + c is filter f's result around channel c. The weight (F, 3, 3, 3) leaves out the one input channel that
    a 3-D convolution has here, because torch can't bring five dimensions into the channels-last format.
    """

    def __init__(self, filters: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(filters, TAPS, TAPS, TAPS))
        self.bias = nn.Parameter(torch.zeros(filters))
        nn.init.xavier_uniform_(self.weight.unsqueeze(1))

    def forward(self, x: Tensor) -> Tensor:
        """As a 2-D convolution, twice as fast on a CPU: each channel with its two neighbours is an image of three."""
        batch, channels, height, width = x.shape
        padded = F.pad(x, (0, 0, 0, 0, 1, 1))
        neighbours = torch.stack([padded[:, shift : shift + channels] for shift in range(TAPS)], dim=2)
        images = neighbours.reshape(batch * channels, TAPS, height, width)
        filtered = F.conv2d(images, self.weight, self.bias, padding=1)
        return filtered.view(batch, channels, -1, height, width).transpose(1, 2).reshape(batch, -1, height, width)

    def naive(self, x: Tensor) -> Tensor:
        """The definition that `forward` equals."""
        return F.conv3d(x.unsqueeze(1), self.weight.unsqueeze(1), self.bias, padding=1).flatten(1, 2)
