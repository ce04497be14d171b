"""Photometric consistency of predictions between two augmentations of one photograph (paper 3's future work)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

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
    v, u = torch.meshgrid(
        torch.arange(height, dtype=source.dtype, device=source.device),
        torch.arange(width, dtype=source.dtype, device=source.device),
        indexing="ij",
    )
    target = torch.stack([u, v, torch.ones_like(u)], dim=-1)  # (H, W, 3)
    pixel = torch.einsum("hwk,bik->bhwi", target, source_from_target.to(source.dtype))  # (B, H, W, 2)
    size = pixel.new_tensor([width, height])
    slack = 1e-3  # rounding must not drop the border of an exact flip
    inside = ((pixel >= -slack) & (pixel <= size - 1 + slack)).all(dim=-1).unsqueeze(1)
    grid = (2 * pixel + 1) / size - 1  # -1 and 1 are the outer edges of the border pixels: align_corners=False
    return grid_sample(source, grid, mode="bilinear", padding_mode="border", align_corners=False), inside


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
