"""Of what the sensors said, that which belongs to an image: both doors, live node and bag runner, choose here."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depth_perception import messages
from depth_perception.camera import CameraModel
from depth_perception.config import DepthConfig
from depth_perception.errors import CalibrationError, DepthPerceptionError, MeasurementError
from depth_perception.gravity import GravityFilter
from depth_perception.measured_sweeps import SweepSource
from depth_perception.mountings import Lookup, Mountings
from depth_perception.odometry import Odometry
from depth_perception.records import DepthFrame, Frame, Measurement, StereoPair
from depth_perception.stamp_buffer import StampBuffer

IMAGES_KEPT = 16  # of each eye
IMU_KEPT = 400  # samples between two images
STOPPED_S = 0.5  # an eye whose newest image is so much older has stopped
SWEEP_TOPICS = {"lidar/points": "lidar", "lidar/scan": "scan"}  # topic → `PointSweep.source`


@dataclass(frozen=True)
class Selection:
    """What belongs to one image."""

    measurements: tuple[Measurement, ...] = ()
    warnings: tuple[str, ...] = ()  # why a sensor in use isn't among them
    tilt: tuple[float, float] | None = None  # (pitch, roll) of the camera, rad, as gravity has it

    def configured(self, config: DepthConfig) -> DepthConfig:
        """The configuration with the camera's tilt as measured."""
        if self.tilt is None:
            return config
        return replace(config, scan=replace(config.scan, camera_pitch=self.tilt[0], camera_roll=self.tilt[1]))

    def noted(self, frame: DepthFrame) -> DepthFrame:
        """The frame with our warnings in its quality, and in its reason if it has no metres."""
        if not self.warnings:
            return frame
        quality = frame.quality
        reason = "; ".join([quality.reason, *self.warnings]) if quality.reason else ""
        return replace(frame, quality=replace(quality, reason=reason, warnings=(*self.warnings, *quality.warnings)))


NOTHING = Selection()


