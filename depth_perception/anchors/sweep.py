"""PointCloud2 and LaserScan → a sweep: points, the beam of each, and when each was measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depth_perception.anchors.beams import beams_of
from depth_perception.anchors.deskew import Motion, deskew
from depth_perception.messages import ScanRays, cloud_xyz, decode_cloud
from depth_perception.messages import stamp_ns as header_stamp_ns
from depth_perception.records import Float32, Float64, Int32, PointSweep

_TIME_FIELDS = ("time", "t", "timestamp", "time_stamp", "timeStamp", "time_offset", "offset_time")
_LONGEST_TURN_S = 2.0  # slower than any scanner turns; what is longer is counted in a smaller unit
_ABSOLUTE = 1e8  # relative times stay below it in every unit of float (0.1 s in ns); clocks of today don't, in s
_FARTHEST_S = 10.0  # from the header's stamp; farther, it's another clock


@dataclass(frozen=True)
class SensorPoints:
    """One message's points in its sensor's frame; the arrays are parallel."""

    xyz: Float32  # (N, 3) metres; NaN and Inf where nothing was measured
    beam: Int32  # (N,); -1 unknown
    times_s: Float32 | None  # (N,) seconds after the header's stamp; None: the message doesn't say


def cloud_points(msg: Any) -> SensorPoints:
    """The points of a PointCloud2 of any layout.

    Raises:
        MessageError: there is no x, y or z, or the layout doesn't fit the data.
    """
    points, xyz = decode_cloud(msg), cloud_xyz(msg)
    if len(xyz) == 0:
        return SensorPoints(xyz, np.zeros(0, np.int32), None)
    return SensorPoints(xyz, beams_of(points, xyz), _point_times(points, header_stamp_ns(msg.header)))


def scan_points(rays: ScanRays) -> SensorPoints:
    """The points of a laser scan, in the plane z = 0 of its frame.

    Convention: x = r cos(angle), y = r sin(angle) (sensor_msgs/LaserScan). What isn't a measurement is NaN: ±Inf and
    NaN (REP-117) and ranges outside [range_min, range_max].
    """
    measured = (rays.ranges >= rays.range_min) & (rays.ranges <= rays.range_max) & np.isfinite(rays.ranges)
    ranges = np.where(measured, rays.ranges, np.nan)
    xyz = np.zeros((len(ranges), 3), np.float32)
    xyz[:, 0], xyz[:, 1] = ranges * np.cos(rays.angles), ranges * np.sin(rays.angles)
    xyz[~measured] = np.nan
    times = rays.times_s.astype(np.float32) if rays.times_s.any() else None
    return SensorPoints(xyz, np.full(len(xyz), -1, np.int32), times)


def cloud_sweep(msg: Any, T_camera_sensor: Float64, stamp_ns: int, motion: Motion | None = None) -> PointSweep:
    """A PointCloud2 as a sweep of source "lidar".

    `stamp_ns` is the header's stamp on the camera's clock. With `motion` the points are brought to `motion.at_ns`,
    which becomes the sweep's stamp; where the message has no times or odometry doesn't cover them, they and the stamp
    stay as they came.

    Raises:
        MessageError: as `cloud_points`.
    """
    return _sweep("lidar", cloud_points(msg), T_camera_sensor, stamp_ns, motion)


def scan_sweep(rays: ScanRays, T_camera_sensor: Float64, stamp_ns: int, motion: Motion | None = None) -> PointSweep:
    """A laser scan as a sweep of source "scan"; the arguments are those of `cloud_sweep`."""
    return _sweep("scan", scan_points(rays), T_camera_sensor, stamp_ns, motion)


def _sweep(
    source: str, points: SensorPoints, T_camera_sensor: Float64, stamp_ns: int, motion: Motion | None
) -> PointSweep:
    xyz = points.xyz
    if motion is not None and points.times_s is not None:
        straight = deskew(xyz, points.times_s, stamp_ns, motion)
        if straight is not None:
            xyz, stamp_ns = straight, motion.at_ns
    return PointSweep(source, xyz, points.beam, stamp_ns, T_camera_sensor)


def _point_times(points: NDArray[np.void], stamp_ns: int) -> Float32 | None:
    """Seconds after `stamp_ns` (N,) of the points; None if no field says so, or it says the same for all.

    Integers are nanoseconds (Ouster's `t`, Livox's `offset_time`). Floats are told by magnitude: an absolute time is
    compared with `stamp_ns`, a relative one is in the unit in which the turn takes no longer than 2 s.
    """
    fields: Any = points.dtype.fields or {}
    name = next((name for name in _TIME_FIELDS if name in fields and not fields[name][0].shape), None)
    if name is None:
        return None
    raw, kind = points[name].reshape(-1), fields[name][0]
    known = np.isfinite(raw)
    if not known.any():
        return None
    low, high = float(raw[known].min()), float(raw[known].max())
    if low == high:
        return None  # a driver that fills the field with one number
    if kind.kind != "f":
        times, offset = raw * np.float64(1e-9), 0.0
    elif kind.itemsize == 8 and low > _ABSOLUTE:
        unit = 10.0 ** (-3 * max(0, round((np.log10(low) - 9.2) / 3)))  # today is 1.7e9 s, 1.7e12 ms, … 1.7e18 ns
        first_s = low * unit - stamp_ns * 1e-9
        times, offset = (raw - low) * unit, first_s
    else:
        units = (1.0, 1e-3, 1e-6, 1e-9)
        unit = next((u for u in units if (high - low) * u <= _LONGEST_TURN_S), units[-1])
        times, offset = raw * np.float64(unit), 0.0
    seconds = np.asarray(times + offset, np.float32)
    return seconds if float(np.nanmax(np.abs(seconds))) <= _FARTHEST_S else None
