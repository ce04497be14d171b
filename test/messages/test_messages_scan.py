"""LaserScan."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from depth_perception.errors import MessageError
from depth_perception.messages import decode_scan, stamp_ns, to_stamp


@pytest.fixture
def scan_msg(family: Any) -> Callable[..., Any]:
    def make(**changes: Any) -> Any:
        fields = {
            "angle_min": -1.0,
            "angle_max": 1.0,
            "angle_increment": 0.5,
            "time_increment": 0.01,
            "scan_time": 0.1,
            "range_min": 0.1,
            "range_max": 30.0,
            "ranges": [1.0, np.inf, np.nan, -np.inf, 2.5],
            "intensities": [5.0, 4.0, 3.0, 2.0, 1.0],
        } | changes
        for name in ("ranges", "intensities"):
            values = np.asarray(fields[name], np.float32)
            fields[name] = values.tolist() if family.name == "live" else values
        return family.sent(family.new("sensor_msgs/msg/LaserScan", header=family.header(), **fields))

    return make


def test_rays(scan_msg: Any) -> None:
    rays = decode_scan(scan_msg())
    np.testing.assert_allclose(rays.angles, [-1.0, -0.5, 0.0, 0.5, 1.0])
    np.testing.assert_array_equal(rays.ranges, np.float32([1.0, np.inf, np.nan, -np.inf, 2.5]))
    np.testing.assert_array_equal(rays.intensities, [5, 4, 3, 2, 1])
    np.testing.assert_allclose(rays.times_s, [0.0, 0.01, 0.02, 0.03, 0.04], rtol=1e-6)
    assert (rays.range_min, rays.range_max) == (pytest.approx(0.1), 30.0)
    assert rays.ranges.dtype == np.float32


def test_clockwise_scanner_without_intensities(scan_msg: Any) -> None:
    rays = decode_scan(scan_msg(angle_min=1.0, angle_increment=-0.25, intensities=[]))
    np.testing.assert_allclose(rays.angles, [1.0, 0.75, 0.5, 0.25, 0.0])
    assert rays.intensities.shape == (0,)


def test_one_ray_needs_no_increment(scan_msg: Any) -> None:
    assert decode_scan(scan_msg(angle_increment=0.0, ranges=[2.0], intensities=[])).angles.tolist() == [-1.0]


BAD = {
    "no ranges": ({"ranges": [], "intensities": []}, "0 ranges"),
    "intensities of another number": ({"intensities": [1.0, 2.0]}, "5 ranges and 2 intensities"),
    "no increment": ({"angle_increment": 0.0}, "angle_increment 0.0"),
    "NaN angle": ({"angle_min": float("nan")}, "angle_min nan"),
}


@pytest.mark.parametrize("changes, fact", BAD.values(), ids=BAD)
def test_bad_scans(scan_msg: Any, changes: dict[str, Any], fact: str) -> None:
    with pytest.raises(MessageError, match=fact):
        decode_scan(scan_msg(**changes))


def test_stamp(family: Any, scan_msg: Any) -> None:
    assert stamp_ns(scan_msg().header) == 1_700_000_000_123_456_789


@pytest.mark.parametrize(
    ("ns", "stamp"), [(0, (0, 0)), (1, (0, 1)), (1_700_000_000_123_456_789, (1_700_000_000, 123_456_789))]
)
def test_stamp_parts(ns: int, stamp: tuple[int, int]) -> None:
    assert to_stamp(ns) == stamp