class MeasurementWindow:
    """Holds the newest few messages of every sensor in use, and chooses those nearest in time to an image.

    An image may come before its cloud (a LiDAR's turn takes 0.1 s to measure and send). The live node doesn't wait: it
    takes the nearest of what is there once the network is done with the image. The bag runner holds images back until
    `reaches` says that nothing better will come.

    One thread calls `add`, another may call `select`. Clouds are decoded when an image needs them, once.
    """

    def __init__(self, config: DepthConfig, lookup: Lookup, eyes: tuple[str, str] = ("", "")) -> None:
        """`lookup(target, source)` gives T_target_source (4, 4) or raises CalibrationError.

        `eyes` are the topics of the left and the right image: their names say whether they are rectified
        (`wants_rectification`).
        """
        self._mountings = Mountings(lookup)
        self._topics = topics_in_use(config)
        self._sweeps = {t: SweepSource(source, t) for t, source in SWEEP_TOPICS.items() if t in self._topics}
        self._odometry = Odometry() if config.odometry.enabled else None
        self._eyes: dict[str, StampBuffer[Any]] = {
            topic: StampBuffer(IMAGES_KEPT) for topic in ("left/image", "right/image") if topic in self._topics
        }
        self._eye_topics = eyes
        self._cameras: dict[str, CameraModel | str] = {}  # by topic; why there is none
        self._imu: StampBuffer[Any] = StampBuffer(IMU_KEPT)
        self._gravity, self._gravity_ns = GravityFilter(), 0

    # ---------------------------------------------------------------------------------------------- arrival

    def add(self, topic: str, message: Any) -> None:
        """File a message of one of `topics_in_use`."""
        if topic.endswith("camera_info"):
            self._add_camera(topic, message)
            return
        stamp_ns = messages.stamp_ns(message.header)
        if topic in self._sweeps:
            self._sweeps[topic].add(stamp_ns, message)
        elif topic in self._eyes:
            self._eyes[topic].add(stamp_ns, message)
        elif topic == "imu":
            self._imu.add(stamp_ns, message)
        elif self._odometry is not None:
            self._odometry.add(message)

    def _add_camera(self, topic: str, message: Any) -> None:
        try:
            self._cameras[topic] = messages.decode_camera_info(message)
        except DepthPerceptionError as error:
            self._cameras[topic] = str(error)

    def reaches(self, stamp_ns: int, config: DepthConfig) -> bool:
        """True once every sensor has gone past this time, so that what is nearest to it is known."""
        newest = [sweeps.newest_ns(config) for sweeps in self._sweeps.values()]
        newest += [eye.newest_ns() for eye in self._eyes.values()]
        newest += [self._odometry.newest_ns] if self._odometry is not None else []
        return all(ns is not None and ns >= stamp_ns for ns in newest)

    # ---------------------------------------------------------------------------------------------- choice

    def select(self, frame: Frame, config: DepthConfig) -> Selection:
        """What belongs to the image; whatever is wrong with a sensor becomes a warning with numbers and remedy."""
        if not self._topics:
            return NOTHING
        found: list[Measurement] = []
        warnings: list[str] = []
        choices: dict[str, Callable[[], Measurement]] = {
            sweeps.source: functools.partial(sweeps.select, frame, config, self._mountings, self._odometry)
            for sweeps in self._sweeps.values()
        }
        if self._eyes:
            choices["stereo"] = lambda: self._pair(frame, config)
        for source, choose in choices.items():
            try:
                found.append(choose())
            except DepthPerceptionError as error:
                warnings.append(f"{source}: {error}")
        warnings += self._odometry_warnings(frame, config)
        tilt = self._tilt(frame, config, warnings) if "imu" in self._topics else None
        return Selection(tuple(found), tuple(warnings), tilt)

    def _odometry_warnings(self, frame: Frame, config: DepthConfig) -> list[str]:
        if self._odometry is None:
            return []
        try:
            self._odometry.check()
            text, body = config.odometry.T_cam_base, self._odometry.body_frame
            self._mountings.required("odometry.T_cam_base", text, frame.frame_id, body)
        except DepthPerceptionError as error:
            return [f"odom: {error}"]
        return []

    def _pair(self, frame: Frame, config: DepthConfig) -> StereoPair:
        """Raises MeasurementError: an eye or its calibration is missing. CalibrationError: a transform is."""
        separate, within = config.stereo.separate_left, config.stereo.tolerance_s
        left, left_camera, left_frame, stamp_ns = frame.image, frame.camera, frame.frame_id, frame.stamp_ns
        T_camera_left = None
        if separate:
            left, left_camera, left_frame, stamp_ns = self._eye("left", frame.stamp_ns, within)
            T_camera_left = self._mountings.required(
                "stereo.T_cam_left", config.stereo.T_cam_left, frame.frame_id, left_frame
            )
        right, right_camera, right_frame, _ = self._eye("right", stamp_ns, within)
        if left_camera is None:
            raise MeasurementError("no camera_info of the left eye yet: is it published?")
        T_left_right = self._mountings.known("stereo.T_left_right", config.stereo.T_left_right, left_frame, right_frame)
        return StereoPair(
            left, right, left_camera, right_camera, stamp_ns, self._rectified(config), T_left_right, T_camera_left
        )

    def _eye(self, side: str, stamp_ns: int, within_s: float) -> tuple[NDArray[np.uint8], CameraModel, str, int]:
        """Image, camera, frame and stamp of one eye."""
        topic = f"{side}/image"
        nearest = self._eyes[topic].nearest(stamp_ns)
        if nearest is None:
            raise MeasurementError(f"no {side} image yet: is {topic} remapped right?")
        away_s = (nearest[0] - stamp_ns) * 1e-9
        if abs(away_s) > within_s:
            remedy = "does it still run?" if away_s < -STOPPED_S else "trigger the cameras together, or raise it"
            raise MeasurementError(
                f"the nearest {side} image was taken {abs(away_s):.3f} s {'before' if away_s < 0 else 'after'} the "
                f"other one, more than stereo.tolerance_s = {within_s!r}: {remedy}"
            )
        camera = self._cameras.get(f"{side}/camera_info", f"no {side}/camera_info yet: is it remapped right?")
        if isinstance(camera, str):
            raise MeasurementError(camera)
        message = nearest[1]
        return messages.decode_rgb(message), camera, str(message.header.frame_id), nearest[0]

    def _rectified(self, config: DepthConfig) -> bool:
        from depth_perception.pipeline import wants_rectification

        return not any(wants_rectification(config.rectify, topic) for topic in self._eye_topics)

    def _tilt(self, frame: Frame, config: DepthConfig, warnings: list[str]) -> tuple[float, float] | None:
        """Tell the filter what the IMU said since the last image."""
        newest = self._imu.newest_ns()
        if newest is None:
            warnings.append("imu: no message yet: is imu remapped right?")
            return None
        start_ns = self._gravity_ns + 1 if newest >= self._gravity_ns else 0  # stamps that jumped back
        for stamp_ns, message in self._imu.between(start_ns, newest):
            try:
                T_cam_imu = self._mountings.required(
                    "imu.T_cam_imu", config.imu.T_cam_imu, frame.frame_id, str(message.header.frame_id)
                )
            except CalibrationError as error:
                warnings.append(f"imu: {error}")
                return None
            a = message.linear_acceleration
            self._gravity.add(T_cam_imu[:3, :3] @ np.array([a.x, a.y, a.z]), stamp_ns)
        self._gravity_ns = newest
        if self._gravity.tilt is None:
            warnings.append("imu: no sample looks like gravity, 9.81 m/s²: is linear_acceleration in m/s², unfiltered?")
        return self._gravity.tilt


def topics_in_use(config: DepthConfig) -> tuple[str, ...]:
    """The relative topics of the sensors that are switched on."""
    eyes = ["right/image", "right/camera_info"]
    if config.stereo.separate_left:
        eyes += ["left/image", "left/camera_info"]
    return (
        *(["lidar/points"] if config.lidar.enabled else []),
        *(["lidar/scan"] if config.laser.enabled else []),
        *(eyes if config.stereo.enabled else []),
        *(["odom"] if config.odometry.enabled else []),
        *(["imu"] if config.imu.enabled else []),
    )
