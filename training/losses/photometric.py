"""SSIM and the photometric error made of it (Wang et al. 2004; Godard et al. 2017; guizilini2019 eq. 2)."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from training.full_precision import full_precision
from training.losses.photometric_kernel import C1, C2, PhotometricError
from training.losses.window_mean import window_mean

__all__ = ["C1", "C2", "Reference", "photometric_error", "reference", "similarity", "ssim"]


class Reference(NamedTuple):
    """An image with the moments of its windows, computed once for all images that are compared with it."""

    image: Tensor  # (..., C, H, W)
    mean: Tensor  # of each 3x3 window
    variance: Tensor


def reference(image: Tensor) -> Reference:
    """Prepare (..., C, H, W) in [0, 1] for comparisons; H and W at least 2."""
    mean = window_mean(image)
    return Reference(image, mean, window_mean(image * image) - mean * mean)


def similarity(a: Reference, b: Tensor) -> Tensor:
    """SSIM of `b` with a prepared image; leading dimensions broadcast. See `ssim`."""
    mean_b = window_mean(b)
    product, square_a, square_b = a.mean * mean_b, a.mean * a.mean, mean_b * mean_b
    covariance = window_mean(a.image * b) - product
    variance_b = window_mean(b * b) - square_b
    numerator = (2 * product + C1) * (2 * covariance + C2)
    return numerator / ((square_a + square_b + C1) * (a.variance + variance_b + C2))


def ssim(a: Tensor, b: Tensor) -> Tensor:
    """Structural similarity in a 3x3 box window, reflected at the border.

    Args:
        a, b: (B, C, H, W), values in [0, 1], H and W at least 2.

    Returns:
        (B, C, H, W) in [-1, 1]; 1 where the windows are equal. Of constants a, b: (2ab + C1) / (a^2 + b^2 + C1).
    """
    return similarity(reference(a), b)


@full_precision
def photometric_error(a: Tensor | Reference, b: Tensor, alpha: float = 0.85) -> Tensor:
    """alpha (1 - SSIM) / 2 + (1 - alpha) |a - b|, mean over channels (guizilini2019 eq. 2), as a map.

    Args:
        a: (..., C, H, W), values in [0, 1], or such an image prepared by `reference`.
        b: (..., C, H, W); the leading dimensions of `a` broadcast to these.

    Returns:
        (..., 1, H, W), 0 where equal.
    """
    prepared = a if isinstance(a, Reference) else reference(a)
    if not prepared.image.requires_grad:
        return PhotometricError.apply(*prepared, b, alpha)  # type: ignore[no-any-return]
    structure = (1 - similarity(prepared, b)).clamp(0, 2)
    return (alpha / 2 * structure + (1 - alpha) * (prepared.image - b).abs()).mean(dim=-3, keepdim=True)
