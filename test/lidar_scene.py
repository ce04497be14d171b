"""A LiDAR and a camera apart from each other in front of surfaces in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from depth_perception.camera import CameraModel
from depth_perception.extrinsics import parse_transform
from depth_perception.records import PointSweep

CAMERA = CameraModel(400, 640, np.array([[420.0, 0, 350.0], [0, 450.0, 170.0], [0, 0, 1]]))
R_OPTICAL_BODY = np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]])


def mounted(x: float, y: float, z: float, roll: float = 0.0, pitch: float = 0.0, yaw: float = 0.0) -> np.ndarray:
    """T_camera_lidar of a level LiDAR and a camera at (x, y, z) m in its frame (x forward), turned by rpy rad."""
    T_lidar_body = parse_transform(f"{x} {y} {z} {roll} {pitch} {yaw}")
    T_body_optical = np.eye(4)
    T_body_optical[:3, :3] = R_OPTICAL_BODY.T
    return np.linalg.inv(T_lidar_body @ T_body_optical)


def directions(beams: int, columns: int, lowest_deg: float = -24.0, highest_deg: float = 4.0) -> tuple:
    """Unit vectors (N, 3) of the front half of a turn, column after column as they are fired, and the beam of each."""
    elevation = np.deg2rad(np.linspace(lowest_deg, highest_deg, beams))
    azimuth = np.deg2rad(np.linspace(-90, 90, columns))
    a, e = (m.ravel() for m in np.meshgrid(azimuth, elevation, indexing="ij"))
    rays = np.column_stack([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)])
    return rays, np.tile(np.arange(beams, dtype=np.int32), columns)


@dataclass(frozen=True)
class Plane:
    """n · p = d in the LiDAR's frame, within |y - y0| <= half_width and low <= z <= high."""

    normal: tuple[float, float, float]
    offset: float
    y0: float = 0.0
    half_width: float = np.inf
    low: float = -np.inf
    high: float = np.inf

    def distance(self, origin: np.ndarray, rays: np.ndarray) -> np.ndarray:
        """Lengths along rays (N, 3) from origin (3,); Inf where they miss."""
        with np.errstate(divide="ignore", invalid="ignore"):
            t = (self.offset - origin @ np.array(self.normal)) / (rays @ np.array(self.normal))
            p = origin + t[:, None] * rays
        hit = (t > 1e-9) & (np.abs(p[:, 1] - self.y0) <= self.half_width) & (p[:, 2] >= self.low)
        return np.where(hit & (p[:, 2] <= self.high), t, np.inf)


def scan(planes: list[Plane], beams: int, columns: int, T_camera_lidar: np.ndarray, **angles: float) -> tuple:
    """A sweep of what the LiDAR hits, which plane each point lies on, and whether a plane hides it from the camera."""
    rays, beam = directions(beams, columns, **angles)
    t = np.array([plane.distance(np.zeros(3), rays) for plane in planes])
    which = t.argmin(axis=0)
    hit = np.isfinite(t.min(axis=0))
    xyz = (t.min(axis=0)[hit, None] * rays[hit]).astype(np.float32)
    eye = np.linalg.inv(T_camera_lidar)[:3, 3]
    sight = xyz - eye
    blocked = np.array([plane.distance(eye, sight) for plane in planes]).min(axis=0) < 1.0 - 1e-3
    return PointSweep("lidar", xyz, beam[hit], 5, T_camera_lidar), which[hit], blocked
