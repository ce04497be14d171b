"""A camera, a motion and a slanted plane, for which all that the geometry computes is known in closed form."""

from __future__ import annotations

import torch
from torch import Tensor

HEIGHT, WIDTH = 12, 20
K = torch.tensor([[21.0, 0, 8.3], [0, 17.0, 6.9], [0, 0, 1]], dtype=torch.float64)
K_SOURCE = torch.tensor([[19.0, 0, 10.7], [0, 23.0, 5.2], [0, 0, 1]], dtype=torch.float64)
MOTION = torch.tensor([0.11, -0.07, 0.23, 0.02, -0.05, 0.03], dtype=torch.float64)
NORMAL = torch.tensor([0.15, 0.3, 0.94], dtype=torch.float64)  # of the plane n . p = DISTANCE in the target's frame
DISTANCE = 4.0


def random(*shape: int, seed: int = 0) -> Tensor:
    """Uniform in [0, 1), float64."""
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def pixels(height: int = HEIGHT, width: int = WIDTH) -> Tensor:
    """(H, W, 3) of (u, v, 1)."""
    v, u = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([u, v, torch.ones_like(u)], dim=-1).double()


def plane_inverse_depth(height: int = HEIGHT, width: int = WIDTH, camera: Tensor = K) -> Tensor:
    """(H, W) of the plane: n . (K^-1 u) z = DISTANCE."""
    rays = pixels(height, width) @ torch.linalg.inv(camera).T
    return rays @ NORMAL / DISTANCE


def homography(T_source_target: Tensor, camera: Tensor = K, source: Tensor = K_SOURCE) -> Tensor:
    """(3, 3) pixels of the target -> of the source, over the plane: K_s (R + t n^T / d) K^-1."""
    R, t = T_source_target[:3, :3], T_source_target[:3, 3:]
    return source @ (R + t @ NORMAL[None] / DISTANCE) @ torch.linalg.inv(camera)
