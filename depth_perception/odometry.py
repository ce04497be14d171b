"""Odometry messages → where the robot's body was, and which frame that body is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from depth_perception import messages
from depth_perception.anchors.deskew import Motion, OdometryTrack
from depth_perception.errors import CalibrationError, MeasurementError
from depth_perception.extrinsics import Float64, transform_from_message


class Odometry:
    """The newest poses of `nav_msgs/Odometry`; one thread may add while another asks.

    Convention: the pose is that of `child_frame_id` in `header.frame_id` (nav_msgs/Odometry.msg), T_odom_body.
    """

    def __init__(self) -> None:
        self._track = OdometryTrack()
        self.newest_ns: int | None = None
        self.body_frame = ""  # child_frame_id of the newest message
        self._problem = "no message yet: is odom remapped right?"

    def add(self, message: Any) -> None:
        """Take a message; one whose pose isn't a rigid motion is left out, and `check` says so."""
        pose, stamp_ns = message.pose.pose, messages.stamp_ns(message.header)
        try:
            T = transform_from_message(SimpleNamespace(translation=pose.position, rotation=pose.orientation))
        except CalibrationError as error:
            self._problem = str(error)
            return
        self._track.add(stamp_ns, T)
        self.newest_ns, self.body_frame, self._problem = stamp_ns, str(message.child_frame_id), ""

    def check(self) -> None:
        """Raises MeasurementError: no usable message."""
        if self._problem:
            raise MeasurementError(self._problem)

    def motion(self, T_body_sensor: Float64, at_ns: int) -> Motion:
        """What brings a sensor's points to one moment."""
        return Motion(self._track, T_body_sensor, at_ns)
