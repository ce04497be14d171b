"""Scale-aware logarithmic error."""

from __future__ import annotations

import torch
from torch import Tensor

_FLOOR = 1e-8  # of the variance under the root: there the gradient is zero instead of infinite


def silog(log_prediction: Tensor, log_target: Tensor, weight: Tensor, focus: float = 0.85) -> Tensor:
    """sqrt(mean(e²) - focus * mean(e)²), e = log_prediction - log_target, mean weighted over the batch.

    With focus 1 a common factor of depth costs nothing (Eigen et al. 2014, equation 4); 0.85 is Lee et al. 2019, BTS,
    equation 4: the square root is theirs too, their constant factor is left to the caller.

    Args:
        log_prediction, log_target: any equal shape, log of metres. The target may be NaN where `weight` is 0.
        weight: same shape, >= 0; 0 = not valid.

    Returns:
        Scalar; 0 with zero gradient if nothing is valid.
    """
    error = torch.where(weight > 0, log_prediction - log_target.nan_to_num(), torch.zeros_like(log_prediction))
    total = weight.sum()
    if not total > 0:
        return error.sum()
    mean = (weight * error).sum() / total
    variance = (weight * error.square()).sum() / total - focus * mean.square()
    return variance.clamp_min(_FLOOR).sqrt()
