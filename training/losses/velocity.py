"""The length of the predicted motion against odometry's: metric scale without any measured depth."""

from __future__ import annotations

import torch
from torch import Tensor

from training.full_precision import full_precision


@full_precision
def velocity_loss(T_predicted: Tensor, T_odometry: Tensor, known: Tensor) -> Tensor:
    """Mean over known of | |t_predicted| - |t_odometry| | in metres (Guizilini et al. 2020, PackNet, eq. 6).

    Only the length is compared: wheels measure it well, while the extrinsics between camera and odometry and their
    clocks spoil the direction first. Its gradient with respect to |t_predicted| is +-1 / count, so it resists the pull
    of `reprojected_distance` toward identity, with whatever weight it has.

    Args:
        T_predicted, T_odometry: (B, S, 4, 4), the same direction (both T_source_target).
        known: (B, S) bool: the source is there and odometry knows the motion.

    Returns:
        Scalar; 0 with zero gradient where nothing is known. At t_predicted = 0 the gradient is 0.
    """
    predicted, measured = _lengths(T_predicted), _lengths(T_odometry)
    return torch.where(known, (predicted - measured).abs(), 0.0).sum() / known.sum().clamp(min=1)


@torch.no_grad()
def translation_ratio(T_predicted: Tensor, T_odometry: Tensor, known: Tensor) -> Tensor:
    """Sum of |t_predicted| over sum of |t_odometry| over known: for logs. 1 is right, falling to 0 is a collapse.

    NaN where nothing is known or nothing moved.
    """
    zero = torch.zeros_like(_lengths(T_odometry))
    predicted, measured = (torch.where(known, _lengths(T), zero).sum() for T in (T_predicted, T_odometry))
    return predicted / torch.where(measured > 0, measured, torch.nan)


def _lengths(T: Tensor) -> Tensor:
    return torch.linalg.vector_norm(T[..., :3, 3], dim=-1)
