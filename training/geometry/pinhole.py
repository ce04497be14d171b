"""Between pixels with depth and points, for a pinhole camera."""

from __future__ import annotations

import torch
from torch import Tensor

from training.full_precision import full_precision


def pixel_grid(maps: Tensor) -> tuple[Tensor, Tensor]:
    """u (W,) and v (H, 1) of the pixels of `maps` (..., H, W), in its dtype; (0, 0) is the first pixel's centre."""
    height, width = maps.shape[-2:]
    u = torch.arange(width, dtype=maps.dtype, device=maps.device)
    return u, torch.arange(height, dtype=maps.dtype, device=maps.device).unsqueeze(-1)


@full_precision
def back_project(depth: Tensor, K: Tensor) -> Tensor:
    """The point that each pixel shows.

    Convention: optical frame (x right, y down, z forward); `depth` is z, not the length of the ray; the first pixel's
    centre is (0, 0), K without skew: x = (u - cx) z / fx.

    Args:
        depth: (..., H, W) metres.
        K: (..., 3, 3) pixels, for this size.

    Returns:
        (..., H, W, 3) metres.
    """
    u, v = pixel_grid(depth)
    fx, fy, cx, cy = (K[..., i, j, None, None] for i, j in ((0, 0), (1, 1), (0, 2), (1, 2)))
    return torch.stack([depth * ((u - cx) / fx), depth * ((v - cy) / fy), depth], dim=-1)


@full_precision
def project(points: Tensor, K: Tensor, nearest: float = 1e-3) -> Tensor:
    """The pixel that shows each point: u = fx x / z + cx.

    Convention: as `back_project`, whose inverse this is. z is held at `nearest` from below, so a point behind the
    camera has a finite pixel far out: whether it is seen is the caller's to ask (z > nearest).

    Args:
        points: (..., 3) metres, optical frame.
        K: (..., 3, 3), or any that broadcasts with the points' leading dimensions.

    Returns:
        (..., 2) pixels (u, v).
    """
    x, y, z = points.unbind(-1)
    z = z.clamp(min=nearest)
    return torch.stack([K[..., 0, 0] * x / z + K[..., 0, 2], K[..., 1, 1] * y / z + K[..., 1, 2]], dim=-1)
