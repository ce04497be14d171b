"""One LiDAR or laser scanner: the sweep nearest in time to an image, decoded once and carried to the image's time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from depth_perception import messages
from depth_perception.anchors.deskew import Motion, moved
from depth_perception.anchors.sweep import cloud_sweep, scan_sweep
from depth_perception.config import DepthConfig
from depth_perception.errors import CalibrationError, MeasurementError
from depth_perception.extrinsics import Float64, inverse
from depth_perception.mountings import Mountings
from depth_perception.odometry import Odometry
from depth_perception.records import Frame, PointSweep
from depth_perception.stamp_buffer import StampBuffer

KEPT = 8  # messages


@dataclass(frozen=True)
class Settings:
    """What the parameters say about one sensor."""

    group: str
    mounting: str  # the parameter's name
    T_cam_sensor: str
    offset_ns: int
    max_age_s: float
    deskew: bool


def settings(source: str, config: DepthConfig) -> Settings:
    """Of "lidar" or "scan"."""
    if source == "lidar":
        lidar = config.lidar
        return Settings(
            "lidar", "lidar.T_cam_lidar", lidar.T_cam_lidar, round(lidar.clock_offset_s * 1e9), lidar.max_age_s,
            lidar.deskew,
        )  # fmt: skip
    laser = config.laser
    return Settings(
        "laser", "laser.T_cam_laser", laser.T_cam_laser, round(laser.clock_offset_s * 1e9), laser.max_age_s, True
    )


@dataclass
class _Kept:
    """A message, and the sweep that it became: it serves several images of a camera that is faster than the sensor."""

    message: Any
    sweep: PointSweep | None = None  # None: no image has needed it yet
    made_with: tuple[object, ...] = ()


class SweepSource:
    """Keeps the newest few messages of one sensor and gives each image the one nearest to it in time."""

    def __init__(self, source: str, topic: str) -> None:
        self.source, self.topic = source, topic
        self._kept: StampBuffer[_Kept] = StampBuffer(KEPT)
        self._mounted = ("", "")  # the parameter's text, and the frame for which it was used first

    def add(self, stamp_ns: int, message: Any) -> None:
        """Keep a message."""
        self._kept.add(stamp_ns, _Kept(message))

    def newest_ns(self, config: DepthConfig) -> int | None:
        """The latest stamp, on the camera's clock."""
        newest = self._kept.newest_ns()
        return None if newest is None else newest + settings(self.source, config).offset_ns

    def select(self, frame: Frame, config: DepthConfig, mountings: Mountings, odometry: Odometry | None) -> PointSweep:
        """The sweep for an image. With odometry its points are deskewed, and its transform is that of the image's time.

        Raises:
            MeasurementError: none within the maximum age, or one without a point.
            MessageError: it can't be decoded.
            CalibrationError, ConfigError: nobody knows where the sensor sits, or the parameter that says so was used
                for another frame before.
        """
        its = settings(self.source, config)
        nearest = self._kept.nearest(frame.stamp_ns - its.offset_ns)
        if nearest is None:
            raise MeasurementError(f"no message yet: is {self.topic} remapped right?")
        stamp_ns, kept = nearest[0] + its.offset_ns, nearest[1]
        _check_age((stamp_ns - frame.stamp_ns) * 1e-9, its)
        sensor = str(kept.message.header.frame_id)
        self._check_frame(its, sensor)
        T_cam_sensor = mountings.required(its.mounting, its.T_cam_sensor, frame.frame_id, sensor)
        if odometry is None:
            return self._sweep(kept, stamp_ns, T_cam_sensor, None)
        T_cam_base = mountings.known(
            "odometry.T_cam_base", config.odometry.T_cam_base, frame.frame_id, odometry.body_frame
        )
        if T_cam_base is None:  # `MeasurementWindow` warns about it, once for all sensors
            return self._sweep(kept, stamp_ns, T_cam_sensor, None)
        T_base_sensor = inverse(T_cam_base) @ T_cam_sensor
        deskewing = odometry.motion(T_base_sensor, stamp_ns) if its.deskew else None
        sweep = self._sweep(kept, stamp_ns, T_cam_sensor, deskewing)
        carried = moved(sweep, odometry.motion(T_base_sensor, frame.stamp_ns))
        return sweep if carried is None else replace(carried, stamp_ns=sweep.stamp_ns)  # its age stays what it is

    def _check_frame(self, its: Settings, frame: str) -> None:
        """A parameter says where one sensor sits; it must not be used for a second one on the same topic."""
        if self._mounted[0] != its.T_cam_sensor:
            self._mounted = (its.T_cam_sensor, frame)
        if its.T_cam_sensor and frame != self._mounted[1]:
            raise CalibrationError(
                f"the frame is {frame!r} now and was {self._mounted[1]!r}, but {its.mounting} is for one sensor: give "
                f"{self.topic} one sensor only, or leave the parameter empty and let tf say where both sit"
            )

    def _sweep(self, kept: _Kept, stamp_ns: int, T_cam_sensor: Float64, motion: Motion | None) -> PointSweep:
        """Decoded, or as it was decoded for an earlier image."""
        made_with = (stamp_ns, T_cam_sensor.tobytes(), motion is None)
        if kept.sweep is None or kept.made_with != made_with:
            if self.source == "lidar":
                sweep = cloud_sweep(kept.message, T_cam_sensor, stamp_ns, motion)
            else:
                sweep = scan_sweep(messages.decode_scan(kept.message), T_cam_sensor, stamp_ns, motion)
            kept.sweep, kept.made_with = sweep, made_with
        _check_points(kept.sweep)
        return kept.sweep


def _check_age(ahead_s: float, its: Settings) -> None:
    limit = f"{its.group}.max_age_s = {its.max_age_s!r}"
    if ahead_s < -its.max_age_s:
        raise MeasurementError(
            f"the newest measurement is {-ahead_s:.3f} s older than the image, more than {limit}: does the sensor run? "
            f"If its clock differs from the camera's, set {its.group}.clock_offset_s"
        )
    if ahead_s > its.max_age_s:
        raise MeasurementError(
            f"the nearest measurement is dated {ahead_s:.3f} s after the image, more than {limit}: synchronise the "
            f"clocks, or set {its.group}.clock_offset_s"
        )


def _check_points(sweep: PointSweep) -> None:
    if len(sweep.xyz) == 0:
        raise MeasurementError("a sweep of 0 points: is the sensor covered, or its driver filtering too much?")
    if not np.isfinite(sweep.xyz[:, 0]).any():
        raise MeasurementError(
            f"none of the {len(sweep.xyz)} points is finite: is the sensor covered, or nothing in its range?"
        )
