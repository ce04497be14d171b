"""A rig drives past a painted wall: whatever is drawn, depth, K and T of a batch carry its colours over exactly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from dataset_folders import K_LEFT, K_RIGHT, T_LEFT_RIGHT, T_odom_left
from torch import Tensor
from torch.nn.functional import grid_sample

from depth_perception.camera import CameraModel
from training.batch import Batch
from training.dataset import Augmentation, DatasetConfig, Draw, FrameDataset
from training.dataset_folder import Sample, SequenceCalibration
from training.dataset_writer import SequenceWriter

HEIGHT, WIDTH, FRAMES = 60, 96, 5
SCALE = np.array([[1.5, 0, 0.25], [0, 1.5, 0.25], [0, 0, 1]])  # from the fixture's 64 x 40
K = {"left": SCALE @ K_LEFT, "right": SCALE @ K_RIGHT}
NORMAL, DISTANCE = np.array([0.25, 0.1, 1.0]), 6.0  # of the wall, NORMAL @ p = DISTANCE, in the odometry's frame
MIRROR = torch.diag(torch.tensor([-1.0, 1, 1, 1]))


def picture(camera: str, T_odom_camera: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(H, W, 3) uint8 and (H, W) metres of the wall."""
    v, u = np.mgrid[:HEIGHT, :WIDTH]
    rays = np.stack([u, v, np.ones_like(u)], axis=-1) @ np.linalg.inv(K[camera]).T
    R, t = T_odom_camera[:3, :3], T_odom_camera[:3, 3]
    depth = (DISTANCE - NORMAL @ t) / (rays @ R.T @ NORMAL)
    points = (rays * depth[..., None]) @ R.T + t
    waves = np.stack([np.sin(1.7 * points[..., 0]), np.sin(1.9 * points[..., 1] + 1), np.sin(points.sum(-1))], axis=-1)
    return np.rint(127.5 + 100 * waves).astype(np.uint8), depth.astype(np.float32)


@pytest.fixture(scope="module")
def wall(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of the drive; depth on every second pixel of every third row."""
    out = tmp_path_factory.mktemp("wall")
    sparse = np.zeros((HEIGHT, WIDTH), bool)
    sparse[::3, ::2] = True
    cameras = {name: CameraModel(HEIGHT, WIDTH, K[name]) for name in ("left", "right")}
    with SequenceWriter(out, "wall", "png") as writer:
        samples = []
        for n in range(FRAMES):
            for name, T in (("left", np.eye(4)), ("right", T_LEFT_RIGHT)):
                image, depth = picture(name, T_odom_left(n) @ T)
                writer.image(name, n, image)
                writer.depth(name, n, np.where(sparse, depth, np.float32(np.nan)))
            near = tuple(m if 0 <= m < FRAMES else None for m in (n - 1, n + 1))
            poses = tuple(None if m is None else T_odom_left(m) for m in (near[0], n, near[1]))
            count = int(sparse.sum())
            samples.append(Sample(n, n, near, True, {"left": count, "right": count}, T_odom_left=poses))  # type: ignore[arg-type]
        writer.finish(SequenceCalibration(cameras, "png", T_left_right=T_LEFT_RIGHT), samples, {})
        writer.publish()
    return out


def difference(target: Tensor, source: Tensor, depth: Tensor, K: Tensor, K_source: Tensor, T: Tensor) -> float:
    """Mean |target - source| where a measured point of the target is seen in the source, 0 to 255."""
    v, u = torch.nonzero(depth.isfinite(), as_tuple=True)
    points = torch.linalg.inv(K) @ torch.stack([u, v, torch.ones_like(u)]).float() * depth[v, u]
    u_s, v_s, z = K_source @ (T[:3, :3] @ points + T[:3, 3:])
    u_s, v_s = u_s / z, v_s / z
    height, width = depth.shape
    inside = (z > 0) & (u_s >= 0) & (u_s <= width - 1) & (v_s >= 0) & (v_s <= height - 1)
    grid = torch.stack([(2 * u_s + 1) / width - 1, (2 * v_s + 1) / height - 1], dim=-1)[None, None]
    seen = grid_sample(source[None], grid, align_corners=False, padding_mode="border")[0, :, 0]
    assert inside.sum() > 50
    return 255 * float((target[:, v, u] - seen).abs()[:, inside].mean())


def drawn(wall: Path, how: Augmentation, seed: int, cameras: tuple[str, ...] = ("left",)) -> Batch:
    data = FrameDataset(wall, DatasetConfig(48, 80, stereo=True, cameras=cameras), how)
    return data.collate([data[Draw(len(data) // 2, (seed,), True)]]).floats()


@pytest.mark.parametrize("camera", ["left", "right"])
@pytest.mark.parametrize("flip", [0.0, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_points_carry_their_colours(wall: Path, seed: int, flip: float, camera: str) -> None:
    batch = drawn(wall, Augmentation(flip=flip, narrowest=0.6, colour=0.0), seed, (camera,))
    target, depth, K = batch.target[0], batch.depth[0], batch.K[0, 0]
    T, K_partner = batch.T_partner_target[0], batch.K_partner[0, 0]
    own = 255 * float((target - batch.partner[0]).abs().mean())
    assert difference(target, batch.partner[0], depth, K, K_partner, T) < 4 < 0.4 * own
    assert difference(target, batch.partner[0], depth, K, K_partner, MIRROR @ T @ MIRROR) > 8  # the wrong reading
    assert difference(target, batch.partner[0], depth, K_partner, K, T) > 5  # K of left and right exchanged
    back = difference(batch.partner[0], target, batch.partner_depth[0], K_partner, K, torch.linalg.inv(T))
    assert back < 4
    for place in (0, 1):
        T = batch.T_source_target[0, place]
        source = batch.sources[0, place]
        assert difference(target, source, depth, K, K, T) < 4
        assert difference(target, source, depth, K, K, torch.linalg.inv(T)) > 5
        assert difference(target, source, depth, K, K, MIRROR @ T @ MIRROR) > 5


def test_half_a_pixel_would_be_seen(wall: Path) -> None:
    """K scaled by plain multiplication is worse than ours on every draw."""
    for seed in range(4):
        batch = drawn(wall, Augmentation(flip=0.0, narrowest=0.5, colour=0.0), seed)
        K, K_partner, T = batch.K[0, 0], batch.K_partner[0, 0], batch.T_partner_target[0]
        wrong = torch.tensor([[0.0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]])
        arguments = batch.target[0], batch.partner[0], batch.depth[0]
        assert difference(*arguments, K, K_partner, T) < difference(*arguments, K, K_partner + wrong, T)
