"""A bag as a source of frames: what belongs to an image, by header stamps."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from depth_perception import messages
from depth_perception.anchors.deskew import OdometryTrack
from depth_perception.anchors.sweep import SensorPoints, cloud_points
from depth_perception.bags import Bag, RawMessage, open_bag
from depth_perception.bags.camera_topics import COMPRESSED
from depth_perception.bags.files import storage_files
from depth_perception.camera import CameraModel
from depth_perception.config import WatchConfig
from depth_perception.errors import CalibrationError, MessageError
from depth_perception.extrinsics import transform_from_message
from depth_perception.messages.image import encoding_of
from depth_perception.pairing import CameraInfoPairing
from depth_perception.records import Float32, Image
from depth_perception.stamp_buffer import StampBuffer
from depth_perception.watch import RESET_NS, ImageWatch
from training.dataset_folder import Rejected
from training.preparation.bag_rig import find_rig
from training.preparation.bag_topics import RigTopics, find_topics
from training.preparation.moments import pose_at, turn_at
from training.preparation.options import DatasetOptions
from training.preparation.source_frame import Item, Rig, SourceFrame

_MOST_HELD = 32  # images, serialised
_KEPT = 8  # turns, right images
_PATIENCE_NS = 500_000_000  # how long an image waits, in log time, for sensors that have fallen silent
_GREY = ("mono8", "8uc1")
_REMEDY = {"lidar": ": if its clock differs from the camera's, say --lidar-offset-s"}


class _Image(NamedTuple):
    """An image that waits for its measurements."""

    number: int
    stamp_ns: int
    raw: RawMessage


@dataclass
class _Cloud:
    """A turn that is decoded once, although it may serve several images."""

    raw: RawMessage
    points: SensorPoints | None = None


class BagSource:
    """Frames of a recording. Holds no more than a few messages, however long the recording is."""

    def __init__(self, path: Path, options: DatasetOptions) -> None:
        """Raises BagError, CalibrationError, ConfigError: there is no usable camera in it."""
        self._options = options
        self._bag = open_bag(path)
        try:
            self._topics = find_topics(self._bag, options)
            self.notes = list(self._topics.notes)
            self.rig = find_rig(self._bag, self._topics, options, self.notes)
            if self._topics.depth_image and not self.rig.rectified and self.rig.left.is_distorted:
                self.notes.append(
                    "the depth image is left out: it shows the lens's distortion, which isn't undone in depth"
                )
                self._topics = replace(self._topics, depth_image=None)
        except BaseException:
            self._bag.close()
            raise
        files, _ = storage_files(path)
        self.root = path if path.is_dir() else path.parent
        self.inputs = [*files, *([path / "metadata.yaml"] if (path / "metadata.yaml").is_file() else [])]
        self.total = self._bag.topics[self._topics.image].count
        self._damaged: dict[str, int] = {}
        self._origin: dict[str, str | int] = {"file": path.name, "topic": self._topics.image}

    @property
    def problems(self) -> list[str]:
        """Damage met; complete once an iteration has come to its end."""
        return [*self._bag.problems, *(f"{count} × {text}" for text, count in self._damaged.items())]

    def close(self) -> None:
        """Remove what had to be decompressed to be read."""
        self._bag.close()

    def __iter__(self) -> Iterator[Item]:
        return _Reading(self._bag, self._topics, self.rig, self._options, self._origin, self._damaged).run()


class _Reading:
    """One pass over the bag."""

    def __init__(
        self, bag: Bag, topics: RigTopics, rig: Rig, options: DatasetOptions, origin: dict[str, str | int],
        damaged: dict[str, int],
    ) -> None:  # fmt: skip
        self.bag, self.topics, self.rig, self.options = bag, topics, rig, options
        self.origin, self.damaged = origin, damaged
        self.lidar: StampBuffer[_Cloud] = StampBuffer(_KEPT)
        self.right: StampBuffer[RawMessage] = StampBuffer(_KEPT)
        self.depth: StampBuffer[RawMessage] = StampBuffer(_KEPT)
        self.track = OdometryTrack() if topics.odom else None
        self.newest_odom_ns: int | None = None
        self.poses = 0
        self.lidar_offset_ns = round(options.lidar_offset_s * 1e9)
        self.odom_offset_ns = round(options.odom_offset_s * 1e9)
        self.held: deque[tuple[_Image, CameraModel | Exception | None]] = deque()
        self.watch = ImageWatch()
        self.last_ns: int | None = None
        self.number = 0

    def run(self) -> Iterator[Item]:
        topics = self.topics
        pairing: CameraInfoPairing[_Image, CameraModel | Exception] = CameraInfoPairing(
            self.rig.left, patience=4 if topics.camera_info else 0
        )
        for raw in self.bag.raw(topics.all):
            topic = raw.channel.topic
            if topic == topics.image:
                stamp_ns = self._stamp(raw)
                if stamp_ns is None:
                    yield Rejected(raw.log_time_ns, "damaged image message", "its header can't be decoded")
                else:
                    self._hold(pairing.add_image(stamp_ns, _Image(self.number, stamp_ns, raw)))
                self.number += 1
            elif topic == topics.camera_info:
                self._hold(pairing.add_info(*self._info(raw)))
            else:
                self._file(topic, raw)
            yield from self._settled(raw.log_time_ns)
        self._hold(pairing.flush())
        yield from self._settled(None)

    # ---------------------------------------------------------------------------------------------- arrival

    def _stamp(self, raw: RawMessage) -> int | None:
        try:
            return messages.stamp_ns(self.bag.decode(raw).header)
        except MessageError as error:
            self._damage(error)
            return None

    def _info(self, raw: RawMessage) -> tuple[int, CameraModel | Exception]:
        try:
            message = self.bag.decode(raw)
            stamp_ns = messages.stamp_ns(message.header)
        except MessageError as error:
            return raw.log_time_ns, error
        try:
            return stamp_ns, messages.decode_camera_info(message)
        except (CalibrationError, MessageError) as error:
            return stamp_ns, error

    def _file(self, topic: str, raw: RawMessage) -> None:
        if topic == self.topics.odom:
            self._add_odometry(raw)
            return
        if topic == self.topics.right_info or (stamp_ns := self._stamp(raw)) is None:
            return
        if topic == self.topics.lidar:
            self.lidar.add(stamp_ns + self.lidar_offset_ns, _Cloud(raw))
        elif topic == self.topics.right:
            self.right.add(stamp_ns, raw)
        elif topic == self.topics.depth_image:
            self.depth.add(stamp_ns, raw)

    def _add_odometry(self, raw: RawMessage) -> None:
        assert self.track is not None
        try:
            message = self.bag.decode(raw)
            pose = message.pose.pose
            T = transform_from_message(SimpleNamespace(translation=pose.position, rotation=pose.orientation))
        except (MessageError, CalibrationError) as error:
            self._damage(error)
            return
        self.newest_odom_ns = messages.stamp_ns(message.header) + self.odom_offset_ns
        self.track.add(self.newest_odom_ns, T)
        self.poses += 1

    def _hold(self, pairs: Iterator[tuple[_Image, CameraModel | Exception | None]]) -> None:
        self.held.extend(pairs)

    # ---------------------------------------------------------------------------------------------- departure

    def _settled(self, now_ns: int | None) -> Iterator[Item]:
        """Images for which nothing better can come at log time `now_ns`; None: the recording has ended."""
        while self.held:
            image, camera = self.held[0]
            patient = now_ns is not None and now_ns - image.raw.log_time_ns <= _PATIENCE_NS
            if patient and len(self.held) <= _MOST_HELD and not self._reached(image.stamp_ns):
                return
            self.held.popleft()
            yield self._frame(*image, camera)

    def _reached(self, stamp_ns: int) -> bool:
        topics = self.topics
        newest = [self.lidar.newest_ns()] if topics.lidar else []
        newest += [self.right.newest_ns()] if topics.right else []
        newest += [self.depth.newest_ns()] if topics.depth_image else []
        # One pose alone says nothing of the time around it
        newest += [self.newest_odom_ns if self.poses > 1 else None] if topics.odom else []
        return all(ns is not None and ns >= stamp_ns for ns in newest)

    def _frame(self, number: int, stamp_ns: int, raw: RawMessage, camera: CameraModel | Exception | None) -> Item:
        last_ns, breaks = self.last_ns, False
        if last_ns is not None and stamp_ns <= last_ns:
            if last_ns - stamp_ns < RESET_NS:
                what = "duplicate stamp" if stamp_ns == last_ns else "stamp goes back"
                return Rejected(stamp_ns, what, f"stamp {stamp_ns} after {last_ns}: fix the driver")
            breaks = True
        self.last_ns = stamp_ns
        if isinstance(camera, Exception):
            return Rejected(stamp_ns, "bad camera_info", str(camera))
        try:
            left = self._picture(raw)
        except MessageError as error:
            return Rejected(stamp_ns, "damaged image message", str(error))
        if complaint := self._complaint(left, camera):
            return Rejected(stamp_ns, complaint.split(" (")[0], complaint)
        frame: dict[str, Any] = {"sync_ms": {}, "missing": {}, "depth": {}}
        self._add_right(frame, stamp_ns)
        self._add_turn(frame, stamp_ns)
        self._add_depth(frame, stamp_ns)
        self._add_pose(frame, stamp_ns)
        return SourceFrame(number, stamp_ns, left, breaks=breaks, origin={**self.origin, "number": number}, **frame)

    def _complaint(self, image: Image, camera: CameraModel | None) -> str:
        rig = self.rig.left
        if image.shape[:2] != (rig.height, rig.width):
            size = f"{image.shape[1]}x{image.shape[0]}"
            return f"image size differs ({size}; the sequence began with a calibration for {rig.width}x{rig.height})"
        if camera is not None and camera != rig:
            return f"calibration changed (K is now {camera.K.tolist()!r}; cut the recording there)"
        return self.watch.complaint(image, WatchConfig())

    def _picture(self, raw: RawMessage) -> Image:
        message = self.bag.decode(raw)
        if raw.channel.type == COMPRESSED:
            return messages.decode_compressed(message)
        grey = encoding_of(message) in _GREY
        return messages.decode_image(message) if grey else messages.decode_rgb(message)

    def _add_right(self, frame: dict[str, Any], stamp_ns: int) -> None:
        if self.rig.right is None:
            return
        found = self._nearest(self.right, stamp_ns, self.options.right_tolerance_s, "right", frame)
        if found is None:
            return
        try:
            image = self._picture(found)
        except MessageError as error:
            frame["missing"]["right"] = str(error)
            return
        if image.shape[:2] != (self.rig.right.height, self.rig.right.width):
            frame["missing"]["right"] = f"the right image is {image.shape[1]}x{image.shape[0]}, unlike its calibration"
            return
        frame["right"] = image

    def _add_turn(self, frame: dict[str, Any], stamp_ns: int) -> None:
        if self.topics.lidar is None or self.rig.T_left_lidar is None:
            return
        cloud = self._nearest(self.lidar, stamp_ns, self.options.lidar_tolerance_s, "lidar", frame)
        if cloud is None:
            return
        try:
            if cloud.points is None:
                cloud.points = cloud_points(self.bag.decode(cloud.raw))
        except MessageError as error:
            frame["missing"]["lidar"] = str(error)
            return
        if not np.isfinite(cloud.points.xyz[:, 0]).any():
            frame["missing"]["lidar"] = f"none of {len(cloud.points.xyz)} points is finite"
            return
        turn_ns = stamp_ns + round(frame["sync_ms"]["lidar"] * 1e6)
        T_left_lidar, T_left_body = self.rig.T_left_lidar, self.rig.T_left_body
        frame["turn"] = turn_at(cloud.points, turn_ns, T_left_lidar, T_left_body, self.track, stamp_ns)

    def _add_depth(self, frame: dict[str, Any], stamp_ns: int) -> None:
        if self.topics.depth_image is None:
            return
        raw = self._nearest(self.depth, stamp_ns, self.options.right_tolerance_s, "depth_image", frame)
        if raw is None:
            return
        try:
            frame["depth"]["left"] = _finite(messages.decode_depth(self.bag.decode(raw)), self.rig.left)
        except MessageError as error:
            frame["missing"]["depth_image"] = str(error)

    def _add_pose(self, frame: dict[str, Any], stamp_ns: int) -> None:
        if self.track is None:
            return
        frame["T_odom_body"] = pose_at(self.track, stamp_ns)
        if frame["T_odom_body"] is None:
            frame["missing"]["odometry"] = "odometry doesn't cover the image's time"

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

    def _damage(self, error: Exception) -> None:
        text = str(error)
        self.damaged[text] = self.damaged.get(text, 0) + 1


def _finite(depth: Float32, camera: CameraModel) -> Float32:
    """Measured metres, NaN for all else. Raises MessageError: not of the camera's size."""
    if depth.shape != (camera.height, camera.width):
        raise MessageError(f"depth of {depth.shape!r} isn't registered to images of {(camera.height, camera.width)!r}")
    return np.where(np.isfinite(depth), depth, np.float32(np.nan))
