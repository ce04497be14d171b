"""Losses on depth whose scale and shift mean nothing (Ranftl et al. 2022, MiDaS, eq. 5-8)."""

from __future__ import annotations

import torch
from torch import Tensor

from training.full_precision import full_precision


@full_precision
def normalised(maps: Tensor, valid: Tensor) -> Tensor:
    """(x - median x) / mean |x - median x| of each map over its valid pixels; 0 elsewhere (eq. 5).

    As `training.normalise` does to labels, but differentiable; of an even count the median is the lower middle one.

    Args:
        maps: (B, H, W). valid: (B, H, W) bool.

    Returns:
        (B, H, W), the same for s x + t with any s > 0 and t. A map that is constant, or that nothing is known of, is 0.
    """
    flat, known = maps.flatten(1), valid.flatten(1)
    some = known.any(dim=1, keepdim=True)
    median = torch.where(known, flat, torch.nan).nanmedian(dim=1, keepdim=True).values
    centred = torch.where(known, flat - torch.where(some, median, 0.0), 0.0)
    deviation = centred.abs().sum(dim=1, keepdim=True) / known.sum(dim=1, keepdim=True).clamp(min=1)
    return (centred / torch.where(deviation > 0, deviation, 1.0)).view_as(maps)


@full_precision
def scale_shift_invariant(prediction: Tensor, target: Tensor, valid: Tensor, trim: float = 0.0) -> Tensor:
    """Mean over samples of the mean absolute difference of both maps, each brought to median 0 and mean deviation 1.

    Args:
        prediction, target: (B, H, W) in the same space (inverse depth), of any unit; the target may be NaN where
            `valid` is False.
        valid: (B, H, W) bool.
        trim: share of each sample's largest differences that is left out; MiDaS leaves out 0.2 (eq. 7).

    Returns:
        Scalar, unitless; samples without a valid pixel don't count. 0 with zero gradient if all are such.
    """
    error = (normalised(prediction, valid) - normalised(target, valid)).abs().flatten(1)
    kept = valid.flatten(1)
    if trim > 0:
        ordered = torch.where(kept, error.detach(), torch.inf).sort(dim=1).values
        count = (kept.sum(dim=1, keepdim=True) * (1 - trim)).ceil().long()
        kept = kept & (error.detach() <= ordered.gather(1, (count - 1).clamp(min=0)))
    mean = torch.where(kept, error, 0.0).sum(dim=1) / kept.sum(dim=1).clamp(min=1)
    return mean.sum() / kept.any(dim=1).sum().clamp(min=1)
