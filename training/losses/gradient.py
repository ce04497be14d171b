"""Multi-scale gradient matching: edges stand where the target's stand, surfaces keep its slope."""

from __future__ import annotations

import torch
from torch import Tensor


def multiscale_gradient(log_prediction: Tensor, log_target: Tensor, weight: Tensor, scales: int = 4) -> Tensor:
    """Sum over scales k of mean |e(p + step) - e(p)|, e = log_prediction - log_target on every 2^k-th pixel.

    Li & Snavely 2018 (MegaDepth), equation 5, but the mean over neighbours that are both valid, horizontal and vertical
    together, each weighted by the smaller weight of the two.

    Args:
        log_prediction, log_target: (B, H, W), log of metres. The target may be NaN where `weight` is 0.
        weight: (B, H, W), >= 0; 0 = not valid.

    Returns:
        Scalar; 0 with zero gradient if no two neighbours are valid.
    """
    error = torch.where(weight > 0, log_prediction - log_target.nan_to_num(), torch.zeros_like(log_prediction))
    total = error.sum() * 0.0
    for scale in range(scales):
        step = 2**scale
        e, w = error[:, ::step, ::step], weight[:, ::step, ::step]
        w_x, w_y = torch.minimum(w[:, :, 1:], w[:, :, :-1]), torch.minimum(w[:, 1:], w[:, :-1])
        count = w_x.sum() + w_y.sum()
        if count > 0:
            sum_x = (w_x * (e[:, :, 1:] - e[:, :, :-1]).abs()).sum()
            sum_y = (w_y * (e[:, 1:] - e[:, :-1]).abs()).sum()
            total = total + (sum_x + sum_y) / count
    return total
