"""Clouds of any layout and scans → points, beams, times."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from lidar_scene import Plane, mounted, scan

from depth_perception.anchors.beams import beams_of
from depth_perception.anchors.sweep import cloud_points, cloud_sweep, scan_points, scan_sweep
from depth_perception.errors import MessageError
from depth_perception.messages import ScanRays, decode_scan

STAMP = SimpleNamespace(sec=1_700_000_000, nanosec=250_000_000)
HEADER = SimpleNamespace(stamp=STAMP, frame_id="lidar")
DATATYPE = {"i1": 1, "u1": 2, "i2": 3, "u2": 4, "i4": 5, "u4": 6, "f4": 7, "f8": 8}
SEEN, _, _ = scan([Plane((1, 0, 0), 8.0)], 16, 90, mounted(0, 0, 0))


def cloud(width: int | None = None, order: str = "<", xyz_type: str = "f4", xyz: Any = None, **fields: Any) -> Any:
    """A PointCloud2 of points (N, 3) and more fields (N,), with a gap of 3 bytes after each point."""
    points = np.asarray(SEEN.xyz if xyz is None else xyz)
    columns = {name: (xyz_type, points[:, i]) for i, name in enumerate("xyz")}
    columns |= {name: (np.asarray(values).dtype.str[1:], np.asarray(values)) for name, values in fields.items()}
    kind = np.dtype([(name, order + code) for name, (code, _) in columns.items()] + [("gap", "V3")])
    data = np.zeros(len(points), kind)
    for name, (_, values) in columns.items():
        data[name] = values
    width = len(points) if width is None else width
    return SimpleNamespace(
        header=HEADER,
        height=len(points) // max(width, 1) or 1,
        width=width,
        fields=[
            SimpleNamespace(name=name, offset=kind.fields[name][1], datatype=DATATYPE[code], count=1)
            for name, (code, _) in columns.items()
        ],
        is_bigendian=order == ">",
        point_step=kind.itemsize,
        row_step=kind.itemsize * width,
        data=data.tobytes(),
        is_dense=False,
    )


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("xyz_type", ["f4", "f8"])
@pytest.mark.parametrize("name", ["ring", "channel", "laser_id"])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int32, np.float32])
def test_the_driver_says_the_beam(order: str, xyz_type: str, name: str, kind: type) -> None:
    points = cloud_points(cloud(order=order, xyz_type=xyz_type, **{name: SEEN.beam[::-1].astype(kind)}))
    np.testing.assert_array_equal(points.beam, SEEN.beam[::-1])  # taken as it is, whatever elevation says
    np.testing.assert_allclose(points.xyz, SEEN.xyz)
    assert points.xyz.dtype == np.float32 and points.beam.dtype == np.int32 and points.times_s is None


def test_an_unknown_beam_of_a_float_field_is_minus_one() -> None:
    ring = SEEN.beam.astype(np.float32)
    ring[7] = np.nan
    assert cloud_points(cloud(ring=ring)).beam[7] == -1


def test_a_field_that_says_the_same_for_all_says_nothing() -> None:
    beam = cloud_points(cloud(ring=np.zeros(len(SEEN.beam), np.uint16))).beam
    np.testing.assert_array_equal(beam, SEEN.beam)  # by elevation


@pytest.mark.parametrize("order", ["C", "F"])
def test_rows_or_columns_of_an_organised_cloud(order: str) -> None:
    """16 rows of 90 columns as Ouster sends, or 90 rows of 16 as others do; jitter of 0.8° leaves no gaps between."""
    rng = np.random.default_rng(1)
    elevation = np.deg2rad(np.linspace(-15, 15, 16))[None] + np.deg2rad(rng.uniform(-0.8, 0.8, (90, 16)))
    azimuth = np.linspace(-2, 2, 90)[:, None]
    xyz = 9 * np.stack([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)], 2)
    xyz[3, 4] = np.nan
    if order == "C":
        xyz = xyz.transpose(1, 0, 2)
    beam = cloud_points(cloud(width=xyz.shape[1], xyz=xyz.reshape(-1, 3))).beam.reshape(xyz.shape[:2])
    expected = np.arange(16)[:, None] if order == "C" else np.arange(16)[None]
    np.testing.assert_array_equal(beam, np.broadcast_to(expected, beam.shape))


def test_a_depth_cameras_rows_are_no_beams() -> None:
    v, u = np.mgrid[-1:1:48j, -1:1:64j]
    xyz = 3.0 * np.stack([u, v, np.ones_like(u)], axis=2)
    assert (cloud_points(cloud(width=64, xyz=xyz.reshape(-1, 3))).beam == -1).all()


def test_elevation_tells_the_beams_of_a_cloud_without_ring() -> None:
    """Points in firing order, 1.9° between beams, 3 mm of noise."""
    noisy = SEEN.xyz + np.random.default_rng(2).normal(0, 0.003, SEEN.xyz.shape).astype(np.float32)
    noisy[11] = np.nan
    expected = SEEN.beam.copy()
    expected[11] = -1
    np.testing.assert_array_equal(cloud_points(cloud(xyz=noisy)).beam, expected)


@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize("start", [0.0, 2.5])
def test_turns_tell_the_beams_of_a_file_written_beam_by_beam(direction: int, start: float) -> None:
    """As KITTI's: a tilt of 1° smears elevation, so that only the order tells 20 beams 0.4° apart."""
    azimuth = start + direction * np.linspace(0, 2 * np.pi, 700, endpoint=False)
    elevation = np.deg2rad(np.linspace(2, -5.6, 20))[:, None] + np.deg2rad(0.25) * np.sin(azimuth)
    xyz = 20 * np.stack(
        [np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)], 2
    )
    keep = np.random.default_rng(0).random(14_000) < 0.8
    keep[0] = True
    points = xyz.reshape(-1, 3)[keep].astype(np.float32)
    expected = np.repeat(np.arange(20), 700)[keep]
    beam = beams_of(np.zeros((1, len(points)), np.dtype([("x", "<f4")])), points)
    assert (beam == expected).mean() > 0.995  # a turn's first point may be missing
    assert beam.max() == 19


