"""Packing and unpacking: resampling that keeps every value (Guizilini et al. 2020, section 3.1 and figure 3).

Packing moves each 2x2 block of pixels into the channels, lets a 3-D convolution work across them, and folds the result
to the wanted number of channels; unpacking goes the other way.
"""

from __future__ import annotations

import copy

from torch import Tensor, nn
from torch.nn import functional as F

from training.networks.composition import Composed, composed, plain
from training.networks.volume import TAPS, Volume

GROUPS = 16  # of every group normalisation
COMPOSING = 5.0  # a multiplication spent on composing kernels takes the time of so many in a convolution (measured)


class NormedConvolution(nn.Module):
    """k x k convolution with zero padding, group normalisation, ELU."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
        self.norm = nn.GroupNorm(GROUPS, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return F.elu(self.norm(self.convolution(x)), inplace=True)


class Packing(nn.Module):
    """(B, C, H, W) → (B, C, H / 2, W / 2): space to depth, 3-D convolution, k x k convolution, normalisation, ELU.

    With `compose`, the two convolutions are one wherever that saves more than composing their kernels costs, which is
    the same for any image: at 192x640 in PackNet's first three blocks always, in the fourth from a batch of 2 on, in
    the fifth from 5 on. Results and gradients are the same but for rounding. H / 2 and W / 2 must be at least k // 2.
    """

    def __init__(self, channels: int, kernel: int, filters: int, compose: bool = True) -> None:
        super().__init__()
        self.compose = compose
        self.volume = Volume(filters)
        self.plane = nn.Conv2d(4 * channels * filters, channels, kernel, padding=kernel // 2)
        self.norm = nn.GroupNorm(GROUPS, channels)

    def forward(self, x: Tensor) -> Tensor:
        packed = F.pixel_unshuffle(x, 2)
        convolve = composed if self.compose and self._pays(packed) else plain
        return F.elu(self.norm(convolve(packed, self.volume, self.plane)), inplace=True)

    def _pays(self, packed: Tensor) -> bool:
        batch, channels, height, width = packed.shape
        filters, outputs, kernel = len(self.volume.bias), self.plane.out_channels, self.plane.kernel_size[0]
        saved = channels * (filters * (TAPS**3 + outputs * kernel**2) - outputs * (kernel + 2) ** 2)
        composing = outputs * channels * filters * kernel**2 * TAPS * (kernel + 2) ** 2
        return batch * height * width * saved > COMPOSING * composing


class FixedPacking(nn.Module):
    """A `Packing` with its kernels composed once, for evaluation and export."""

    def __init__(self, packing: Packing) -> None:
        super().__init__()
        self.convolution = Composed(packing.volume, packing.plane)
        self.norm = packing.norm

    def forward(self, x: Tensor) -> Tensor:
        return F.elu(self.norm(self.convolution(F.pixel_unshuffle(x, 2))))


def fix_packing(network: nn.Module) -> nn.Module:
    """A copy of `network` in evaluation mode whose packing kernels are composed once and for all."""
    fixed = copy.deepcopy(network).eval()
    for name, module in list(fixed.named_modules()):
        if isinstance(module, Packing):
            parent, _, child = name.rpartition(".")
            setattr(fixed.get_submodule(parent), child, FixedPacking(module))
    return fixed


class Unpacking(nn.Module):
    """(B, C, H, W) → (B, O, 2 H, 2 W): k x k convolution, normalisation, ELU, 3-D convolution, depth to space.

    The 3-D convolution is linear too and a 2-D one follows it, but composing these two saves little: depth to space and
    a concatenation stand between them, so the result would be an 8x8 transposed convolution with 0.85 of the operations
    of the 3-D convolution and of this part of the 2-D one. What helps is how `Volume` computes the 3-D convolution.
    """

    def __init__(self, inputs: int, outputs: int, filters: int, kernel: int = 3) -> None:
        super().__init__()
        self.convolution = NormedConvolution(inputs, 4 * outputs // filters, kernel)
        self.volume = Volume(filters)

    def forward(self, x: Tensor) -> Tensor:
        return F.pixel_shuffle(self.volume(self.convolution(x)), 2)
