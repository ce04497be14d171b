"""Mean squared error at several resolutions (paper 3, section 3)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d


def multiscale_mse(prediction: Tensor, target: Tensor, valid: Tensor, scales: int = 3) -> Tensor:
    """Sum over k < scales of the mean, over valid pixels, of (prediction_k - target_k)^2 at 1/2^k of the resolution.

    The paper names neither the count nor the weights; its losses (564 k at an RMSE of 428) are three equal scales
    summed. A coarse pixel is the mean of the valid pixels below it, of prediction and target alike.

    Args:
        prediction, target: (B, 1, H, W), the label's unit; H and W divisible by 2^(scales - 1).
        valid: (B, 1, H, W) bool; the target may hold anything where it is False.

    Returns:
        Scalar, unit squared; 0 (with zero gradient) where nothing is valid.

    Raises:
        ValueError: the shapes differ, or the size isn't divisible.
    """
    if not prediction.shape == target.shape == valid.shape:
        shapes = tuple(tuple(item.shape) for item in (prediction, target, valid))
        raise ValueError(f"prediction, target, valid have shapes {shapes!r}; they must be equal")
    factor = 2 ** (scales - 1)
    height, width = prediction.shape[-2:]
    if height % factor or width % factor:
        raise ValueError(f"size {(height, width)!r} must be divisible by {factor!r} for {scales!r} scales")
    error = torch.where(valid, prediction - target, 0.0)  # where, not product: 0 x NaN is NaN
    share = valid.to(prediction.dtype)
    total = prediction.new_zeros(())
    for scale in range(scales):
        pooled, weight = avg_pool2d(error, 2**scale), avg_pool2d(share, 2**scale)
        known = weight > 0
        mean_error = torch.where(known, pooled / weight.clamp(min=1e-6), 0.0)
        total = total + mean_error.square().sum() / known.sum().clamp(min=1)
    return total
