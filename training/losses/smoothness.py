"""Edge-aware smoothness (guizilini2019 eq. 5, after Godard et al. 2017; paper 3, section 3)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from training.full_precision import full_precision


class EdgeWeights(NamedTuple):
    """exp(-|d image|), computed once for all maps of an image's size."""

    x: Tensor  # (B, 1, H, W - 1)
    y: Tensor  # (B, 1, H - 1, W)


@torch.no_grad()
def edge_weights(image: Tensor) -> EdgeWeights:
    """1 where (B, C, H, W) is flat, exp(-1) across a step from 0 to 1; |d image| is the mean over channels."""
    return EdgeWeights(*((-image.diff(dim=axis).abs().mean(dim=1, keepdim=True)).exp() for axis in (-1, -2)))


def weighted_slopes(values: Tensor, weights: EdgeWeights) -> Tensor:
    """Mean of |d_x values| weights.x plus mean of |d_y values| weights.y. See `edge_aware_smoothness`."""
    total = values.new_zeros(())
    for axis, weight in ((-1, weights.x), (-2, weights.y)):
        if values.shape[axis] > 1:
            total = total + (values.diff(dim=axis).abs() * weight).mean()
    return total


def edge_aware_smoothness(values: Tensor, image: Tensor) -> Tensor:
    """Mean of |d_x values| exp(-|d_x image|) plus mean of |d_y values| exp(-|d_y image|).

    Differences are between neighbouring pixels; |d image| is the mean over the colour channels. The image gets no
    gradient.

    Args:
        values: (B, 1, H, W), any unit: the prediction that should be smooth.
        image: (B, C, H, W) in [0, 1].

    Returns:
        Scalar, the unit of `values`; a direction with a single pixel adds 0.

    Raises:
        ValueError: batch or size differ.
    """
    if values.shape[0] != image.shape[0] or values.shape[-2:] != image.shape[-2:]:
        raise ValueError(f"values {tuple(values.shape)!r} and image {tuple(image.shape)!r} must share batch and size")
    return weighted_slopes(values, edge_weights(image))


@full_precision
def inverse_depth_smoothness(inverse_depth: Tensor, weights: EdgeWeights) -> Tensor:
    """Eq. 5 at one scale, on inverse depth divided by its mean over each image.

    The paper writes it on depth. Divided by the mean it doesn't fall when all depths grow together (Wang et al. 2018,
    "Learning depth from monocular videos using direct methods"): without that, the term pulls a prediction whose scale
    nothing fixes toward zero. For the paper's letter: `weighted_slopes` on depth.

    Args:
        inverse_depth: (B, 1, H, W), positive.

    Returns:
        Scalar, unitless. The caller weights scale k by 2^-k (design §8).
    """
    return weighted_slopes(inverse_depth / inverse_depth.mean(dim=(-2, -1), keepdim=True), weights)
