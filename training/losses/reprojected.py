"""The reprojected distance loss of guizilini2019, eq. 6, and what keeps it from pulling the pose toward identity.

With inverse depths rho (true) and rho^ (predicted), m = K_s R K^-1 (u, v, 1) and a = K_s t, a pixel's distance is

    |rho^ - rho| * |m_z a_xy - a_z m_xy| / ((m_z + rho a_z) (m_z + rho^ a_z))

So it is 0 for every depth where t = 0, whatever R; its gradient with respect to depth is proportional to |t|; and in t
it is a cone around t = 0, whose slope is the inverse depth's error times the pixel's lever. Three things follow.

- A source from which nothing moved teaches no depth: static frames must be dropped from the dataset.
- The pose network can lower this loss without getting any depth right, by predicting less motion. The pull along t has
  the same size at any |t| (until the photometric term resists), and is the stronger the worse depth is: strongest at
  the start of training from scratch. It ends when depth is right.
- At exactly t = 0 the gradient is taken as 0: a pose that has collapsed gets no help from here.

benchmarks/reprojected_gradient.py optimises one small scene, depth and two motions as free numbers. From scratch, at
the paper's weight of 1e4 with the pose's whole gradient (pixels / fx here), both motions end at 0 and depth is right
only where it is measured; at weight 1 they grow. With the gradient in the pose cut ("none") depth is within 3 %
everywhere, at each weight from 1 to 1e4. A warm-up of 200 steps doesn't prevent the collapse, nor does velocity
supervision with weight 1; with weight 1e4 it does, at the cost of the unmeasured half. `measures["translation_ratio"]`
shows a collapse.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from training.full_precision import full_precision
from training.geometry.reprojection import NEAREST, SLACK, reprojection_matrix
from training.geometry.rigid import compose
from training.losses.measured import Measured

PoseGradient = Literal["full", "direction", "none"]


class Reprojected(NamedTuple):
    """The loss in the unit that is optimised, and in the one to read."""

    loss: Tensor  # scalar, pixels / fx of the source: about radians
    pixels: Tensor  # scalar, mean distance in pixels, without gradient


def restrict_pose_gradient(T: Tensor, mode: PoseGradient) -> Tensor:
    """T unchanged in value, with less of its gradient.

    - full: as the paper.
    - direction: rotation and the direction of translation get gradient, its length none: the pull toward identity is
      gone exactly, the rest stays. At t = 0 there is no direction and no gradient.
    - none: depth alone learns from this loss.
    """
    if mode == "full":
        return T
    if mode == "none":
        return T.detach()
    t = T[..., :3, 3]
    length = torch.linalg.vector_norm(t.detach(), dim=-1, keepdim=True)
    moving = length > 0
    unit = t / torch.where(moving, torch.linalg.vector_norm(t, dim=-1, keepdim=True), 1.0)
    return compose(T[..., :3, :3], torch.where(moving, length * unit, t.detach()))


@full_precision
def reprojected_distance(
    inverse_depth: Tensor, points: Measured, K: Tensor, K_source: Tensor, T_source_target: Tensor, present: Tensor,
    height: int, width: int,
) -> Reprojected:  # fmt: skip
    """Mean distance, in the source image, between where a pixel's true and predicted depths put it (eq. 6).

    Convention:
        - p_source = T_source_target @ p_target; the paper's t->s and s->t both mean this.
        - Euclidean distance, not squared, in pixels of the source; `loss` is that over fx, so that a weight serves any
          resolution.
        - The mean is over all pairs of a measured pixel and a source in which its *true* depth is in view. Where its
          predicted depth would put it doesn't matter: leaving out what is predicted out of view would reward it. A
          prediction that passes the source camera is held at z_source = 0.1 z_target.

    Args:
        inverse_depth: (N,), predicted at the measured pixels, 1/m.
        points: the N measured pixels.
        K: (B, 3, 3). K_source, T_source_target: (B, S, 3, 3), (B, S, 4, 4).
        present: (B, S) bool; False: this sample lacks the source.
        height, width: of the source images.

    Returns:
        0 with zero gradient where no pair is valid.
    """
    P = reprojection_matrix(K.unsqueeze(1), K_source, T_source_target).index_select(0, points.frame)  # (N, S, 3, 4)
    fixed = P[..., 0] * points.u[:, None, None] + P[..., 1] * points.v[:, None, None] + P[..., 2]  # (N, S, 3)
    true = fixed + P[..., 3] / points.depth[:, None, None]
    predicted = fixed + P[..., 3] * inverse_depth[:, None, None]
    uv, z = _divide(true), true.detach()[..., 2]
    limit = uv.new_tensor([width - 1 + SLACK, height - 1 + SLACK])
    in_view = ((uv.detach() >= -SLACK) & (uv.detach() <= limit)).all(dim=-1) & (z > NEAREST)
    valid = in_view & present.index_select(0, points.frame)
    difference = torch.where(valid.unsqueeze(-1), _divide(predicted) - uv, 0.0)
    distance = torch.linalg.vector_norm(difference, dim=-1)  # its gradient at 0 is 0, that of sqrt(x^2 + y^2) NaN
    fx = torch.where(present, K_source[..., 0, 0], 1.0).index_select(0, points.frame)
    count = valid.sum().clamp(min=1)
    return Reprojected((distance / fx).sum() / count, distance.detach().sum() / count)


def _divide(homogeneous: Tensor) -> Tensor:
    return homogeneous[..., :2] / homogeneous[..., 2:].clamp(min=NEAREST)
