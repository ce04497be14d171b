"""Wheel odometry of a drive: the true speeds with noise, summed up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from depth_perception.sim.drive import Drive
from depth_perception.sim.mesh import place
from depth_perception.sim.setup import OdometrySetup


@dataclass(frozen=True)
class OdometrySample:
    """`T_odom_body` (4, 4) is identity at the start of the drive; speeds are those of the body."""

    stamp_ns: int
    T_odom_body: np.ndarray
    forward_mps: float
    turning_rps: float


def measure_odometry(
    drive: Drive, setup: OdometrySetup, duration_s: float, start_ns: int, rng: np.random.Generator
) -> list[OdometrySample]:
    """Samples from 0 to `duration_s`, each integrated with its measured speed up to the next."""
    x = y = yaw = 0.0
    samples, step = [], 1.0 / setup.rate_hz
    for index in range(int(duration_s * setup.rate_hz + 1e-6) + 1):
        t = index * step
        v, w = _mean_twist(drive, t, step)
        v, w = (speed * (1.0 + setup.noise * float(rng.standard_normal())) for speed in (v, w))
        stamp = start_ns + round(t * 1e9)
        samples.append(OdometrySample(stamp, place(x, y, 0.0, yaw), v, w))
        middle = yaw + 0.5 * w * step
        x, y, yaw = x + v * step * np.cos(middle), y + v * step * np.sin(middle), yaw + w * step
    return samples


def _mean_twist(drive: Drive, t: float, step: float) -> tuple[float, float]:
    """The constant speeds that lead from the pose at t to the one a step later."""
    T = np.linalg.inv(drive.T_world_body(t)) @ drive.T_world_body(t + step)
    turn = float(np.arctan2(T[1, 0], T[0, 0]))
    forward = float(np.hypot(T[0, 3], T[1, 3]) * (1.0 if T[0, 3] >= 0 else -1.0))
    return forward / step, turn / step
