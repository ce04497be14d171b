"""Points of a moving sensor as one moment would have seen them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation, Slerp

from depth_perception.anchors.deskew import Motion, OdometryTrack, deskew, moved, slerp
from depth_perception.extrinsics import inverse, parse_transform
from depth_perception.records import PointSweep

MS = 1_000_000
T0 = 1_700_000_000 * 10**9
T_BODY_SENSOR = parse_transform("0.4 0.1 1.5 0.1 -0.05 0.7")


def pose(t: float) -> np.ndarray:
    """T_odom_body t seconds after T0: 8 m/s ahead and 0.8 rad/s to the left, on a circle of 10 m."""
    return parse_transform(f"{10 * np.sin(0.8 * t)} {10 * (1 - np.cos(0.8 * t))} 0 0 0 {0.8 * t}")


def track(rate_hz: float = 50.0, seconds: float = 1.0) -> OdometryTrack:
    built = OdometryTrack()
    for i in range(int(seconds * rate_hz) + 1):
        built.add(T0 + round(i / rate_hz * 1e9), pose(i / rate_hz))
    return built


def test_driving_ahead_brings_a_wall_nearer() -> None:
    """At 10 m/s, 0.2 s later: what was 8 m ahead is 6 m ahead. The inverse would say 10 m."""
    built = OdometryTrack()
    for i in range(5):
        built.add(T0 + 100 * MS * i, parse_transform(f"{i} 0 0 0 0 0"))
    T = built.motion(T0 + 50 * MS, T0 + 250 * MS)
    assert T is not None
    np.testing.assert_allclose(T @ [8, 1, 0, 1], [6, 1, 0, 1], atol=1e-9)


def test_turning_left_moves_the_world_right() -> None:
    built = OdometryTrack()
    for i in range(3):
        built.add(T0 + 100 * MS * i, parse_transform(f"0 0 0 0 0 {i * np.pi / 4}"))
    T = built.motion(T0, T0 + 200 * MS)
    assert T is not None
    np.testing.assert_allclose(T @ [5, 0, 0, 1], [0, -5, 0, 1], atol=1e-9)


@given(st.lists(st.floats(-1, 1), min_size=6, max_size=6), st.floats(0, 1))
def test_slerp_is_scipys(v: list[float], share: float) -> None:
    two = Rotation.from_rotvec(np.reshape(v, (2, 3)))
    a, b = two.as_quat()
    found = slerp(a[None], -b[None], np.array([share]))[0]
    expected = Slerp([0, 1], two)(share).as_quat()
    assert abs(found @ expected) == pytest.approx(1.0, abs=1e-9)


def test_between_samples_and_a_little_beyond() -> None:
    built = track()
    for t in (0.013, 0.5, 0.999, 1.03, -0.03):
        poses = built.poses(np.array([T0 + round(t * 1e9)]))
        assert poses is not None
        np.testing.assert_allclose(poses[0], pose(t), atol=0.011)  # 50 Hz chords; 8 m/s * 30 ms are 0.24 m
    np.testing.assert_allclose(built.poses(np.array([T0 + 20 * MS]))[0], pose(0.02), atol=1e-9)  # type: ignore[index]


@pytest.mark.parametrize("t_ms", [-51, 1051])
def test_odometry_that_ended_is_not_extrapolated(t_ms: int) -> None:
    assert track().motion(T0 + 500 * MS, T0 + t_ms * MS) is None


def test_gaps_resets_and_too_few_samples() -> None:
    built = OdometryTrack(capacity=3)
    assert built.motion(T0, T0) is None
    built.add(T0, np.eye(4))
    built.add(T0, np.eye(4))  # twice the same stamp
    assert built.motion(T0, T0) is None
    built.add(T0 + 600 * MS, np.eye(4))
    assert built.motion(T0, T0 + 300 * MS) is None  # a gap of 0.6 s
    built.add(T0 - 10**9, np.eye(4))  # the bag began again
    built.add(T0 - 10**9 + 50 * MS, np.eye(4))
    assert built.motion(T0, T0 + 100 * MS) is None
    assert built.motion(T0 - 10**9, T0 - 10**9 + 40 * MS) is not None


def skewed(count: int = 4000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points still in the world, as a sensor on the circle saw each at its own time, and the times (shuffled)."""
    rng = np.random.default_rng(0)
    world = rng.uniform([-30, -30, -2], [30, 30, 5], (count, 3))
    times = rng.permutation(np.linspace(0.0, 0.1, count)).astype(np.float32)
    seen = np.empty((count, 3), np.float32)
    for i, t in enumerate(times):
        T = inverse(pose(0.4 + float(t)) @ T_BODY_SENSOR)
        seen[i] = T[:3, :3] @ world[i] + T[:3, 3]
    return world, times, seen


