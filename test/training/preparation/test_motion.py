"""Standing still, by odometry and by pictures."""

from __future__ import annotations

import numpy as np
import pytest

from depth_perception.extrinsics import parse_transform
from training.preparation.motion import Motion, change_between, is_static, motion_between, thumb
from training.preparation.options import DatasetOptions


def test_distance_and_angle_by_hand() -> None:
    a = parse_transform("1 2 3 0.3 -0.2 0.5")
    step = parse_transform("0.03 0.04 0 0 0 0.002")
    motion = motion_between(a, a @ step)
    assert motion.metres == pytest.approx(0.05) and motion.radians == pytest.approx(0.002)
    half = motion_between(a, a @ parse_transform(f"0 0 0 0 {np.pi - 1e-3} 0"))
    assert half.radians == pytest.approx(np.pi - 1e-3)  # arcsine alone would say 0.001


def test_static_needs_neither_way_nor_turn() -> None:
    options = DatasetOptions(min_motion_m=0.01, min_motion_rad=0.005)
    assert is_static(Motion(0.009, 0.004), options).startswith("moved 0.0090 m and turned 0.0040 rad")
    assert is_static(Motion(0.01, 0.0), options) == "" == is_static(Motion(0.0, 0.005), options)
    assert is_static(Motion(change=0.9), DatasetOptions(min_change=1.0)).startswith("brightness changed by 0.90")
    assert is_static(Motion(change=1.0), DatasetOptions(min_change=1.0)) == ""


def test_pictures_change_when_they_shift_not_when_they_are_noisy() -> None:
    rng = np.random.default_rng(0)
    scene = np.repeat(np.repeat(rng.integers(0, 255, (24, 32, 3)), 10, axis=0), 10, axis=1)
    still = [np.clip(scene + rng.normal(0, 5, scene.shape), 0, 255).astype(np.uint8) for _ in range(2)]
    moved = np.roll(still[0], 3, axis=1)
    assert change_between(thumb(still[0]), thumb(still[1])) < 1.0 < 5.0 < change_between(thumb(still[0]), thumb(moved))
    grey = still[0][..., 0]
    assert thumb(grey).shape == thumb(still[0]).shape == (64, 96)
