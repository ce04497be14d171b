"""Losses of kuznietsov2017 that need no measured depth: direct alignment of a stereo pair (eq. 9), the anisotropic
regulariser (eq. 10), and the fade-in of the supervised term."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from training.full_precision import full_precision
from training.geometry.reprojection import source_pixels, visible
from training.geometry.sampling import sample

INTENSITY = 255.0  # the paper's images are 0 to 255, ours 0 to 1


class Summed(NamedTuple):
    """A sum over pixels, as the paper writes all its terms, and how many they were."""

    total: Tensor  # scalar
    pixels: Tensor  # scalar


def fade_in(step: int, beta: float) -> float:
    """lambda_t = beta exp(-10 / t), t counted in iterations: 0 at 0, beta / e at 10, beta in the end (§4.1)."""
    return beta * math.exp(-10.0 / step) if step > 0 else 0.0


@torch.no_grad()
def blur(image: Tensor, sigma: float = 1.0) -> Tensor:
    """(B, C, H, W) under a Gaussian of `sigma` pixels, cut at 3 sigma, reflected at the border; 0: as it is."""
    if sigma == 0:
        return image
    reach = math.ceil(3 * sigma)
    x = torch.arange(-reach, reach + 1, dtype=image.dtype, device=image.device)
    kernel = (-0.5 * (x / sigma) ** 2).exp()
    kernel = (kernel / kernel.sum()).expand(image.shape[1], 1, 1, -1)
    rows = conv2d(pad(image, (reach, reach, 0, 0), mode="reflect"), kernel, groups=image.shape[1])
    return conv2d(pad(rows, (0, 0, reach, reach), mode="reflect"), kernel.transpose(-1, -2), groups=image.shape[1])


@full_precision
def direct_alignment(
    image: Tensor, other: Tensor, inverse_depth: Tensor, K: Tensor, K_other: Tensor, T_other_image: Tensor,
    counted: Tensor,
) -> Summed:  # fmt: skip
    """Sum of |image(x) - other(w(x, rho(x)))| over counted pixels that warp to a valid place; one line of eq. 9.

    Convention: p_other = T_other_image @ p_image. Of a rectified pair that is the paper's w(x, rho) = x - f b rho from
    left to right, where T's x is -b, and x + f b rho back; a mirrored pair is right too. Intensities count 0 to 255,
    mean over channels.

    Args:
        image, other: (B, C, H, W) in [0, 1], both blurred already.
        inverse_depth: (B, H, W) of `image`, 1/m; may be negative.
        K, K_other: (B, 3, 3). T_other_image: (B, 4, 4).
        counted: broadcasts to (B, H, W) bool: the sample has a partner, and what else the caller asks of a pixel.

    Returns:
        0 of 0 pixels, with zero gradient, where nothing counts.
    """
    pixels = source_pixels(inverse_depth, K, K_other, T_other_image)
    used = visible(pixels, *inverse_depth.shape[-2:]) & counted
    error = (image - sample(other, pixels.uv)).abs().mean(dim=1)
    return Summed(INTENSITY * torch.where(used, error, 0.0).sum(), used.sum())


@full_precision
def anisotropic_smoothness(inverse_depth: Tensor, image: Tensor, counted: Tensor, separable: bool = False) -> Summed:
    """Sum of |phi(grad image)^T grad rho| (eq. 10), phi(g) = (exp(-eta |g_x|), exp(-eta |g_y|)).

    Literally the absolute value of a sum: a slope in x and the opposite one in y cancel where the image is flat, so
    planes slanted along (1, -1) are free. `separable` sums absolute values instead. eta = 1/255 for intensities of 0 to
    255 is 1 for ours. Gradients are forward differences, 0 at the last row and column; |g| is the mean over channels.

    Args:
        inverse_depth: (B, H, W), 1/m.
        image: (B, C, H, W) in [0, 1].
        counted: broadcasts to (B, H, W) bool.
    """
    slopes = []
    for axis, border in ((-1, (0, 1)), (-2, (0, 0, 0, 1))):
        weight = (-image.detach().diff(dim=axis).abs().mean(dim=1)).exp()
        slopes.append(pad(inverse_depth.diff(dim=axis) * weight, border))
    values = slopes[0].abs() + slopes[1].abs() if separable else (slopes[0] + slopes[1]).abs()
    return Summed(torch.where(counted, values, 0.0).sum(), counted.expand_as(values).sum())
