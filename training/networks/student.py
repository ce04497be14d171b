"""StudentNet: the compact encoder-decoder of paper 3 (`midas_student_distillation`, section 3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d


def _block(inputs: int, outputs: int) -> nn.Sequential:
    """Two 3x3 convolutions, each with a rectifier, at constant resolution."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(outputs, outputs, 3, padding=1),
        nn.ReLU(inplace=True),
    )


class StudentNet(nn.Module):
    """RGB -> one channel at the same resolution; 74 369 parameters.

    The paper gives the widths (32, 64), max pooling, the transposed convolution back to 32, skip connections and one
    final convolution. What it leaves open is read as in its model, U-Net: 3x3 kernels with zero padding, a rectifier
    after each convolution of a block, a 2x2 transposed convolution of stride 2 without a rectifier, the skip
    concatenated. The final convolution is 3x3, since the paper has no block after the concatenation to mix the two.
    """

    def __init__(self, sigmoid: bool = False) -> None:
        """`sigmoid` bounds the output to (0, 1): the paper's variant, which it rejects."""
        super().__init__()
        self.encoder1 = _block(3, 32)
        self.encoder2 = _block(32, 64)
        self.up = nn.ConvTranspose2d(64, 32, 2, stride=2)
        self.head = nn.Conv2d(64, 1, 3, padding=1)
        self.sigmoid = sigmoid

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) RGB in [0, 1] -> (B, 1, H, W) in the label's unit. H and W even."""
        fine = self.encoder1(image)
        coarse = self.encoder2(max_pool2d(fine, 2))
        output: Tensor = self.head(torch.cat([self.up(coarse), fine], dim=1))
        return output.sigmoid() if self.sigmoid else output
