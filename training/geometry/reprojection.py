"""Where the pixels of a target view lie in a source view, from inverse depth."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from training.full_precision import full_precision
from training.geometry.pinhole import pixel_grid

NEAREST = 0.1  # smallest z_source / z_target: a point that comes ten times nearer between two frames passes the camera
SLACK = 1e-3  # pixels; rounding must not drop the border under an identity


class SourcePixels(NamedTuple):
    """Pixels of the target in the source."""

    uv: Tensor  # (..., H, W, 2) pixels of the source
    z_ratio: Tensor  # (..., H, W) z_source / z_target, before it is held at NEAREST


@full_precision
def reprojection_matrix(K: Tensor, K_source: Tensor, T_source_target: Tensor) -> Tensor:
    """(..., 3, 4) P with z_ratio * (u_s, v_s, 1) = P @ (u, v, 1, inverse_depth): [K_source R K^-1 | K_source t].

    Both cameras and the motion in one matrix, so that a pixel costs twelve products, and infinity (inverse depth 0) is
    a point like any other. A K without inverse, such as the zeros of a view that isn't there, counts as zero.
    """
    R, t = T_source_target[..., :3, :3], T_source_target[..., :3, 3:]
    inverse, failed = torch.linalg.inv_ex(K)  # reports, where inv would wait for a GPU and raise
    inverse = torch.where(failed[..., None, None] == 0, inverse, 0.0)
    return torch.cat([K_source @ R @ inverse, K_source @ t], dim=-1)


@full_precision
def source_pixels(inverse_depth: Tensor, K: Tensor, K_source: Tensor, T_source_target: Tensor) -> SourcePixels:
    """project(T_source_target @ back_project(1 / inverse_depth)), all leading dimensions broadcast.

    Convention:
        - p_source = T_source_target @ p_target in optical frames.
        - The first pixel's centre is (0, 0) in both images; each K is for exactly its image's size.
        - 0 is infinity. A negative inverse depth lies beyond it, as a stereo network with linear output predicts at its
          start: the disparity has the other sign there.

    Args:
        inverse_depth: (..., H, W), 1/m where T is in metres.
        K, K_source: (..., 3, 3).
        T_source_target: (..., 4, 4).

    Returns:
        Pixels of the source and z_source / z_target. Where that ratio is under NEAREST it is held there, so pixels
        are finite and keep a gradient; `visible` is False.
    """
    u, v = pixel_grid(inverse_depth)
    P = reprojection_matrix(K, K_source, T_source_target).to(inverse_depth.dtype)[..., None, None]
    x, y, z = (
        torch.addcmul(
            P[..., i, 0, :, :] * u + (P[..., i, 1, :, :] * v + P[..., i, 2, :, :]), inverse_depth, P[..., i, 3, :, :]
        )
        for i in range(3)
    )
    scale = z.clamp(min=NEAREST).reciprocal()
    return SourcePixels(torch.stack([x * scale, y * scale], dim=-1), z)


def visible(pixels: SourcePixels, height: int, width: int) -> Tensor:
    """(...) bool: in front of the source camera, and between the centres of its border pixels.

    Convention: 0 <= u <= width - 1, so that bilinear sampling needs no pixel from outside; half a pixel more, to the
    border's outer edge, would be extrapolation.
    """
    u, v = pixels.uv.detach().unbind(-1)
    inside = (u >= -SLACK) & (u <= width - 1 + SLACK) & (v >= -SLACK) & (v <= height - 1 + SLACK)
    return inside & (pixels.z_ratio.detach() > NEAREST)
