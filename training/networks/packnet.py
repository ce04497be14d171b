"""PackNet: the depth network of paper 1 (guizilini2019_reprojected_distances, section 3.1)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.networks.inverse_depth import InverseDepthHead, bounded_inverse_depth
from training.networks.packing import GROUPS, NormedConvolution, Packing, Unpacking
from training.networks.sizes import check_size


@dataclass(frozen=True)
class PackNetWidths:
    """How many channels each stage has."""

    stem: int
    stages: tuple[int, int, int, int, int]  # at 1/1 to 1/16, before packing
    filters: int  # of each 3-D convolution
    residuals: tuple[int, int, int, int] = (2, 2, 3, 3)  # blocks in stages 2 to 5


FULL = PackNetWidths(64, (64, 64, 128, 256, 512), 8)
SLIM = PackNetWidths(32, (32, 64, 128, 256, 512), 4)
FIRST_PACKING, OTHER_PACKING = 5, 3  # kernel sizes
SCALES = 4


class Residual(nn.Module):
    """Two 3x3 convolutions beside a 1x1 one (with dropout); their sum is normalised."""

    def __init__(self, inputs: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.long = nn.Sequential(NormedConvolution(inputs, outputs, 3), NormedConvolution(outputs, outputs, 3))
        self.short = nn.Sequential(nn.Conv2d(inputs, outputs, 1), nn.Dropout2d(dropout))
        self.norm = nn.GroupNorm(GROUPS, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return F.elu(self.norm(self.long(x) + self.short(x)), inplace=True)


class PackNet(nn.Module):
    """RGB (B, 3, H, W) in [0, 1] → four inverse depth maps, finest first; H and W multiples of 32.

    Parameters: 128 294 020 with `FULL` (the architecture's authors give 128 M; paper 1 gives none), 76 997 796 with
    `SLIM`, which no paper describes: it is the reduction in the authors' published code, half as wide at full and half
    size, with 4 filters in place of 8.

    Paper 1 refers to its reference 9 for the architecture and changes what happens to the outputs: each is brought
    straight to full resolution (`training.geometry.sampling.upsample`, which the losses call; the baseline row of its
    table 1 uses them as they are). Inside, a coarser map is doubled by repetition and joins the next finer stage,
    unitless, so that a change of the depth range changes no features. Skips are concatenated. Dropout is off unless
    asked for, as in the published code.
    """

    reduction = 1  # pixels of the input that a pixel of the finest map is wide

    def __init__(
        self,
        widths: PackNetWidths = FULL,
        min_depth: float = 0.5,
        max_depth: float = 100.0,
        dropout: float = 0.0,
        compose: bool = True,
    ) -> None:
        super().__init__()
        self.min_depth, self.max_depth = min_depth, max_depth
        sizes = widths.stages
        self.stem = NormedConvolution(3, widths.stem, 5)
        self.stages = nn.ModuleList([NormedConvolution(widths.stem, sizes[0], 7)])
        for before, after, blocks in zip(sizes[:-1], sizes[1:], widths.residuals, strict=True):
            first = Residual(before, after, dropout)
            self.stages.append(nn.Sequential(first, *(Residual(after, after, dropout) for _ in range(blocks - 1))))
        kernels = (FIRST_PACKING, *[OTHER_PACKING] * 4)
        self.packings = nn.ModuleList(
            Packing(size, kernel, widths.filters, compose) for size, kernel in zip(sizes, kernels, strict=True)
        )
        skips = (widths.stem, *sizes[:-1])  # what each stage of the decoder finds at its own size in the encoder
        self.unpackings, self.joins, self.heads = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        below = sizes[-1]
        for level in reversed(range(len(sizes))):
            size = sizes[level]
            coarser = 1 if level < SCALES - 1 else 0  # a coarser inverse depth, from the second map on
            self.unpackings.append(Unpacking(below, size, widths.filters))
            self.joins.append(NormedConvolution(size + skips[level] + coarser, size, 3))
            if level < SCALES:
                self.heads.append(InverseDepthHead(size))
            below = size
        self.apply(_initialise)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """(B, 1, H / 2^k, W / 2^k) for k = 0..3, within (1 / max_depth, 1 / min_depth).

        Raises:
            ValueError: the image has another number of channels, or a side that is no multiple of 32.
        """
        check_size(image)
        x = self.stem(image)
        skips = []
        for stage, packing in zip(self.stages, self.packings, strict=True):
            skips.append(x)
            x = packing(stage(x))
        units: list[Tensor] = []
        for number, (unpacking, join) in enumerate(zip(self.unpackings, self.joins, strict=True)):
            features = [unpacking(x), skips.pop()]
            if units:
                features.append(F.interpolate(units[-1], scale_factor=2.0, mode="nearest"))
            x = join(torch.cat(features, dim=1))
            head = number - (len(self.joins) - SCALES)
            if head >= 0:
                units.append(self.heads[head](x))
        return tuple(bounded_inverse_depth(unit, self.min_depth, self.max_depth) for unit in reversed(units))


def _initialise(module: nn.Module) -> None:
    """Glorot, as in the published code (`Volume` does it itself); biases zero."""
    if isinstance(module, nn.Conv2d):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.get_parameter("bias"))
