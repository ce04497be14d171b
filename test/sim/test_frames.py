"""The drive: stamps, rates, sensors that agree with each other, a path that hits nothing, and replay."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice, pairwise
from typing import Any

import numpy as np
import pytest

from depth_perception.errors import SimulatorError
from depth_perception.sim.drive import ROBOT_RADIUS_M, STEP_S, plan_drive
from depth_perception.sim.frames import frames
from depth_perception.sim.mesh import place
from depth_perception.sim.odometry import measure_odometry
from depth_perception.sim.recording import Recording
from depth_perception.sim.setup import OdometrySetup, SimConfig
from depth_perception.sim.world import World


def test_stamps_and_rates(small_frames: list[Any]) -> None:
    assert [f.stamp_ns for f in small_frames] == [1_000_000_000 + 100_000_000 * i for i in range(6)]
    for name, expected in (("lidar", 5), ("scans", 6), ("odometry", 26)):
        samples = [s for f in small_frames for s in getattr(f, name)]
        stamps = np.array([s.stamp_ns for s in samples])
        assert len(samples) == expected, name
        assert (np.diff(stamps) > 0).all(), name
        assert all(s.stamp_ns <= f.stamp_ns for f in small_frames for s in getattr(f, name)), name


def test_lidar_points_lie_on_the_rendered_depth(small_frames: list[Any]) -> None:
    """The turn that starts with frame 0 is delivered with frame 1; measured standing still, seen from frame 0."""
    frame, sample = small_frames[0], small_frames[1].lidar[0]
    assert sample.stamp_ns == frame.stamp_ns
    T_camera_lidar = np.linalg.inv(frame.T_body_camera) @ frame.T_body_lidar
    points = sample.points[:, :3] @ T_camera_lidar[:3, :3].T + T_camera_lidar[:3, 3]
    ahead = points[points[:, 2] > 0.2]
    uv = np.rint(frame.camera.project(ahead)).astype(int)
    inside = (uv[:, 0] >= 0) & (uv[:, 0] < 160) & (uv[:, 1] >= 0) & (uv[:, 1] < 120)
    seen = frame.depth[uv[inside, 1], uv[inside, 0]]
    agree = np.abs(seen / ahead[inside, 2] - 1.0) < 0.03
    assert inside.sum() > 100
    assert agree.mean() > 0.85


def test_lidar_columns_mean_what_they_say(small_frames: list[Any]) -> None:
    points = small_frames[1].lidar[0].points
    assert points.dtype == np.float32 and points.shape[1] == 6
    elevation = np.degrees(np.arctan2(points[:, 2], np.hypot(points[:, 0], points[:, 1])))
    np.testing.assert_allclose(elevation, -15.0 + 2.0 * points[:, 4], atol=0.01)
    assert points[:, 5].min() >= 0.0 and points[:, 5].max() < 0.1
    assert points[:, 3].min() >= 0.0 and points[:, 3].max() <= 1.0


def test_scan_agrees_with_depth(small_frames: list[Any]) -> None:
    frame, scan = small_frames[0], small_frames[0].scans[0]
    angle = scan.angle_min + scan.angle_increment * np.arange(len(scan.ranges))
    near = np.isfinite(scan.ranges)
    flat = np.column_stack([scan.ranges * np.cos(angle), scan.ranges * np.sin(angle), 0 * angle])[near]
    T = np.linalg.inv(frame.T_body_camera) @ frame.T_body_scan
    points = flat @ T[:3, :3].T + T[:3, 3]
    points = points[points[:, 2] > 0.2]
    uv = np.rint(frame.camera.project(points)).astype(int)
    inside = (uv[:, 0] >= 0) & (uv[:, 0] < 160) & (uv[:, 1] >= 0) & (uv[:, 1] < 120)
    if inside.sum() < 20:
        pytest.skip("the scan's plane is below the picture here")
    seen = frame.depth[uv[inside, 1], uv[inside, 0]]
    assert (np.abs(seen / points[inside, 2] - 1.0) < 0.05).mean() > 0.7


def test_odometry_without_noise_is_the_truth(room: World) -> None:
    drive = plan_drive(room, np.random.default_rng(1), 3.0, 0.7)
    samples = measure_odometry(drive, OdometrySetup(noise=0.0), 3.0, 0, np.random.default_rng(0))
    T_world_odom = drive.T_world_body(0.0)
    for sample in samples[::25]:
        expected = drive.T_world_body(sample.stamp_ns * 1e-9)
        np.testing.assert_allclose(T_world_odom @ sample.T_odom_body, expected, atol=2e-4)


@pytest.mark.parametrize("which", ["room", "street"])
def test_drive_hits_nothing_and_gets_somewhere(which: str, request: pytest.FixtureRequest) -> None:
    world = request.getfixturevalue(which)
    drive = plan_drive(world, np.random.default_rng(2), 10.0, 0.8)
    clearance = [world.free.at(x, y) for x, y, _ in drive.poses]
    assert min(clearance) > ROBOT_RADIUS_M
    assert drive.speeds[:, 0].sum() * STEP_S > 1.5
    # What is said about speed is what the poses do
    steps = np.hypot(*np.diff(drive.poses[:, :2], axis=0).T)
    np.testing.assert_allclose(steps, drive.speeds[:-1, 0] * STEP_S, atol=1e-9)


def test_replay_goes_to_and_fro_without_a_jump(small_frames: list[Any], small_config: SimConfig) -> None:
    recording = Recording(small_config, tuple(small_frames))
    played = list(islice(recording.replay(), 23))
    assert (np.diff([f.stamp_ns for f in played]) == 100_000_000).all()
    steps = [np.linalg.norm((a.T_world_body - b.T_world_body)[:2, 3]) for a, b in pairwise(played)]
    assert max(steps) < 0.12
    assert np.array_equal(played[10].image, small_frames[0].image)
    for name in ("lidar", "scans", "odometry"):
        stamps = [s.stamp_ns for f in played for s in getattr(f, name)]
        assert (np.diff(stamps) > 0).all(), name
    back = [s for s in played[7].odometry if s.forward_mps != 0.0]
    assert all(s.forward_mps < 0.0 for s in back)


def test_sensors_can_be_switched_off(small_config: SimConfig, small_frames: list[Any], room: World) -> None:
    camera = replace(small_config.camera, right=False, height=48, width=64)
    bare = replace(small_config, camera=camera, lidar=None, scan=None, odometry=None, duration_s=0.2)
    frame = next(iter(frames(bare, room)))
    assert frame.right_image is None and frame.right_camera is None and frame.T_body_lidar is None
    assert frame.lidar == () and frame.scans == () and frame.odometry == ()
    with pytest.raises(SimulatorError, match="paced by the camera"):
        next(iter(frames(replace(bare, camera=None))))


def test_camera_sits_where_it_is_said_to() -> None:
    """Convention: the optical axis of a camera pitched down by 10 degrees points forward and down in the body frame."""
    setup = replace(SimConfig().camera, pitch_deg=10.0)
    T = setup.T_body_camera()
    np.testing.assert_allclose(T[:3, 2], [np.cos(np.radians(10)), 0, -np.sin(np.radians(10))], atol=1e-12)
    np.testing.assert_allclose(T[:3, 0], [0, -1, 0], atol=1e-12)
    np.testing.assert_allclose(setup.right_model().P[0, 3], -setup.model().fx * 0.12)
    np.testing.assert_allclose(place(1, 2, 3, np.pi / 2) @ [1, 0, 0, 1], [1, 3, 3, 1], atol=1e-12)
