"""Depth from a network's inverse depth, without losing the gradient of what is predicted too far."""

from __future__ import annotations

import torch
from torch import Tensor

from training.full_precision import full_precision


@full_precision
def depth_from_inverse(inverse_depth: Tensor, farthest: float = 200.0) -> Tensor:
    """1 / inverse depth down to 1 / farthest, and on along the tangent below it.

    A network with linear output starts around 0 and predicts negative values too (kuznietsov2017 §4.1), where 1 / x is
    meaningless; a clamp would give such pixels no gradient for ever. The tangent at `farthest` continues value and
    slope, so that they come back: 0 counts as 2 farthest.

    Args:
        inverse_depth: any shape, 1/m.
        farthest: metres.
    """
    least = 1.0 / farthest
    near = inverse_depth.clamp(min=least).reciprocal()
    return torch.where(inverse_depth >= least, near, 2 * farthest - inverse_depth * farthest**2)
