"""What the reprojected distance (guizilini2019 eq. 6) does to the pose near identity, and what helps.

    python -m benchmarks.reprojected_gradient

A textured slanted wall in closed form, seen from three places; the lower half has measured depth at one pixel in
twenty. First the gradients at a given motion and depth error, then depth (6x8 numbers) and both motions (6 each)
optimised together by Adam, in place of networks, from where training from scratch and where refinement starts.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch import Tensor

from training.geometry.rigid import transform_from_vector
from training.geometry.sampling import upsample
from training.losses.measured import Measured, measured
from training.losses.reprojected import PoseGradient, reprojected_distance, restrict_pose_gradient
from training.losses.velocity import velocity_loss
from training.losses.view_synthesis import Sources, photometric_loss

HEIGHT, WIDTH, STEPS = 48, 64, 600
K = torch.tensor([[60.0, 0, 30.7], [0, 57.0, 24.9], [0, 0, 1]])
NORMAL, DISTANCE = torch.tensor([0.15, 0.3, 0.94]), 4.0
MOTIONS = torch.tensor([[0.05, 0.02, 0.3, 0.0, 0.01, 0.0], [-0.04, 0.01, -0.3, 0.005, -0.01, 0.0]])
PRESENT = torch.ones(1, 2, dtype=torch.bool)


def pixels() -> Tensor:
    """(H, W, 3) of (u, v, 1)."""
    v, u = torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH), indexing="ij")
    return torch.stack([u, v, torch.ones_like(u)], dim=-1).float()


def seen_by(T: Tensor) -> Tensor:
    """(3, H, W) of the wall from a camera with T_source_target, by its homography."""
    H = K @ (T[:3, :3] + T[:3, 3:] @ NORMAL[None] / DISTANCE) @ torch.linalg.inv(K)
    target = pixels() @ torch.linalg.inv(H).T
    ray = target / target[..., 2:] @ torch.linalg.inv(K).T
    x, y = (ray / (ray @ NORMAL)[..., None] * DISTANCE)[..., :2].unbind(-1)
    waves = [
        torch.sin(2.3 * x + k) * torch.cos(1.7 * y - 2 * k)
        + 0.5 * torch.sin(5.1 * x + 3 * y + k)
        + 0.3 * torch.cos(9 * y - 7 * x + k)
        for k in range(3)
    ]
    return 0.5 + 0.15 * torch.stack(waves)


def truth() -> tuple[Tensor, Measured]:
    """(1, H, W) inverse depth of the wall, and its measured pixels."""
    inverse_depth = (pixels() @ torch.linalg.inv(K).T @ NORMAL / DISTANCE)[None]
    depth = 1 / inverse_depth
    depth[torch.rand(depth.shape, generator=torch.Generator().manual_seed(0)) > 0.05] = torch.nan
    depth[:, : HEIGHT // 2] = torch.nan
    return inverse_depth, measured(depth)


def rep(inverse_depth: Tensor, points: Measured, T: Tensor) -> Tensor:
    """Eq. 6 of both sources."""
    seen = points.of(inverse_depth)
    return reprojected_distance(seen, points, K[None], K.expand(1, 2, 3, 3), T, PRESENT, HEIGHT, WIDTH).loss


def gradients(motion: float, error: float) -> tuple[float, float, float, float]:
    """Loss, its slope along |t|, norm of its gradient in rotation and in log depth.

    Args:
        motion: |t| as a share of the true one. error: of depth, as a share.
    """
    inverse_depth, points = truth()
    vector = (MOTIONS * torch.tensor([motion] * 3 + [1.0] * 3)).requires_grad_()
    log_depth = torch.full_like(inverse_depth, float(torch.tensor(1 + error).log())).requires_grad_()
    loss = rep(inverse_depth * (-log_depth).exp(), points, transform_from_vector(vector)[None])
    loss.backward()
    assert vector.grad is not None and log_depth.grad is not None
    t = MOTIONS[:, :3] / MOTIONS[:, :3].norm(dim=-1, keepdim=True)
    radial = (vector.grad[:, :3] * t).sum()
    return loss.item(), radial.item(), vector.grad[:, 3:].norm().item(), log_depth.grad.sum().abs().item()


def optimise(
    weight: float, mode: PoseGradient, start: float, scale: float, warmup: int = 0, speed: float = 0.0
) -> tuple[float, ...]:
    """Smallest and last |t| as a share of the true one, error of depth where measured and where not, at the end.

    Args:
        weight: of the reprojected distance beside the photometric loss.
        start: |t| as a share of the true one at the start (rotation likewise).
        scale: of depth at the start; the depth map is flat for start < 0.1 (from scratch), else right up to it.
        warmup: steps over which the weight grows. speed: weight of velocity supervision.
    """
    true, points = truth()
    target, T_true = seen_by(torch.eye(4))[None], transform_from_vector(MOTIONS)[None]
    images = torch.stack([seen_by(T) for T in T_true[0]])[None]
    coarse = torch.nn.functional.interpolate(true[None].log(), size=(6, 8), mode="area")
    flat = coarse.mean().expand_as(coarse) if start < 0.1 else coarse
    log_inverse = (flat - torch.tensor(scale).log()).clone().requires_grad_()
    vector = (start * MOTIONS).clone().requires_grad_()
    optimiser = torch.optim.Adam([{"params": [log_inverse], "lr": 0.01}, {"params": [vector], "lr": 0.001}])
    least = 1.0
    for step in range(STEPS):
        T = transform_from_vector(vector)[None]
        inverse_depth = upsample(log_inverse, HEIGHT, WIDTH).exp().squeeze(1)
        sources = Sources(images, K.expand(1, 2, 3, 3), T, PRESENT)
        loss = photometric_loss(target, sources, inverse_depth, K[None]).loss
        now = weight * min(1.0, (step + 1) / max(warmup, 1))
        if now:
            loss = loss + now * rep(inverse_depth, points, restrict_pose_gradient(T, mode))
        if speed:
            loss = loss + speed * velocity_loss(T, T_true, PRESENT)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        share = (vector[:, :3].norm(dim=-1) / MOTIONS[:, :3].norm(dim=-1)).mean().item()
        least = min(least, share)
    error = (true / upsample(log_inverse, HEIGHT, WIDTH).exp().squeeze(1).detach() - 1).abs()
    return least, share, points.of(error).mean().item(), error[:, : HEIGHT // 2].mean().item()


def main() -> None:
    """Print the tables."""
    torch.set_num_threads(1)
    print(
        "| |t| / true | depth error | loss (rad) | d/d|t| (rad/m) | rotation | log depth |\n|---|---|---|---|---|---|"
    )
    for motion, error in [(m, 0.25) for m in (1.0, 0.3, 0.1, 0.01, 0.001, 0.0)] + [(1.0, e) for e in (1.0, 0.1, 0.01)]:
        loss, radial, rotation, depth = gradients(motion, error)
        print(f"| {motion:g} | {error:.0%} | {loss:.2e} | {radial:.2e} | {rotation:.1e} | {depth:.1e} |")
    cases: list[tuple[str, float, PoseGradient, int, float]] = [("none", 0.0, "full", 0, 0.0)]
    for weight in (1.0, 100.0, 1e4):
        cases += [(f"{weight:g}", weight, "full", 0, 0.0), (f"{weight:g}", weight, "direction", 0, 0.0)]
        cases += [(f"{weight:g}", weight, "none", 0, 0.0)]
    cases += [("1e4, warm-up", 1e4, "full", 200, 0.0), ("1e4, velocity 1", 1e4, "full", 0, 1.0)]
    cases += [("1e4, velocity 1e4", 1e4, "full", 0, 1e4), ("1, velocity 1", 1.0, "full", 0, 1.0)]
    for name, start, scale in (("from scratch", 0.03, 2.0), ("refinement of half the scale", 0.5, 0.5)):
        print(f"\n{name}\n\n| weight | pose gradient | least |t| | last |t| | depth, measured | depth, elsewhere |")
        print("|---|---|---|---|---|---|")
        for label, weight, mode, warmup, speed in cases:
            least, last, near, far = optimise(weight, mode, start, scale, warmup, speed)
            print(f"| {label} | {mode} | {least:.3f} | {last:.3f} | {near:.1%} | {far:.1%} |", flush=True)


if __name__ == "__main__":
    main()
