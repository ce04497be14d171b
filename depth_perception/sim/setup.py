"""The simulated robot: which sensors it has, where they sit, how fast they are. All defaults live here."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from depth_perception.camera import CameraModel
from depth_perception.sim.mesh import place
from depth_perception.sim.views import T_BODY_OPTICAL


@dataclass(frozen=True)
class CameraSetup:
    """A rectified stereo camera; `position` is the left eye's in the body frame (x forward, y left, z up), metres."""

    height: int = 480
    width: int = 640
    hfov_deg: float = 69.0
    baseline_m: float = 0.12
    rate_hz: float = 15.0
    right: bool = True
    right_depth: bool = False
    position: tuple[float, float, float] = (0.18, 0.06, 0.62)
    pitch_deg: float = 2.0

    def model(self) -> CameraModel:
        """The left camera."""
        return CameraModel.pinhole(self.height, self.width, self.hfov_deg)

    def right_model(self) -> CameraModel:
        """The right camera: the same, with P[0, 3] = -fx * baseline."""
        left = self.model()
        P = left.P.copy()
        P[0, 3] = -left.fx * self.baseline_m
        return CameraModel(left.height, left.width, left.K, P=P)

    def T_body_camera(self) -> np.ndarray:
        """(4, 4), the left camera's optical frame in the body frame."""
        return place(*self.position, 0.0, float(np.deg2rad(self.pitch_deg))) @ T_BODY_OPTICAL


@dataclass(frozen=True)
class LidarSetup:
    """A spinning LiDAR. `sectors`: how many poses of the robot one turn is measured from (1: as if standing still)."""

    beams: int = 16
    lowest_deg: float = -15.0
    highest_deg: float = 15.0
    columns: int = 900
    rate_hz: float = 10.0
    range_max_m: float = 100.0
    range_min_m: float = 0.3
    noise_m: float = 0.01
    sectors: int = 12
    position: tuple[float, float, float] = (0.0, 0.0, 0.85)

    def T_body_lidar(self) -> np.ndarray:
        """(4, 4), the LiDAR's frame (x forward, y left, z up) in the body frame."""
        return place(*self.position)


@dataclass(frozen=True)
class ScanSetup:
    """A 2-D laser scanner, level."""

    angle_min_deg: float = -135.0
    angle_max_deg: float = 135.0
    count: int = 541
    rate_hz: float = 10.0
    range_min_m: float = 0.1
    range_max_m: float = 25.0
    noise_m: float = 0.01
    position: tuple[float, float, float] = (0.1, 0.0, 0.25)

    def T_body_scan(self) -> np.ndarray:
        """(4, 4), the scanner's frame (x forward, y left, z up) in the body frame."""
        return place(*self.position)


@dataclass(frozen=True)
class OdometrySetup:
    """Wheel odometry. `noise`: relative standard deviation of the measured speeds; 0 is the truth."""

    rate_hz: float = 50.0
    noise: float = 0.01


@dataclass(frozen=True)
class SimConfig:
    """A drive: the world's seed and kind, how long, how fast, with which sensors (None switches one off)."""

    seed: int = 0
    kind: str | None = None
    duration_s: float = 8.0
    speed_mps: float = 0.7
    start_ns: int = 1_000_000_000
    camera: CameraSetup | None = field(default_factory=CameraSetup)
    lidar: LidarSetup | None = field(default_factory=LidarSetup)
    scan: ScanSetup | None = field(default_factory=ScanSetup)
    odometry: OdometrySetup | None = field(default_factory=OdometrySetup)
    oversample: float = 1.5
    shadow_map: int = 2048
