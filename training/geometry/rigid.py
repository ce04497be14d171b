"""Rigid transforms from the six numbers of a pose network, and their inverse."""

from __future__ import annotations

import torch
from torch import Tensor

from training.full_precision import full_precision


@full_precision
def transform_from_vector(vector: Tensor) -> Tensor:
    """T_source_target of a pose network's six numbers.

    Convention:
        - vector = (x, y, z, alpha, beta, gamma): translation first, then Euler angles in radians (guizilini2019 §3.2).
        - p_source = R @ p_target + (x, y, z), R = Rx(alpha) @ Ry(beta) @ Rz(gamma): turned about z first.
        - Angles are right-handed in the optical frame: alpha > 0 turns y (down) toward z (forward), beta > 0 turns z
          toward x (right), gamma > 0 turns x toward y.
        - The translation is where the target camera stands in the source camera's frame: a camera that drove 1 m
          forward from source to target has z = +1, and one that will drive 1 m forward to the source has z = -1.
          (The paper calls this transform both t->s and s->t.)

    Args:
        vector: (..., 6).

    Returns:
        (..., 4, 4).
    """
    t, (a, b, c) = vector[..., :3], vector[..., 3:].unbind(-1)
    sa, ca, sb, cb, sc, cc = a.sin(), a.cos(), b.sin(), b.cos(), c.sin(), c.cos()
    entries = [
        cb * cc, -cb * sc, sb,
        ca * sc + sa * sb * cc, ca * cc - sa * sb * sc, -sa * cb,
        sa * sc - ca * sb * cc, sa * cc + ca * sb * sc, ca * cb,
    ]  # fmt: skip
    return compose(torch.stack(entries, dim=-1).unflatten(-1, (3, 3)), t)


@full_precision
def invert_rigid(T_b_a: Tensor) -> Tensor:
    """T_a_b, exactly rigid: R^T and -R^T t, without a general inverse. (..., 4, 4) both."""
    R = T_b_a[..., :3, :3].transpose(-1, -2)
    return compose(R, -(R @ T_b_a[..., :3, 3:]).squeeze(-1))


def compose(R: Tensor, t: Tensor) -> Tensor:
    """(..., 3, 3) and (..., 3) -> (..., 4, 4)."""
    last = R.new_tensor([0.0, 0.0, 0.0, 1.0]).expand(*R.shape[:-2], 1, 4)
    return torch.cat([torch.cat([R, t.unsqueeze(-1)], dim=-1), last], dim=-2)
