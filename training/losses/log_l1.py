"""Absolute error of log depth."""

from __future__ import annotations

import torch
from torch import Tensor


def log_l1(log_prediction: Tensor, log_target: Tensor, weight: Tensor) -> Tensor:
    """mean |log_prediction - log_target|, weighted: the median relative error, whatever the depth.

    Args:
        log_prediction, log_target: any equal shape, log of metres. The target may be NaN where `weight` is 0.
        weight: same shape, >= 0; 0 = not valid.

    Returns:
        Scalar; 0 with zero gradient if nothing is valid.
    """
    error = torch.where(weight > 0, log_prediction - log_target.nan_to_num(), torch.zeros_like(log_prediction))
    total = weight.sum()
    return (weight * error.abs()).sum() / total if total > 0 else error.sum()
