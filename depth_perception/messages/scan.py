"""`sensor_msgs/LaserScan` → numpy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depth_perception.errors import MessageError


@dataclass(frozen=True)
class ScanRays:
    """One sweep of a 2-D laser scanner, as it came: +Inf no return, -Inf too close, NaN failed (REP-117).

    A range outside [range_min, range_max] is no measurement (`sensor_msgs/LaserScan.msg`).
    """

    angles: NDArray[np.float64]  # (N,) rad in the scanner's x-y plane, 0 = x axis, positive counter-clockwise
    ranges: NDArray[np.float32]  # (N,) metres
    intensities: NDArray[np.float32]  # (N,), or (0,) if the scanner gives none
    times_s: NDArray[np.float64]  # (N,) seconds after the header's stamp
    range_min: float
    range_max: float


def decode_scan(msg: Any) -> ScanRays:
    """The rays of a LaserScan; ranges and intensities are views of the message.

    Raises:
        MessageError: no ranges, intensities of another number, or angles that aren't finite or all the same.
    """
    ranges, intensities = np.asarray(msg.ranges, np.float32), np.asarray(msg.intensities, np.float32)
    start, increment = float(msg.angle_min), float(msg.angle_increment)
    count = len(ranges)
    if count == 0 or len(intensities) not in (0, count):
        raise MessageError(f"scan with {count} ranges and {len(intensities)} intensities; check the scanner's driver")
    if not np.isfinite([start, increment]).all() or (increment == 0.0 and count > 1):
        raise MessageError(
            f"scan with {count} ranges has angle_min {start!r}, angle_increment {increment!r}: no angles"
        )
    rays = np.arange(count, dtype=np.float64)
    return ScanRays(
        start + rays * increment,
        ranges,
        intensities,
        rays * float(msg.time_increment),
        float(msg.range_min),
        float(msg.range_max),
    )
