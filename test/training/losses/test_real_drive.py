"""The losses' signs on a real drive: KITTI odometry's pairs and poses, with depth from semi-global matching."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from training.geometry.rigid import invert_rigid, transform_from_vector
from training.losses.photometric import reference
from training.losses.stereo_alignment import blur, direct_alignment
from training.losses.view_synthesis import Sources, warped_errors

FRAME, SHRINK = 20, 4


def image(path: Path) -> Tensor:
    """(1, 1, H, W) in [0, 1] at a quarter of the size."""
    grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    height, width = grey.shape[0] // SHRINK, grey.shape[1] // SHRINK
    small = cv2.resize(grey[: height * SHRINK, : width * SHRINK], (width, height), interpolation=cv2.INTER_AREA)
    return torch.from_numpy(small).float()[None, None] / 255


@pytest.fixture(scope="module")
def drive(shared_data: Path) -> tuple[Tensor, Tensor, Sources, Tensor, Tensor]:
    """Target, right image, its neighbours, K (1, 3, 3), inverse depth (1, H, W) with NaN unknown."""
    folder = shared_data / "kitti_odom_stereo"
    if not folder.is_dir():
        pytest.skip("no kitti_odom_stereo")
    K = torch.tensor([[707.0912, 0, 601.8873], [0, 707.0912, 183.1104], [0, 0, 1]])
    K[:2, :2] /= SHRINK
    K[:2, 2] = (K[:2, 2] + 0.5) / SHRINK - 0.5
    rows = torch.from_numpy(np.loadtxt(folder / "poses.txt")).reshape(-1, 3, 4)
    T_world_left = torch.eye(4).double().repeat(len(rows), 1, 1)
    T_world_left[:, :3] = rows
    near = [FRAME - 1, FRAME + 1]
    T = (invert_rigid(T_world_left[near]) @ T_world_left[FRAME]).float()
    images = torch.stack([image(folder / "image_l" / f"{n:06d}.png")[0] for n in near])
    pair = [
        cv2.imread(str(folder / side / f"{FRAME:06d}.png"), cv2.IMREAD_GRAYSCALE) for side in ("image_l", "image_r")
    ]
    matcher = cv2.StereoSGBM.create(
        0, 96, 5, P1=200, P2=800, disp12MaxDiff=1, uniquenessRatio=10, speckleWindowSize=100
    )
    disparity = matcher.compute(*pair)[2 : 92 * SHRINK : SHRINK, 2 : 306 * SHRINK : SHRINK].astype(np.float32) / 16
    inverse_depth = torch.from_numpy(np.where(disparity > 1, disparity / 379.8145, np.nan)).float()[None]
    target, right = (image(folder / side / f"{FRAME:06d}.png") for side in ("image_l", "image_r"))
    return (
        target,
        right,
        Sources(images[None], K.expand(1, 2, 3, 3), T[None], torch.ones(1, 2).bool()),
        K[None],
        inverse_depth,
    )


def mean_error(drive: tuple[Tensor, Tensor, Sources, Tensor, Tensor], T: Tensor, factor: float = 1.0) -> float:
    """Photometric error where depth is known, mean over both neighbours."""
    target, _, sources, K, inverse_depth = drive
    known = torch.isfinite(inverse_depth)
    depth = torch.where(known, factor * inverse_depth, 0.1)
    errors = warped_errors(reference(target.unsqueeze(1)), sources._replace(T_source_target=T), depth, K)
    return errors.values[errors.usable & known.unsqueeze(1)].mean().item()


def test_odometry_and_measured_depth_explain_the_neighbours(
    drive: tuple[Tensor, Tensor, Sources, Tensor, Tensor],
) -> None:
    T = drive[2].T_source_target
    right = mean_error(drive, T)
    assert right < 0.7 * mean_error(drive, torch.eye(4).expand(1, 2, 4, 4))
    assert right < 0.7 * mean_error(drive, invert_rigid(T))  # T_target_source
    for factor in (0.6, 1.6):
        assert right < 0.95 * mean_error(drive, T, factor)
    for place, step in ((0, 0.15), (1, 0.15), (2, 0.4), (3, 0.02), (4, 0.02), (5, 0.03)):
        for sign in (-1, 1):
            nudge = torch.zeros(6)
            nudge[place] = sign * step
            assert right < 0.98 * mean_error(drive, transform_from_vector(nudge) @ T), (place, sign)


def test_the_pair_aligns_with_the_papers_sign(drive: tuple[Tensor, Tensor, Sources, Tensor, Tensor]) -> None:
    target, right, _, K, inverse_depth = drive
    known = torch.isfinite(inverse_depth)
    T = torch.eye(4)[None].clone()
    T[:, 0, 3] = -0.537151  # T_right_left

    def error(T: Tensor) -> float:
        found = direct_alignment(blur(target), blur(right), inverse_depth.nan_to_num(0.0), K, K, T, known)
        return (found.total / found.pixels).item()

    assert error(T) < 0.4 * error(invert_rigid(T)) and error(T) < 0.5 * error(torch.eye(4)[None])
