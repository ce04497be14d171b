"""How a camera is mounted above level ground: its height, and its tilt against gravity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Optical axes (x right, y down, z forward) in a level body frame (x forward, y left, z up), camera level: REP-103.
R_LEVEL_OPTICAL = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])


@dataclass(frozen=True)
class Mount:
    """A camera above level ground; the angles as `level_rotation` has them."""

    height_m: float  # of the camera's centre above the ground
    pitch_rad: float = 0.0  # positive: looks down
    roll_rad: float = 0.0  # positive: right side down

    @property
    def R_level_optical(self) -> NDArray[np.float64]:
        """(3, 3), see `level_rotation`."""
        return level_rotation(self.pitch_rad, self.roll_rad)


def level_rotation(pitch: float, roll: float) -> NDArray[np.float64]:
    """R_level_optical (3, 3) of a camera that looks down by `pitch` and whose right side hangs down by `roll`, rad.

    Convention: R_level_camera = R_y(pitch) @ R_x(roll) in the body frame x forward, y left, z up, so positive pitch
    lowers the optical axis and positive roll lowers the right side (REP-103).
    """
    cp, sp, cr, sr = np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
    R_pitch = np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
    R_roll = np.array([[1, 0, 0], [0, cr, -sr], [0, sr, cr]])
    return R_pitch @ R_roll @ R_LEVEL_OPTICAL


def tilt_of(up: NDArray[np.float64]) -> tuple[float, float]:
    """(pitch, roll) in rad of a camera in whose optical frame `up` (3,), of any length, points away from the ground.

    Convention: the inverse of `level_rotation`, whose third row is `up`; pitch within ±pi/2.
    """
    x, y, z = R_LEVEL_OPTICAL @ up
    return float(np.arctan2(-x, np.hypot(y, z))), float(np.arctan2(y, z))
