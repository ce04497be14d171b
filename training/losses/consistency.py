"""Photometric consistency of predictions between two augmentations of one photograph (paper 3's future work)."""

from __future__ import annotations

import torch
from torch import Tensor

from training.geometry.pinhole import pixel_grid
from training.geometry.reprojection import SLACK
from training.geometry.sampling import sample
from training.losses.photometric import photometric_error


def warp_affine(source: Tensor, source_from_target: Tensor) -> tuple[Tensor, Tensor]:
    """Sample `source` bilinearly where each target pixel lies in it.

    Convention: pixel centres are whole numbers, (0, 0) is the centre of the first pixel; `source_from_target` maps
    (u, v, 1) of the target to (u, v) of the source. An identity returns the source bit for bit up to rounding.

    Args:
        source: (B, C, H, W).
        source_from_target: (B, 2, 3).

    Returns:
        warped (B, C, H, W), and inside (B, 1, H, W) bool: False where the pixel lies off the source.
    """
    height, width = source.shape[-2:]
    u, v = pixel_grid(source)
    A = source_from_target.to(source.dtype)[..., None, None]
    pixel = torch.stack([A[:, i, 0] * u + (A[:, i, 1] * v + A[:, i, 2]) for i in (0, 1)], dim=-1)  # (B, H, W, 2)
    limit = pixel.new_tensor([width - 1 + SLACK, height - 1 + SLACK])
    inside = ((pixel >= -SLACK) & (pixel <= limit)).all(dim=-1).unsqueeze(1)
    return sample(source, pixel), inside


def consistency_loss(
    prediction: Tensor, other: Tensor, other_from_this: Tensor, valid: Tensor, low: float, high: float
) -> Tensor:
    """Mean over valid of the SSIM + L1 error between a prediction and another view's, brought to it by the known warp.

    With one photograph there is no second viewpoint, so no image error depends on the predicted depth: view
    synthesis says nothing here. What is known is that two augmentations differ by an affine warp and by colour, neither
    of which moves the scene: their predictions must look the same once the warp is undone.

    Args:
        prediction, other: (B, 1, H, W).
        other_from_this: (B, 2, 3), pixels of this view -> pixels of the other.
        valid: (B, 1, H, W) bool, pixels of this view that show the photograph; those off the other view are dropped.
        low, high: the range of the predicted quantity that becomes [0, 1], which SSIM's constants are made for. Fixed
            (the targets'), since by its own range a still flat prediction would be all noise.

    Returns:
        Scalar, unitless; 0 where nothing is valid.

    Raises:
        ValueError: `high` is not above `low`.
    """
    if not high > low:
        raise ValueError(f"range {low!r} to {high!r} is none: the targets are constant or unknown")
    warped, inside = warp_affine(other, other_from_this)
    used = valid & inside
    error = photometric_error((prediction - low) / (high - low), (warped - low) / (high - low))
    return torch.where(used, error, 0.0).sum() / used.sum().clamp(min=1)
