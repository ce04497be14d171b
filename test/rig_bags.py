"""Recordings of a robot that drives at 1 m/s towards a wall: every depth is known in closed form.

The wall is 6 m in front of the left camera at time 0 and fills the view; image i is taken at 0.1 i s. The LiDAR's turn
i is stamped `LIDAR_LATE_NS` later, and its points are measured one by one during the 0.1 s that follow.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from bags import recordings as rec
from bags.recordings import JAZZY, T0
from lidar_scene import mounted

from depth_perception import messages
from depth_perception.bags import StaticTransform
from depth_perception.bags.transforms import tf_static_message
from depth_perception.camera import CameraModel
from depth_perception.extrinsics import parse_transform
from depth_perception.sim.odometry import OdometrySample
from depth_perception.sim.sensor_messages import odometry_message

TYPES = messages.recorded(JAZZY)
STEP_NS = 100_000_000
LIDAR_LATE_NS = 40_000_000
WALL_M, SPEED_MPS = 6.0, 1.0
K = np.array([[80.0, 0, 70.0], [0, 90.0, 45.0], [0, 0, 1]])
LEFT = CameraModel(96, 128, K)
BASELINE_M = 0.2
RIGHT = CameraModel(96, 128, K, P=np.hstack([K, [[-80.0 * BASELINE_M], [0], [0]]]))
T_LEFT_LIDAR = mounted(0.1, -0.2, -0.15, 0.02, 0.1, -0.05)
T_LEFT_BODY = mounted(0.3, 0.1, 0.5)
POINT = np.dtype([("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("ring", "<u2"), ("time", "<f4")])
IMAGE, INFO, CLOUD, ODOM = "/camera/image_rect", "/camera/camera_info", "/lidar/points", "/odom"


@dataclass(frozen=True)
class RigBag:
    """What is recorded."""

    frames: int = 12
    stereo: bool = False
    lidar: bool = True
    odom: bool = True
    point_times: bool = True
    tf: bool = True
    info: bool = True
    beams: int = 16

    def messages(self) -> list[tuple[str, int, Any]]:
        """(topic, log time, message), in order of log time."""
        out: list[tuple[str, int, Any]] = []
        if self.tf:
            out.append(("/tf_static", T0, tf_static_message(self._mounts())))
        for i in range(self.frames):
            stamp = T0 + i * STEP_NS
            out += self.camera(i, stamp)
            if self.lidar:
                turn_ns = stamp + LIDAR_LATE_NS
                out.append((CLOUD, turn_ns + 105_000_000, self.cloud(turn_ns)))
        if self.odom:
            stamps = range(T0 - STEP_NS, T0 + (self.frames + 3) * STEP_NS, STEP_NS // 5)
            out += [(ODOM, stamp + 1_000_000, self.odometry(stamp)) for stamp in stamps]
        return sorted(out, key=lambda item: item[1])

    def camera(self, i: int, stamp: int) -> list[tuple[str, int, Any]]:
        """Image i and its calibration, of both eyes."""
        out = [(IMAGE, stamp + 20_000_000, self.image(i, stamp))]
        if self.info:
            out.append((INFO, stamp + 20_000_000, messages.camera_info_message(TYPES, LEFT, stamp, "left")))
        if self.stereo:
            out = [(topic.replace("/camera/", "/left/"), log, message) for topic, log, message in out]
            right = messages.camera_info_message(TYPES, RIGHT, stamp, "right")
            out += [("/right/image_rect", stamp + 20_000_000, self.image(i, stamp, "right"))]
            out += [("/right/camera_info", stamp + 20_000_000, right)]
        return out

    def image(self, i: int, stamp: int, frame: str = "left") -> Any:
        return messages.image_message(TYPES, picture(i), "rgb8", stamp, frame)

    def cloud(self, turn_ns: int) -> Any:
        """Where the LiDAR's rays meet the wall, each point at its own time."""
        elevation = np.deg2rad(np.linspace(-20, 20, self.beams))
        azimuth = np.deg2rad(np.linspace(60, -60, 150))
        a, e = (m.ravel() for m in np.meshgrid(azimuth, elevation, indexing="ij"))
        rays = np.column_stack([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)])
        times = np.repeat(np.linspace(0, 0.1, 150), self.beams) if self.point_times else np.zeros(len(a))
        gone_m = SPEED_MPS * ((turn_ns - T0) * 1e-9 + times)
        z = rays @ T_LEFT_LIDAR[2, :3]
        distance = (WALL_M - gone_m - T_LEFT_LIDAR[2, 3]) / z
        points = np.zeros(len(a), POINT)
        points["x"], points["y"], points["z"] = (rays * distance[:, None]).T
        points["ring"], points["time"] = np.tile(np.arange(self.beams), 150), times
        points = points[(z > 0.1) & (distance < 30)]
        if not self.point_times:
            points = points[["x", "y", "z", "ring"]]
            points = np.rec.fromarrays([points[n] for n in points.dtype.names], names=list(points.dtype.names))
        return messages.points_message(TYPES, np.asarray(points), turn_ns, "lidar")

    def odometry(self, stamp: int) -> Any:
        """The body drives along the left camera's z."""
        T_odom_left = np.eye(4)
        T_odom_left[2, 3] = SPEED_MPS * (stamp - T0) * 1e-9
        T = parse_transform("5 -3 0 0 0 0.7") @ T_odom_left @ T_LEFT_BODY
        return odometry_message(TYPES, OdometrySample(stamp, T, SPEED_MPS, 0.0))

    def _mounts(self) -> list[StaticTransform]:
        right = np.eye(4)
        right[0, 3] = BASELINE_M
        return [
            StaticTransform("base_link", "left", np.linalg.inv(T_LEFT_BODY)),
            StaticTransform("left", "lidar", T_LEFT_LIDAR),
            StaticTransform("left", "right", right),
        ]

    def write(self, path: Path, **changed: Any) -> Path:
        """As a rosbag2."""
        return rec.rosbag2(path, replace(self, **changed).messages())


def picture(i: int) -> np.ndarray:
    """A texture (96, 128, 3) that is another one in each image."""
    coarse = np.random.default_rng(i).integers(20, 230, (12, 16, 3), np.uint8)
    return np.repeat(np.repeat(coarse, 8, axis=0), 8, axis=1)


def wall_depth(i: int) -> float:
    """Of every pixel of image i."""
    return WALL_M - SPEED_MPS * i * STEP_NS * 1e-9