def test_no_beams_in_a_random_cloud() -> None:
    xyz = np.random.default_rng(4).normal(size=(5000, 3))
    assert (cloud_points(cloud(xyz=xyz)).beam == -1).all()


N = len(SEEN.xyz)
AFTER = np.linspace(0.0, 0.1, N)  # seconds
NOW = STAMP.sec + STAMP.nanosec * 1e-9


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("time", AFTER.astype(np.float32)),  # Velodyne
        ("time", (AFTER - 0.1).astype(np.float32)),  # Velodyne, stamped at the end of the turn
        ("t", (AFTER * 1e9).astype(np.uint32)),  # Ouster
        ("offset_time", (AFTER * 1e9).astype(np.uint32)),  # Livox
        ("time", (AFTER * 1e6).astype(np.float32)),
        ("time", (AFTER * 1e3).astype(np.float32)),
        ("timestamp", AFTER + NOW),  # Hesai, RoboSense
        ("timestamp", (AFTER + NOW) * 1e9),  # Livox
        ("time_stamp", (AFTER + NOW) * 1e6),
    ],
)
def test_times_of_points_are_seconds_after_the_stamp(name: str, values: np.ndarray) -> None:
    times = cloud_points(cloud(**{name: values})).times_s
    assert times is not None and times.dtype == np.float32
    expected = AFTER - 0.1 if values.min() < 0 else AFTER
    np.testing.assert_allclose(times, expected, atol=2e-6)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"time": np.zeros(N, np.float32)},
        {"time": np.full(N, np.nan, np.float32)},
        {"timestamp": AFTER + 1000.0 * 3600 * 24 * 365},  # seconds since another start
    ],
)
def test_times_that_say_nothing(fields: dict[str, np.ndarray]) -> None:
    assert cloud_points(cloud(**fields)).times_s is None


def test_empty_and_wrong_clouds() -> None:
    points = cloud_points(cloud(xyz=np.zeros((0, 3))))
    assert points.xyz.shape == (0, 3) and points.beam.shape == (0,)
    assert (cloud_points(cloud(xyz=np.full((40, 3), np.nan))).beam == -1).all()
    broken = cloud()
    broken.fields = broken.fields[:2]
    with pytest.raises(MessageError, match="no field z"):
        cloud_points(broken)


def test_a_cloud_becomes_a_sweep() -> None:
    T = mounted(0.1, 0.2, 0.3)
    sweep = cloud_sweep(cloud(ring=SEEN.beam.astype(np.uint16)), T, 77)
    assert (sweep.source, sweep.stamp_ns) == ("lidar", 77) and sweep.T_camera_sensor is T


def rays(ranges: list[float], **changes: float) -> ScanRays:
    values = {"angle_min": -np.pi / 2, "angle_increment": np.pi / 2, "time_increment": 0.0} | changes
    return decode_scan(SimpleNamespace(ranges=ranges, intensities=[], range_min=0.1, range_max=10.0, **values))


def test_a_scan_lies_in_its_plane() -> None:
    """Angle -90° is right (-y), 0 is ahead (x), 90° is left; counter-clockwise. No intensities are needed."""
    points = scan_points(rays([2.0, 3.0, 4.0]))
    np.testing.assert_allclose(points.xyz, [[0, -2, 0], [3, 0, 0], [0, 4, 0]], atol=1e-6)
    assert points.beam.tolist() == [-1, -1, -1] and points.times_s is None


def test_ranges_that_are_no_measurement() -> None:
    """REP-117: ±Inf and NaN; LaserScan.msg: what lies outside [range_min, range_max]; the limits themselves count."""
    ranges = [np.inf, -np.inf, np.nan, 0.05, 10.5, 0.0, 10.0]
    points = scan_points(rays(ranges, angle_increment=0.1, angle_min=0.0))
    assert np.isfinite(points.xyz).all(axis=1).tolist() == [False] * 6 + [True]


def test_a_scan_becomes_a_sweep_with_times() -> None:
    sweep = scan_sweep(rays([2.0, 3.0, 4.0], time_increment=0.02), np.eye(4), 9)
    assert (sweep.source, sweep.stamp_ns, len(sweep.xyz)) == ("scan", 9, 3)
    np.testing.assert_allclose(scan_points(rays([2.0, 3.0, 4.0], time_increment=0.02)).times_s, [0, 0.02, 0.04])
