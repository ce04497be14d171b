"""Scan from depth in a closed-form world: level ground, a wall, a box, an overhang."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from depth_perception.camera import CameraModel
from depth_perception.config import ScanConfig
from depth_perception.errors import CalibrationError, ConfigError
from depth_perception.mount import level_rotation
from depth_perception.scan import ScanBuilder

CAMERA = CameraModel(120, 160, np.array([[100.0, 0, 75.0], [0, 110.0, 55.0], [0, 0, 1]]))
CONFIG = ScanConfig(camera_height=0.6, height_min=0.1, height_max=1.2, range_min=0.2, range_max=6.0)


def world_depth(config: ScanConfig, wall_x: float, box: tuple[float, float, float] | None = None) -> np.ndarray:
    """Depth of a floor, a wall across at `wall_x` m, and optionally a box face (x, left edge y, right edge y)."""
    R = level_rotation(config.camera_pitch, config.camera_roll)
    directions = CAMERA.rays().reshape(-1, 3).astype(float) @ R.T
    forward, left, up = directions.T
    with np.errstate(divide="ignore", invalid="ignore"):
        floor = np.where(up < 0, -config.camera_height / up, np.inf)
        depth = np.minimum(floor, np.where(forward > 0, wall_x / forward, np.inf))
        if box is not None:
            t = box[0] / forward
            hit = (left * t < box[1]) & (left * t > box[2]) & (config.camera_height + up * t < 0.5)
            depth = np.where(hit & (t < depth), t, depth)
    return depth.reshape(120, 160).astype(np.float32)


def angles(scan) -> np.ndarray:
    return scan.angle_min + scan.angle_increment * np.arange(len(scan.ranges))


@pytest.mark.parametrize("pitch", [0.0, 0.15])
@pytest.mark.parametrize("roll", [0.0, 0.1])
def test_wall_ranges_are_exact_and_the_floor_is_no_obstacle(pitch: float, roll: float) -> None:
    config = dataclasses.replace(CONFIG, camera_pitch=pitch, camera_roll=roll)
    scan = ScanBuilder(CAMERA, config)(world_depth(config, wall_x=3.0))
    seen = np.isfinite(scan.ranges)
    assert seen.mean() > 0.9
    np.testing.assert_allclose(scan.ranges[seen], 3.0 / np.cos(angles(scan)[seen]), rtol=0.01)


def test_a_coarser_network_gives_the_same_wall_with_fewer_beams() -> None:
    depth = world_depth(CONFIG, wall_x=3.0)
    fine, coarse = ScanBuilder(CAMERA, CONFIG)(depth), ScanBuilder(CAMERA, CONFIG, seen_at=(60, 80))(depth)
    assert len(coarse.ranges) == pytest.approx(len(fine.ranges) / 2, abs=2)
    seen = np.isfinite(coarse.ranges)
    assert seen.mean() > 0.9
    np.testing.assert_allclose(coarse.ranges[seen], 3.0 / np.cos(angles(coarse)[seen]), rtol=0.02)


def test_floor_alone_is_clear() -> None:
    scan = ScanBuilder(CAMERA, CONFIG)(world_depth(CONFIG, wall_x=50.0))
    assert np.isposinf(scan.ranges).all()


def test_a_wrong_pitch_would_make_the_floor_an_obstacle() -> None:
    tilted = dataclasses.replace(CONFIG, camera_pitch=0.25)
    assert np.isfinite(ScanBuilder(CAMERA, CONFIG)(world_depth(tilted, wall_x=50.0)).ranges).any()


def test_box_is_on_its_side() -> None:
    """A box to the left has positive angles (REP-103: y left, angles counterclockwise)."""
    scan = ScanBuilder(CAMERA, CONFIG)(world_depth(CONFIG, 50.0, box=(2.0, 0.8, 0.4)))
    hit = np.isfinite(scan.ranges)
    a = angles(scan)[hit]
    assert a.min() == pytest.approx(np.arctan2(0.4, 2.0), abs=0.02)
    assert a.max() == pytest.approx(np.arctan2(0.8, 2.0), abs=0.02)
    np.testing.assert_allclose(scan.ranges[hit], 2.0 / np.cos(a), rtol=0.02)


def test_unknown_depth_never_clears() -> None:
    depth = world_depth(CONFIG, wall_x=50.0)
    depth[:, 40:60] = np.nan
    scan = ScanBuilder(CAMERA, CONFIG)(depth)
    unknown = np.isnan(scan.ranges)
    assert unknown.sum() == pytest.approx(20, abs=3)
    assert np.isposinf(scan.ranges[~unknown]).all()
    assert np.isnan(ScanBuilder(CAMERA, CONFIG)(np.full((120, 160), np.nan, np.float32)).ranges).all()


def test_an_obstacle_beside_unknown_pixels_is_still_seen() -> None:
    depth = world_depth(CONFIG, wall_x=3.0)
    depth[::2] = np.nan
    assert np.isfinite(ScanBuilder(CAMERA, CONFIG)(depth).ranges).mean() > 0.9


def test_too_close_is_minus_infinity() -> None:
    depth = np.full((120, 160), -np.inf, np.float32)
    assert np.isneginf(ScanBuilder(CAMERA, CONFIG)(depth).ranges).all()


def test_something_outside_the_band_that_hides_it_is_not_clear() -> None:
    """A surface closer than where each ray enters the band (an overhang right in front) proves nothing."""
    config = dataclasses.replace(CONFIG, camera_height=2.0)  # the camera is above the band: rays enter it from above
    depth = np.full((120, 160), 0.3, np.float32)
    ranges = ScanBuilder(CAMERA, config)(depth).ranges
    assert np.isnan(ranges).all()


def test_a_camera_that_cannot_see_to_range_max_clears_nothing() -> None:
    config = dataclasses.replace(CONFIG, camera_pitch=0.8)
    depth = world_depth(config, wall_x=50.0)
    assert np.isnan(ScanBuilder(CAMERA, config)(depth).ranges).all()
    near = dataclasses.replace(config, range_max=0.6)
    assert np.isposinf(ScanBuilder(CAMERA, near)(depth).ranges).any()


def test_an_uncertain_pixel_is_unknown_neither_hit_nor_clear() -> None:
    depth = world_depth(CONFIG, wall_x=3.0)
    std = np.full_like(depth, 1.4)  # under half of 3 m
    std[:, 40:60] = 1.6
    ranges = ScanBuilder(CAMERA, CONFIG)(depth, std).ranges
    assert np.isnan(ranges).sum() == pytest.approx(20, abs=3)
    clear = world_depth(CONFIG, wall_x=50.0)
    assert np.isnan(ScanBuilder(CAMERA, CONFIG)(clear, 0.6 * clear).ranges).all()
    assert np.isposinf(ScanBuilder(CAMERA, CONFIG)(clear, 0.4 * clear).ranges).all()


def test_a_hit_that_may_be_floor_is_unknown() -> None:
    """Depth 20 % short lifts floor by 0.2 * 0.6 m = 0.12 m, above height_min: an obstacle, unless std is known."""
    depth = np.float32(0.8) * world_depth(CONFIG, wall_x=50.0)
    assert np.isfinite(ScanBuilder(CAMERA, CONFIG)(depth).ranges).all()
    assert np.isnan(ScanBuilder(CAMERA, CONFIG)(depth, 0.3 * depth).ranges).all(), "1.04 of the floor's depth"
    assert np.isfinite(ScanBuilder(CAMERA, CONFIG)(depth, 0.2 * depth).ranges).all(), "0.96 of it"


def test_what_rises_above_the_doubt_still_marks() -> None:
    depth = world_depth(CONFIG, 50.0, box=(2.0, 0.8, 0.4))  # 0.5 m high, ten centimetres below the camera
    sure, doubtful = (ScanBuilder(CAMERA, CONFIG)(depth, std).ranges for std in (None, 0.4 * depth))
    np.testing.assert_array_equal(np.isfinite(sure), np.isfinite(doubtful))


def test_a_band_that_reaches_the_ground_takes_floor_for_what_it_is() -> None:
    config = dataclasses.replace(CONFIG, height_min=-0.2)
    depth = world_depth(CONFIG, wall_x=50.0)
    assert np.isfinite(ScanBuilder(CAMERA, config)(depth, 0.3 * depth).ranges).all()


def test_what_is_infinite_has_no_std_and_stays() -> None:
    none = np.full((120, 160), np.nan, np.float32)
    for value, same in ((np.inf, np.isposinf), (-np.inf, np.isneginf)):
        assert same(ScanBuilder(CAMERA, CONFIG)(np.full((120, 160), value, np.float32), none).ranges).all()


def test_uncalibrated_camera_and_empty_band_are_refused() -> None:
    with pytest.raises(CalibrationError):
        ScanBuilder(CameraModel(10, 10, np.zeros((3, 3))), CONFIG)
    with pytest.raises(ConfigError, match="height_min"):
        ScanConfig(height_min=1.0, height_max=0.5)
