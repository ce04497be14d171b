"""Depth against measured depth: L1, L2 and berHu, elementwise and as a mean (kuznietsov2017 eq. 7-8, Laina 2016)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from training.full_precision import full_precision
from training.losses.measured import Measured, mean_of

Norm = Literal["l1", "l2", "berhu"]
BERHU_SHARE = 0.2  # of the largest absolute residual, eq. 8


def berhu_threshold(residuals: Sequence[Tensor], share: float = BERHU_SHARE) -> Tensor:
    """`share` times the largest absolute residual of all the tensors together, without gradient (eq. 8).

    Of absolute residuals: the largest signed one is too small wherever the worst prediction is too near. 0 of none.
    """
    every = torch.cat([residual.detach().reshape(-1) for residual in residuals]).abs()
    return share * (every.max() if every.numel() else every.new_zeros(()))


@full_precision
def berhu(residual: Tensor, threshold: Tensor) -> Tensor:
    """|d| up to the threshold, (d^2 + threshold^2) / (2 threshold) beyond, where d is the absolute residual (eq. 7).

    Value and slope meet at the threshold. A threshold of 0, which a perfect prediction gives, is L1.
    """
    size = residual.abs()
    safe = torch.where(threshold > 0, threshold, 1.0)
    return torch.where((size > threshold) & (threshold > 0), (size * size + safe * safe) / (2 * safe), size)


@full_precision
def penalty(residual: Tensor, norm: Norm, threshold: Tensor | None = None) -> Tensor:
    """The residual's size by a norm, elementwise: |d|, d^2, or berHu.

    Args:
        threshold: of berHu; None: from these residuals alone.

    Raises:
        ValueError: the norm isn't known.
    """
    if norm == "l1":
        return residual.abs()
    if norm == "l2":
        return residual * residual
    if norm == "berhu":
        return berhu(residual, berhu_threshold([residual]) if threshold is None else threshold)
    raise ValueError(f"norm {norm!r} is none of 'l1', 'l2', 'berhu'")


@full_precision
def supervised_loss(depth: Tensor, points: Measured, norm: Norm) -> Tensor:
    """Mean over measured pixels of the penalty of depth - measured: what paper 1 compares its eq. 6 with.

    Args:
        depth: (N,) metres, predicted at the measured pixels.

    Returns:
        Scalar, metres (square metres for l2); 0 with zero gradient where nothing is measured.
    """
    return mean_of(penalty(depth - points.depth, norm))
