"""The sensors of a recording that measure the scale: their topics, and what they said around an image."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace

from depth_perception.bags import Bag, RawMessage
from depth_perception.config import DepthConfig
from depth_perception.errors import BagError, MessageError
from depth_perception.measurements import Lookup, MeasurementWindow

log = logging.getLogger(__name__)
KINDS = {
    "lidar/points": "sensor_msgs/msg/PointCloud2",
    "lidar/scan": "sensor_msgs/msg/LaserScan",
    "left/image": "sensor_msgs/msg/Image",
    "left/camera_info": "sensor_msgs/msg/CameraInfo",
    "right/image": "sensor_msgs/msg/Image",
    "right/camera_info": "sensor_msgs/msg/CameraInfo",
    "odom": "nav_msgs/msg/Odometry",
    "imu": "sensor_msgs/msg/Imu",
}
LATENESS_NS = 250_000_000  # of a message in the log, on top of its age: a LiDAR's turn is logged after its end


def image_topics(wanted: Mapping[str, str]) -> list[str]:
    """The recording's topics that are wanted as eyes of a stereo pair."""
    return [topic for name, topic in wanted.items() if name.endswith("/image")]


def find_sensors(bag: Bag, wanted: Mapping[str, str], image: str) -> dict[str, str]:
    """The node's topic (`lidar/points`) → the recording's, of what is wanted, calibrations of the eyes added.

    A left eye that is the depth camera itself (`image`) isn't read twice.

    Raises:
        BagError: a topic isn't there or is of another type, or one image is both eyes.
    """
    if (right := wanted.get("right/image")) is not None and right == wanted.get("left/image", image):
        raise BagError(f"{right!r} can't be both eyes of a stereo pair: give the right camera's image as the right one")
    found = {name: topic for name, topic in wanted.items() if (name, topic) != ("left/image", image)}
    for eye in ("left", "right"):
        if f"{eye}/image" in found:
            neighbour = found[f"{eye}/image"].rpartition("/")[0] + "/camera_info"
            found.setdefault(f"{eye}/camera_info", neighbour)
    for name, topic in found.items():
        kind = bag.topics[topic].type if topic in bag.topics else "nothing"
        if kind != KINDS[name]:
            of_kind = sorted(other for other, item in bag.topics.items() if item.type == KINDS[name])
            raise BagError(f"{topic!r} is {kind} in {str(bag.path)!r}; as {name} it must be one of {of_kind!r}")
    return found


def with_sensors(config: DepthConfig, found: Mapping[str, str]) -> DepthConfig:
    """The configuration in which exactly the sensors that were found are in use."""
    return replace(
        config,
        lidar=replace(config.lidar, enabled="lidar/points" in found),
        laser=replace(config.laser, enabled="lidar/scan" in found),
        stereo=replace(config.stereo, enabled="right/image" in found, separate_left="left/image" in found),
        odometry=replace(config.odometry, enabled="odom" in found),
        imu=replace(config.imu, enabled="imu" in found),
    )


class RecordedSensors:
    """Files what a recording's sensors say, and knows when enough has been read to choose for an image."""

    def __init__(
        self, bag: Bag, found: Mapping[str, str], config: DepthConfig, lookup: Lookup, image_topic: str
    ) -> None:
        self._bag, self._config = bag, config
        self._names = {topic: name for name, topic in found.items()}
        eyes = found.get("left/image", image_topic), found.get("right/image", "")
        self.window = MeasurementWindow(config, lookup, eyes)
        ages = [group.max_age_s for group in (config.lidar, config.laser) if group.enabled]
        self._patience_ns = round(max(ages, default=0.0) * 1e9) + LATENESS_NS
        self.damaged = 0  # messages that couldn't be read
        for topic, name in self._names.items():
            if name.endswith("camera_info") and (first := next(bag.raw([topic]), None)) is not None:
                self.add(first)  # the log may hold an eye's image before its calibration

    @property
    def topics(self) -> set[str]:
        """Of the recording."""
        return set(self._names)

    def add(self, raw: RawMessage) -> None:
        """File a message."""
        try:
            self.window.add(self._names[raw.channel.topic], self._bag.decode(raw))
        except MessageError as error:
            log.warning("%s", error)
            self.damaged += 1

    def settled(self, stamp_ns: int, waiting_ns: int) -> bool:
        """True once nothing better can come for an image of this stamp, which has waited for so long in log time."""
        return waiting_ns > self._patience_ns or self.window.reaches(stamp_ns, self._config)
