"""LiDAR and 2-D scanner by rays against the world's surfaces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from depth_perception.sim.rays import cast
from depth_perception.sim.setup import LidarSetup, ScanSetup

if TYPE_CHECKING:
    import mujoco


@dataclass(frozen=True)
class LidarSample:
    """One turn. `points` float32 (M, 6): x y z metres in the LiDAR's frame, intensity 0-1, ring (0 lowest), time s.

    Convention: `stamp_ns` is the first column's time, column `time` counts from it, and a point is in the frame that
    the LiDAR had at its own time (no motion compensation).
    """

    stamp_ns: int
    points: np.ndarray


@dataclass(frozen=True)
class ScanSample:
    """`ranges` float32 (N,) metres along each ray, +Inf where nothing is within range, counter-clockwise."""

    stamp_ns: int
    ranges: np.ndarray
    angle_min: float
    angle_increment: float
    range_min_m: float
    range_max_m: float


def measure_lidar(
    model: mujoco.MjModel,
    data: mujoco.MjData,
    setup: LidarSetup,
    stamp_ns: int,
    T_world_lidar: Callable[[float], np.ndarray],
    rng: np.random.Generator,
) -> LidarSample:
    """One turn, clockwise from behind; `T_world_lidar(t)` (4, 4) is the LiDAR's pose t seconds after the stamp."""
    elevation = np.deg2rad(np.linspace(setup.lowest_deg, setup.highest_deg, setup.beams))
    sectors = []
    for columns in np.array_split(np.arange(setup.columns), max(1, setup.sectors)):
        azimuth = np.pi - 2.0 * np.pi * columns / setup.columns
        time = columns / (setup.columns * setup.rate_hz)
        rays = np.stack(
            [
                np.cos(elevation) * np.cos(azimuth[:, None]),
                np.cos(elevation) * np.sin(azimuth[:, None]),
                np.broadcast_to(np.sin(elevation), (len(columns), setup.beams)),
            ],
            axis=2,
        ).reshape(-1, 3)
        T = T_world_lidar(float(time.mean()) if setup.sectors > 1 else 0.0)
        distance, geom = cast(model, data, T[:3, 3], rays @ T[:3, :3].T, setup.range_max_m)
        hit = np.isfinite(distance) & (distance >= setup.range_min_m)
        noisy = distance[hit] + setup.noise_m * rng.standard_normal(int(hit.sum()))
        ring, when = np.tile(np.arange(setup.beams), len(columns)), np.repeat(time, setup.beams)
        shine = _intensity(model, geom[hit], distance[hit])
        sectors.append(np.column_stack([rays[hit] * noisy[:, None], shine, ring[hit], when[hit]]))
    return LidarSample(stamp_ns, np.concatenate(sectors).astype(np.float32))


def _intensity(model: mujoco.MjModel, geom: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """A reflectance for each material, weaker with distance."""
    material = model.geom_matid[geom]
    reflectance = 0.2 + 0.8 * ((material.astype(np.int64) * 7919) % 97) / 97.0
    return np.clip(reflectance / (1.0 + (distance / 60.0) ** 2), 0.0, 1.0)


def measure_scan(
    model: mujoco.MjModel,
    data: mujoco.MjData,
    setup: ScanSetup,
    stamp_ns: int,
    T_world_scan: np.ndarray,
    rng: np.random.Generator,
) -> ScanSample:
    """One level sweep, all at one moment."""
    angle = np.deg2rad(np.linspace(setup.angle_min_deg, setup.angle_max_deg, setup.count))
    rays = np.column_stack([np.cos(angle), np.sin(angle), np.zeros_like(angle)])
    distance, _ = cast(model, data, T_world_scan[:3, 3], rays @ T_world_scan[:3, :3].T, setup.range_max_m)
    ranges = distance + setup.noise_m * rng.standard_normal(setup.count)
    ranges[distance < setup.range_min_m] = -np.inf
    step = float(np.deg2rad(setup.angle_max_deg - setup.angle_min_deg)) / (setup.count - 1)
    return ScanSample(stamp_ns, ranges.astype(np.float32), float(angle[0]), step, setup.range_min_m, setup.range_max_m)
