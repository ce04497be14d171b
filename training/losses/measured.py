"""The measured pixels of a batch as a list: of a LiDAR's image one pixel in twenty is measured, of four beams' one in
a thousand, and no loss on them needs the rest."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Measured(NamedTuple):
    """N measured pixels."""

    frame: Tensor  # (N,) int64 index in the batch
    v: Tensor  # (N,) int64 row
    u: Tensor  # (N,) int64 column
    depth: Tensor  # (N,) metres
    place: Tensor  # (N,) int64 index in the flattened maps

    def of(self, maps: Tensor) -> Tensor:
        """(N,) values of (B, H, W) or (B, 1, H, W) maps of the batch's size, differentiable."""
        return maps.reshape(-1).index_select(0, self.place)


def measured(depth: Tensor) -> Measured:
    """Pixels of (B, H, W) depth in metres that are known: finite and above 0."""
    frame, v, u = torch.nonzero(torch.isfinite(depth) & (depth > 0), as_tuple=True)
    height, width = depth.shape[-2:]
    place = (frame * height + v) * width + u
    return Measured(frame, v, u, depth.reshape(-1).index_select(0, place), place)


def mean_of(values: Tensor) -> Tensor:
    """Mean of any number of values; 0 with zero gradient of none."""
    return values.sum() / max(values.numel(), 1)
