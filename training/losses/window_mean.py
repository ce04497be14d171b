"""Mean over 3x3 windows. avg_pool2d takes six times as long on a CPU, and slices' own backward pass fills six maps."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def window_mean(maps: Tensor) -> Tensor:
    """(..., H, W) -> the same shape: mean of each pixel and its eight neighbours, reflected at the border.

    H and W at least 2. Reflection leaves out the border pixel itself: the neighbours of pixel 0 are pixel 1, twice.
    """
    return _WindowMean.apply(maps)


class _WindowMean(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, maps: Tensor) -> Tensor:
        return window_sum(maps).div_(9)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return spread(gradient).div_(9)


def window_sum(maps: Tensor) -> Tensor:
    """Nine times the mean, for autograd functions: gives no gradient."""
    return _sum3(_sum3(maps, -1), -2)


def spread(gradient: Tensor) -> Tensor:
    """The transpose of `window_sum`: what each pixel's windows say to it, summed."""
    return _spread3(_spread3(gradient, -1), -2)


def _sum3(x: Tensor, axis: int) -> Tensor:
    """Sum of three neighbours along an axis."""
    n, out = x.shape[axis], x.clone()
    out.narrow(axis, 1, n - 1).add_(x.narrow(axis, 0, n - 1))
    out.narrow(axis, 0, n - 1).add_(x.narrow(axis, 1, n - 1))
    out.select(axis, 0).add_(x.select(axis, 1))
    out.select(axis, n - 1).add_(x.select(axis, n - 2))
    return out


def _spread3(x: Tensor, axis: int) -> Tensor:
    """The transpose of `_sum3`."""
    n, out = x.shape[axis], x.clone()
    out.narrow(axis, 1, n - 1).add_(x.narrow(axis, 0, n - 1))
    out.narrow(axis, 0, n - 1).add_(x.narrow(axis, 1, n - 1))
    out.select(axis, 1).add_(x.select(axis, 0))
    out.select(axis, n - 2).add_(x.select(axis, n - 1))
    return out
