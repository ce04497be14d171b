"""A sweep → anchors: depths in closed form, limits, groups, sigma, notes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from lidar_scene import CAMERA, Plane, mounted, scan

from depth_perception.anchors.lidar import point_anchors
from depth_perception.records import Anchors, PointSweep

T = mounted(0.2, 0.3, -0.6, 0.02, 0.05, -0.03)
LIMITS = {"sigma": 0.03, "min_range": 0.5, "max_range": 100.0}


def sweep(xyz: Any, beam: int | np.ndarray = -1, source: str = "lidar", at: np.ndarray | None = None) -> PointSweep:
    points = np.asarray(xyz, np.float32).reshape(-1, 3)
    beams = np.broadcast_to(np.asarray(beam, np.int32), len(points))
    return PointSweep(source, points, beams, 5, np.eye(4) if at is None else at)


def anchors(measured: PointSweep, **changes: float) -> Anchors:
    return point_anchors(measured, CAMERA, **(LIMITS | changes))


def test_a_slanted_plane_has_the_depth_of_its_equation() -> None:
    """n . p = d in the LiDAR's frame; the ray of every anchor's pixel meets it at the anchor's depth."""
    n, d = np.array([0.8, 0.36, 0.48]), 4.0
    measured, _, _ = scan([Plane(tuple(n), d)], 64, 1000, T)
    found = anchors(measured)
    assert len(found) > 10_000 and found.stamp_ns == 5 and found.source == "lidar" and found.note == ""
    rays = np.column_stack([(found.uv - [CAMERA.cx, CAMERA.cy]) / [CAMERA.fx, CAMERA.fy], np.ones(len(found))])
    T_lidar_camera = np.linalg.inv(T)
    expected = (d - n @ T_lidar_camera[:3, 3]) / (rays @ T_lidar_camera[:3, :3].T @ n)
    np.testing.assert_allclose(found.depth, expected, rtol=2e-4)
    for array in (found.uv, found.depth, found.sigma):
        assert array.dtype == np.float32
    assert found.group.dtype == np.int32 and set(found.group) <= set(range(64))


def test_range_limits_are_those_of_the_sensor() -> None:
    """The LiDAR is 5 m behind the camera: ranges 5.4, 7, 16 m are depths 0.4, 2, 11 m."""
    at = np.eye(4)
    at[2, 3] = -5.0
    found = anchors(sweep([[0, 0, 5.4], [0, 0, 7.0], [0, 0, 16.0]], at=at), min_range=6.0, max_range=10.0)
    np.testing.assert_allclose(found.depth, [2.0])


def test_zero_points_are_none_even_without_a_limit() -> None:
    """Drivers write (0, 0, 0) for no return; a LiDAR 1 m behind the camera would see it at its own centre."""
    at = np.eye(4)
    at[2, 3] = 1.0
    found = anchors(sweep([[0, 0, 0], [0, 0, 2.0]], at=at), min_range=0.0)
    np.testing.assert_allclose(found.depth, [3.0])


def test_sigma_is_range_along_z_and_footprint() -> None:
    """Straight ahead, 10 m: sqrt(0.04^2 + 0.03^2) = 0.05. At 3:4:5 to the side only 4/5 of a range is depth."""
    found = anchors(sweep([[0, 0, 10.0], [-6.0, 0, 8.0]], beam=np.array([0, 1])), sigma=0.04)
    np.testing.assert_allclose(found.sigma, [0.05, np.hypot(0.04 * 0.8, 0.003 * 8.0)], rtol=1e-5)


def test_beams_group_points_and_blocks_where_they_are_unknown() -> None:
    xyz = [[-0.8, -0.35, 1.0], [0.6, 0.45, 1.0], [0.0, 0.0, 1.0]]  # pixels (14, 12.5), (602, 372.5), (350, 170)
    assert anchors(sweep(xyz, np.array([3, 9, 4]))).group.tolist() == [3, 9, 4]
    assert anchors(sweep(xyz)).group.tolist() == [0, 5 * 8 + 7, 2 * 8 + 4]  # blocks of 80 x 66.7 pixels
    assert anchors(sweep(xyz, source="scan")).group.tolist() == [0, 15, 8]  # 16 blocks of 40 columns
    assert anchors(sweep(xyz, np.array([3, -1, 4]))).group.tolist() == [3, 47, 4]


def test_a_scan_loses_no_point_to_occlusion() -> None:
    x = np.linspace(-1, 1, 400)
    z = np.where(np.abs(x) < 0.1, 8.0, 2.0)
    found = anchors(sweep(np.column_stack([x * z / 2, np.zeros(400), z]), source="scan"))
    assert (found.depth == 8.0).sum() == 40


def test_many_points_are_thinned_evenly_by_beam() -> None:
    measured, _, _ = scan([Plane((1, 0, 0), 8.0)], 128, 2000, T)
    found = anchors(measured)
    assert 15_000 < len(found) <= 20_000
    every = np.bincount(anchors(replace(measured, xyz=measured.xyz[::8], beam=measured.beam[::8])).group)
    full = np.bincount(found.group, minlength=len(every))
    crossing = full[full > 20]
    assert crossing.max() - crossing.min() < 0.35 * crossing.max()


NAN = np.full((100, 3), np.nan)


@pytest.mark.parametrize(
    ("xyz", "note"),
    [
        (np.zeros((0, 3)), "sent no points"),
        (NAN, "none of 100 points is finite"),
        (np.tile([0.0, 0.0, -4.0], (7, 1)), "none of 7 points lies in the camera's image: check the transform"),
        ([[0, 0, 300.0], [0, 0, 0.2]], "all 2 points in the image are nearer than 0.5 m or farther than 100.0 m"),
    ],
)
@pytest.mark.parametrize("source", ["lidar", "scan"])
def test_no_anchor_says_why(xyz: Any, note: str, source: str) -> None:
    found = anchors(sweep(xyz, source=source))
    assert len(found) == 0 and note in found.note
    assert found.uv.shape == (0, 2) and found.sigma.shape == found.group.shape == (0,)


def test_bad_points_among_good_ones_leave() -> None:
    good = [[0.1, 0.1, 3.0], [0.2, -0.1, 4.0]]
    found = anchors(sweep([*good, [np.nan, 0, 1], [0, np.inf, 1], [0, 0, -np.inf]], np.arange(5)))
    assert found.group.tolist() == [0, 1]
    np.testing.assert_allclose(found.depth, [3.0, 4.0])
