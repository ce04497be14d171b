"""What the sensors of a recording said around an image, found by header stamps."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from depth_perception import messages
from depth_perception.anchors.deskew import OdometryTrack
from depth_perception.anchors.sweep import SensorPoints, cloud_points
from depth_perception.bags import Bag, RawMessage
from depth_perception.bags.camera_topics import COMPRESSED
from depth_perception.camera import CameraModel
from depth_perception.errors import CalibrationError, MessageError
from depth_perception.extrinsics import transform_from_message
from depth_perception.messages.image import encoding_of
from depth_perception.records import Float32, Image
from depth_perception.stamp_buffer import StampBuffer
from depth_perception.watch import RESET_NS
from training.preparation.bag_topics import RigTopics
from training.preparation.moments import pose_at, turn_at
from training.preparation.options import DatasetOptions
from training.preparation.source_frame import Rig

_TURNS_KEPT = 8
_IMAGES_KEPT = 16  # half a second at 30 Hz: as long as an image waits for a sensor that has fallen silent
_POSES_KEPT = 128
_GREY = ("mono8", "8uc1")
_REMEDY = {"lidar": ": if its clock differs from the camera's, say --lidar-offset-s"}


@dataclass
class _Cloud:
    """A turn that is decoded once, although it may serve several images."""

    raw: RawMessage
    points: SensorPoints | None = None


class BagSensors:
    """Keeps the newest few messages of everything but the left camera."""

    def __init__(self, bag: Bag, topics: RigTopics, rig: Rig, options: DatasetOptions, damaged: dict[str, int]) -> None:
        """`damaged` counts complaints about messages that can't be read."""
        self._bag, self._topics, self._rig, self._options, self._damaged = bag, topics, rig, options, damaged
        self._lidar: StampBuffer[_Cloud] = StampBuffer(_TURNS_KEPT)
        self._right: StampBuffer[RawMessage] = StampBuffer(_IMAGES_KEPT)
        self._depth: StampBuffer[RawMessage] = StampBuffer(_IMAGES_KEPT)
        self._truth: StampBuffer[RawMessage] = StampBuffer(_IMAGES_KEPT)
        self._odom: StampBuffer[None] = StampBuffer(_POSES_KEPT)
        self._track = OdometryTrack() if topics.odom else None
        self._poses = 0
        self._last_ns: dict[str, int] = {}  # topic → its newest message's stamp
        self._lidar_offset_ns = round(options.lidar_offset_s * 1e9)
        self._odom_offset_ns = round(options.odom_offset_s * 1e9)

    # ---------------------------------------------------------------------------------------------- arrival

    def add(self, raw: RawMessage) -> None:
        """File a message of one of the rig's topics."""
        topic, topics = raw.channel.topic, self._topics
        if topic == topics.odom:
            self._add_odometry(raw)
            return
        if topic == topics.right_info or (stamp_ns := self.stamp(raw)) is None:
            return
        self._check_order(topic, stamp_ns)
        if topic == topics.lidar:
            self._lidar.add(stamp_ns + self._lidar_offset_ns, _Cloud(raw))
        elif topic == topics.right:
            self._right.add(stamp_ns, raw)
        elif topic == topics.depth_image:
            self._depth.add(stamp_ns, raw)
        elif topic == topics.truth_image:
            self._truth.add(stamp_ns, raw)

    def _add_odometry(self, raw: RawMessage) -> None:
        assert self._track is not None
        try:
            message = self._bag.decode(raw)
            pose = message.pose.pose
            T = transform_from_message(SimpleNamespace(translation=pose.position, rotation=pose.orientation))
        except (MessageError, CalibrationError) as error:
            self._complain(error)
            return
        stamp_ns = messages.stamp_ns(message.header) + self._odom_offset_ns
        self._check_order(raw.channel.topic, stamp_ns)
        self._odom.add(stamp_ns, None)
        self._track.add(stamp_ns, T)
        self._poses += 1

    def stamp(self, raw: RawMessage) -> int | None:
        """When it was measured; None, and a complaint, if it can't be read."""
        try:
            return messages.stamp_ns(self._bag.decode(raw).header)
        except MessageError as error:
            self._complain(error)
            return None

    def picture(self, raw: RawMessage) -> Image:
        """(H, W, 3) RGB, or (H, W) of a grey camera. Raises MessageError."""
        message = self._bag.decode(raw)
        if raw.channel.type == COMPRESSED:
            return messages.decode_compressed(message)
        grey = encoding_of(message) in _GREY
        return messages.decode_image(message) if grey else messages.decode_rgb(message)

    def _check_order(self, topic: str, stamp_ns: int) -> None:
        last_ns, self._last_ns[topic] = self._last_ns.get(topic), stamp_ns
        if last_ns is not None and last_ns - RESET_NS < stamp_ns <= last_ns:
            self._complain(f"a stamp on {topic} isn't later than the one before")

    def _complain(self, error: Exception | str) -> None:
        text = str(error)
        self._damaged[text] = self._damaged.get(text, 0) + 1

    # ---------------------------------------------------------------------------------------------- choice

    def reach(self, stamp_ns: int) -> bool:
        """True once every sensor has gone past this time, so that what is nearest to it is known.

        A message that the middleware had to send again may come after later ones: while nothing near enough has come,
        a sensor isn't past.
        """
        topics, options = self._topics, self._options
        # One pose alone says nothing of the time around it
        odom_ns = self._odom.newest_ns() if self._poses > 1 else None
        return (
            (topics.lidar is None or _past(self._lidar, stamp_ns, options.lidar_tolerance_s))
            and (topics.right is None or _past(self._right, stamp_ns, options.right_tolerance_s))
            and (topics.depth_image is None or _past(self._depth, stamp_ns, options.right_tolerance_s))
            and (topics.truth_image is None or _past(self._truth, stamp_ns, 0.0))
            and (topics.odom is None or (odom_ns is not None and odom_ns >= stamp_ns))
        )

    def around(self, stamp_ns: int) -> dict[str, Any]:
        """The fields of a `SourceFrame` that sensors fill, for an image of this stamp."""
        frame: dict[str, Any] = {"sync_ms": {}, "missing": {}, "depth": {}, "truth": {}}
        self._fill_right(frame, stamp_ns)
        self._fill_turn(frame, stamp_ns)
        topics, within_s = self._topics, self._options.right_tolerance_s
        self._fill_depth(topics.depth_image, self._depth, stamp_ns, within_s, "depth", frame)
        # Of another time, exact depth isn't exact
        self._fill_depth(topics.truth_image, self._truth, stamp_ns, 0.0, "truth", frame)
        frame["sync_ms"].pop("truth_image", None)  # 0
        self._fill_pose(frame, stamp_ns)
        return frame

    def _fill_right(self, frame: dict[str, Any], stamp_ns: int) -> None:
        camera = self._rig.right
        if camera is None:
            return
        raw = self._nearest(self._right, stamp_ns, self._options.right_tolerance_s, "right", frame)
        if raw is None:
            return
        try:
            image = self.picture(raw)
        except MessageError as error:
            frame["missing"]["right"] = str(error)
            return
        if image.shape[:2] != (camera.height, camera.width):
            frame["missing"]["right"] = f"the right image is {image.shape[1]}x{image.shape[0]}, unlike its calibration"
            return
        frame["right"] = image

    def _fill_turn(self, frame: dict[str, Any], stamp_ns: int) -> None:
        T_left_lidar, T_left_body = self._rig.T_left_lidar, self._rig.T_left_body
        if self._topics.lidar is None or T_left_lidar is None:
            return
        cloud = self._nearest(self._lidar, stamp_ns, self._options.lidar_tolerance_s, "lidar", frame)
        if cloud is None:
            return
        try:
            if cloud.points is None:
                cloud.points = cloud_points(self._bag.decode(cloud.raw))
        except MessageError as error:
            frame["missing"]["lidar"] = str(error)
            return
        if not np.isfinite(cloud.points.xyz[:, 0]).any():
            frame["missing"]["lidar"] = f"none of {len(cloud.points.xyz)} points is finite"
            return
        turn_ns = stamp_ns + round(frame["sync_ms"]["lidar"] * 1e6)
        frame["turn"] = turn_at(cloud.points, turn_ns, T_left_lidar, T_left_body, self._track, stamp_ns)

    def _fill_depth(
        self, topic: str | None, buffer: StampBuffer[RawMessage], stamp_ns: int, within_s: float, name: str,
        frame: dict[str, Any],
    ) -> None:  # fmt: skip
        """The depth image nearest in time as `frame[name]["left"]`."""
        if topic is None:
            return
        raw = self._nearest(buffer, stamp_ns, within_s, f"{name}_image", frame)
        if raw is None:
            return
        try:
            frame[name]["left"] = _finite(messages.decode_depth(self._bag.decode(raw)), self._rig.left)
        except MessageError as error:
            frame["missing"][f"{name}_image"] = str(error)

    def _fill_pose(self, frame: dict[str, Any], stamp_ns: int) -> None:
        if self._track is None:
            return
        frame["T_odom_body"] = pose_at(self._track, stamp_ns)
        nearest = self._odom.nearest(stamp_ns)
        if frame["T_odom_body"] is None or nearest is None:
            frame["missing"]["odometry"] = "odometry doesn't cover the image's time"
            return
        frame["sync_ms"]["odometry"] = (nearest[0] - stamp_ns) * 1e-6

    def _nearest(
        self, buffer: StampBuffer[Any], stamp_ns: int, within_s: float, name: str, frame: dict[str, Any]
    ) -> Any:
        """The item nearest in time, or None and why in `frame`."""
        nearest = buffer.nearest(stamp_ns)
        if nearest is None:
            frame["missing"][name] = "none was recorded before or around this image"
            return None
        away_s = (nearest[0] - stamp_ns) * 1e-9
        if abs(away_s) > within_s:
            side, remedy = "after" if away_s > 0 else "before", _REMEDY.get(name, "")
            frame["missing"][name] = (
                f"the nearest was measured {abs(away_s):.3f} s {side} the image, more than {within_s!r} s{remedy}"
            )
            return None
        frame["sync_ms"][name] = (nearest[0] - stamp_ns) * 1e-6
        return nearest[1]


def _past(buffer: StampBuffer[Any], stamp_ns: int, within_s: float) -> bool:
    newest_ns, nearest = buffer.newest_ns(), buffer.nearest(stamp_ns)
    if newest_ns is None or nearest is None or newest_ns < stamp_ns:
        return False
    return abs(nearest[0] - stamp_ns) <= within_s * 1e9


def _finite(depth: Float32, camera: CameraModel) -> Float32:
    """Measured metres, NaN for all else. Raises MessageError: not of the camera's size."""
    if depth.shape != (camera.height, camera.width):
        raise MessageError(f"depth of {depth.shape!r} isn't registered to images of {(camera.height, camera.width)!r}")
    return np.where(np.isfinite(depth), depth, np.float32(np.nan))
