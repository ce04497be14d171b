"""The depth node's ears for what measures the scale: a subscription for each topic of the sensors in use."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

from nav_msgs.msg import Odometry
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image, Imu, LaserScan, PointCloud2

from depth_perception.config import DepthConfig
from depth_perception.health import Health
from depth_perception.measurements import MeasurementWindow, topics_in_use
from depth_perception.nodes.matched_subscription import MatchedSubscription
from depth_perception.nodes.transforms import TransformListener

TYPES = {
    "lidar/points": PointCloud2,
    "lidar/scan": LaserScan,
    "left/image": Image,
    "left/camera_info": CameraInfo,
    "right/image": Image,
    "right/camera_info": CameraInfo,
    "odom": Odometry,
    "imu": Imu,
}
DEPTH = 5  # messages that wait for the executor: a burst of odometry must not lose its ends


class Sensors:
    """Fills a `MeasurementWindow` from the executor's thread; a callback only files the message."""

    def __init__(self, node: Node, config: DepthConfig, image_topic: str, health: Health) -> None:
        self._health = health
        self._transforms = TransformListener(node)
        left = node.resolve_topic_name("left/image" if config.stereo.separate_left else image_topic)
        self.window = MeasurementWindow(config, self._transforms.lookup, (left, node.resolve_topic_name("right/image")))
        self._inputs = [
            MatchedSubscription(node, TYPES[name], name, self._take(name), DEPTH, functools.partial(health.note, name))
            for name in topics_in_use(config)
        ]

    def _take(self, topic: str) -> Callable[[Any], None]:
        def take(message: Any) -> None:
            self._health.arrived(topic, time.monotonic())
            self.window.add(topic, message)

        return take

    def refresh(self) -> None:
        """As `MatchedSubscription.refresh`."""
        for subscription in self._inputs:
            subscription.refresh()

    def destroy(self) -> None:
        for subscription in self._inputs:
            subscription.destroy()
        self._transforms.destroy()