@pytest.mark.parametrize("at_ms", [400, 450, 530])
def test_all_points_as_one_moment_sees_them(at_ms: int) -> None:
    """Also of a moment outside of the turn: that of the image. Without it points are up to a metre off."""
    world, times, seen = skewed()
    T = inverse(pose(at_ms / 1000) @ T_BODY_SENSOR)
    expected = world @ T[:3, :3].T + T[:3, 3]
    found = deskew(seen, times, T0 + 400 * MS, Motion(track(), T_BODY_SENSOR, T0 + at_ms * MS))
    assert found is not None and found.dtype == np.float32
    error = np.linalg.norm(found - expected, axis=1)
    assert error.max() < 0.015
    assert np.linalg.norm(seen - expected, axis=1).max() > 1.0


def test_a_sweep_of_one_moment_moves_by_its_transform() -> None:
    """The same as deskewing to the image's time, at no cost."""
    _, times, seen = skewed(500)
    T_camera_sensor = parse_transform("0.1 0.2 0.3 -0.5 0.5 -0.5 0.5")
    at_start, at_image = (Motion(track(), T_BODY_SENSOR, T0 + ms * MS) for ms in (400, 530))
    straight = deskew(seen, times, T0 + 400 * MS, at_start)
    later = deskew(seen, times, T0 + 400 * MS, at_image)
    assert straight is not None and later is not None
    sweep = PointSweep("lidar", straight, np.zeros(500, np.int32), T0 + 400 * MS, T_camera_sensor)
    carried = moved(sweep, at_image)
    assert carried is not None and carried.stamp_ns == T0 + 530 * MS and carried.xyz is straight
    T = carried.T_camera_sensor
    expected = later @ T_camera_sensor[:3, :3].T + T_camera_sensor[:3, 3]
    np.testing.assert_allclose(straight @ T[:3, :3].T + T[:3, 3], expected, atol=0.01)


def test_without_odometry_nothing_is_guessed() -> None:
    _, times, seen = skewed(10)
    late = Motion(track(), T_BODY_SENSOR, T0 + 2000 * MS)
    assert deskew(seen, times, T0, late) is None
    assert moved(PointSweep("lidar", seen, np.zeros(10, np.int32), T0, np.eye(4)), late) is None


def test_points_without_time_or_place() -> None:
    _, times, seen = skewed(10)
    times[3], seen[5] = np.nan, np.nan
    motion = Motion(track(), T_BODY_SENSOR, T0 + 450 * MS)
    found = deskew(seen, times, T0 + 400 * MS, motion)
    assert found is not None and np.flatnonzero(np.isnan(found).any(axis=1)).tolist() == [3, 5]
    none = deskew(seen, np.full(10, np.nan, np.float32), T0, motion)
    assert none is not None and np.isnan(none).all()


def test_one_time_for_all_points() -> None:
    _, _, seen = skewed(10)
    motion = Motion(track(), T_BODY_SENSOR, T0 + 450 * MS)
    found = deskew(seen, np.full(10, 0.05, np.float32), T0 + 400 * MS, motion)
    np.testing.assert_allclose(found, seen, atol=1e-5)
