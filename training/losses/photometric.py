"""SSIM and the photometric error made of it (Wang et al. 2004; Godard et al. 2017; guizilini2019 eq. 2)."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

C1, C2 = 0.01**2, 0.03**2  # Wang et al. 2004, for a range of values of 1


def ssim(a: Tensor, b: Tensor) -> Tensor:
    """Structural similarity in a 3x3 box window, reflected at the border.

    Args:
        a, b: (B, C, H, W), values in [0, 1], H and W at least 2.

    Returns:
        (B, C, H, W) in [-1, 1]; 1 where the windows are equal. Of constants a, b: (2ab + C1) / (a^2 + b^2 + C1).
    """
    a, b = pad(a, (1, 1, 1, 1), mode="reflect"), pad(b, (1, 1, 1, 1), mode="reflect")
    mean_a, mean_b = avg_pool2d(a, 3, 1), avg_pool2d(b, 3, 1)
    variance_a = avg_pool2d(a * a, 3, 1) - mean_a * mean_a
    variance_b = avg_pool2d(b * b, 3, 1) - mean_b * mean_b
    covariance = avg_pool2d(a * b, 3, 1) - mean_a * mean_b
    numerator = (2 * mean_a * mean_b + C1) * (2 * covariance + C2)
    return numerator / ((mean_a * mean_a + mean_b * mean_b + C1) * (variance_a + variance_b + C2))


def photometric_error(a: Tensor, b: Tensor, alpha: float = 0.85) -> Tensor:
    """alpha (1 - SSIM) / 2 + (1 - alpha) |a - b|, mean over channels; a map, so that callers can mask and compare.

    Args:
        a, b: (B, C, H, W), values in [0, 1].

    Returns:
        (B, 1, H, W), 0 where equal.
    """
    structure = (1 - ssim(a, b)).clamp(0, 2) / 2
    return (alpha * structure + (1 - alpha) * (a - b).abs()).mean(dim=1, keepdim=True)
