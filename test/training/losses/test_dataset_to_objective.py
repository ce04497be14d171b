"""From a dataset folder to the objectives: a rendered wall, whose own depth and odometry must explain its images,
whichever camera is the target and whether or not the world is mirrored."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from dataset_folders import K_LEFT, K_RIGHT, T_LEFT_RIGHT, turned

from depth_perception.camera import CameraModel
from training.batch import Batch
from training.dataset import Augmentation, DatasetConfig, Draw, FrameDataset
from training.dataset_folder import Sample, SequenceCalibration
from training.dataset_writer import SequenceWriter
from training.losses.motion_config import MotionConfig
from training.losses.motion_objective import motion_objective
from training.losses.stereo_objective import StereoConfig, stereo_objective
from training.losses.terms import Prediction

HEIGHT, WIDTH, FRAMES = 48, 64, 5
NORMAL, DISTANCE = np.array([0.1, 0.25, 0.96]), 6.0  # of the wall, in the frame of odometry


def T_odom_left(n: int) -> np.ndarray:
    return turned((0.3, 1.0, 0.1), 0.01 * n, (0.12 * n, 0.03 * n, 0.2 * n))


def render(T_odom_camera: np.ndarray, K: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(H, W, 3) uint8 and depth (H, W) metres of the wall."""
    v, u = np.mgrid[:HEIGHT, :WIDTH]
    ray = np.stack([u, v, np.ones_like(u)], axis=-1) @ np.linalg.inv(K).T @ T_odom_camera[:3, :3].T
    depth = (DISTANCE - NORMAL @ T_odom_camera[:3, 3]) / (ray @ NORMAL)
    x, y, _ = np.moveaxis(ray * depth[..., None] + T_odom_camera[:3, 3], -1, 0)
    colours = [np.sin(2.2 * x + k) * np.cos(1.9 * y - 2 * k) + 0.5 * np.sin(3 * (x + y) + k) for k in range(3)]
    image = np.clip(128 + 60 * np.stack(colours, axis=-1), 0, 255).round().astype(np.uint8)
    return image, depth.astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wall")
    with SequenceWriter(out, "wall", "png") as writer:
        samples = []
        for n in range(FRAMES):
            for camera, K, T in (("left", K_LEFT, np.eye(4)), ("right", K_RIGHT, T_LEFT_RIGHT)):
                image, depth = render(T_odom_left(n) @ T, K)
                writer.image(camera, n, image)
                writer.depth(camera, n, depth)
            if 0 < n < FRAMES - 1:
                poses = (T_odom_left(n - 1), T_odom_left(n), T_odom_left(n + 1))
                counts = {"left": HEIGHT * WIDTH, "right": HEIGHT * WIDTH}
                samples.append(Sample(n, n, (n - 1, n + 1), True, counts, T_odom_left=poses, motion_m=0.2))
        cameras = {"left": CameraModel(HEIGHT, WIDTH, K_LEFT), "right": CameraModel(HEIGHT, WIDTH, K_RIGHT)}
        writer.finish(SequenceCalibration(cameras, "png", T_left_right=T_LEFT_RIGHT), samples, {})
        writer.publish()
    return out


def batch_of(folder: Path, camera: str, flip: float) -> Batch:
    config = DatasetConfig(HEIGHT, WIDTH, cameras=(camera,), stereo=True, scales=1)
    data = FrameDataset(folder, config, Augmentation(flip=flip, narrowest=0.8, colour=0.0))
    return data.collate([data[Draw(place, (place,))] for place in range(len(data))]).floats()


@pytest.mark.parametrize("camera", ["left", "right"])
@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_measured_depth_and_odometry_explain_every_view(folder: Path, camera: str, flip: float) -> None:
    batch = batch_of(folder, camera, flip)
    assert bool(batch.mirrored.all()) is bool(flip) and batch.has_stereo.all() and batch.has_pose.all()

    def filled(depth: torch.Tensor, factor: float) -> tuple[torch.Tensor, ...]:
        return ((factor / depth.nan_to_num(float(depth[depth > 0].mean()))).unsqueeze(1),)

    for stereo, context in ((True, False), (False, True)):  # each kind of source alone
        config = MotionConfig(smoothness=0.0, automask=False, stereo=stereo)
        given = batch if context else replace(batch, sources=None)
        right = motion_objective(given, Prediction(filled(batch.depth, 1.0)), config, 0).total.item()
        assert right < 0.01
        for factor in (0.7, 1.4):
            wrong = motion_objective(given, Prediction(filled(batch.depth, factor)), config, 0).total.item()
            assert wrong > 3 * right, (stereo, factor)

    def aligned(factor: float) -> float:
        depths = filled(batch.depth, factor), filled(batch.partner_depth, factor)
        found = stereo_objective(batch, Prediction(depths[0], None, depths[1]), StereoConfig(sigma=0.0), 0)
        return found.terms["alignment"].item()

    assert aligned(1.0) < 0.25 * min(aligned(0.7), aligned(1.4))
