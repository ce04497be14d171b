"""Edge-aware smoothness (guizilini2019 eq. 5, after Godard et al. 2017; paper 3, section 3)."""

from __future__ import annotations

from torch import Tensor


def edge_aware_smoothness(values: Tensor, image: Tensor) -> Tensor:
    """Mean of |d_x values| exp(-|d_x image|) plus mean of |d_y values| exp(-|d_y image|).

    Differences are between neighbouring pixels; |d image| is the mean over the colour channels. Guizilini's eq. 5 is
    this function on inverse depth divided by its mean, weighted 2^-k at scale k by the caller.

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
    total = values.new_zeros(())
    for axis in (-1, -2):
        if values.shape[axis] > 1:
            slope = values.diff(dim=axis).abs()
            edge = image.diff(dim=axis).abs().mean(dim=1, keepdim=True)
            total = total + (slope * (-edge).exp()).mean()
    return total
