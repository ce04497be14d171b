"""Pitch and roll of a camera from an accelerometer: gravity is what it measures while nothing accelerates it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from depth_perception.mount import tilt_of

GRAVITY = 9.80665  # m/s², standard gravity (ISO 80000-3); on Earth it lies within 0.03 of it


class GravityFilter:
    """Low-passed tilt that changes in steps, so that what is computed from it (the scan's tables) seldom changes.

    A sample whose length is far from gravity's was taken while the robot bumped or braked hard, and isn't used. What
    the length can't show stays in: an even acceleration a along the ground tilts the sample by a/g (2 m/s²: 11.5°) and
    lengthens it by only 0.2 m/s². `time_constant_s` must be long against such manoeuvres.

    Convention: a sample is the specific force of `sensor_msgs/Imu.linear_acceleration` (+g upwards at rest), rotated
    into the camera's optical frame: a level camera measures (0, -9.8, 0). Angles as in `level_rotation`.
    """

    def __init__(
        self, time_constant_s: float = 1.0, step_rad: float = math.radians(0.5), tolerance_mps2: float = 0.6
    ) -> None:
        self.time_constant_s, self.step_rad, self.tolerance_mps2 = time_constant_s, step_rad, tolerance_mps2
        self.refused = 0  # samples that weren't used since the last one that was
        self._up = np.zeros(3)
        self._count = 0
        self._stamp_ns = 0
        self._tilt: tuple[float, float] | None = None

    @property
    def tilt(self) -> tuple[float, float] | None:
        """(pitch, roll) in rad, multiples of the step; None before the first usable sample."""
        return self._tilt

    def add(self, acceleration: NDArray[np.float64], stamp_ns: int) -> bool:
        """Take one sample (3,) in m/s², optical frame; True if `tilt` is another one now.

        Time that jumps back (a looping bag) starts the filter anew.
        """
        norm = float(np.linalg.norm(acceleration))
        if not abs(norm - GRAVITY) <= self.tolerance_mps2:  # also true for NaN
            self.refused += 1
            return False
        self.refused = 0
        elapsed_s = (stamp_ns - self._stamp_ns) * 1e-9
        if elapsed_s < 0.0:
            self._count = 0
        self._count += 1
        # The mean of all samples until the time constant has passed, so that the first one has no special weight
        share = max(1.0 / self._count, -math.expm1(-max(elapsed_s, 0.0) / self.time_constant_s))
        self._up = self._up + share * (np.asarray(acceleration, np.float64) / norm - self._up)
        self._stamp_ns = stamp_ns
        return self._quantise(tilt_of(self._up))

    def _quantise(self, tilt: tuple[float, float]) -> bool:
        """Move to the nearest step once the tilt is a quarter step past the middle between two of them."""
        old = self._tilt
        if old is None or max(abs(a - b) for a, b in zip(tilt, old, strict=True)) > 0.75 * self.step_rad:
            pitch, roll = (round(angle / self.step_rad) * self.step_rad for angle in tilt)
            self._tilt = (pitch, roll)
        return self._tilt != old
