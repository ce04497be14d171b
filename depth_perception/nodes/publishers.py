"""The depth node's topics: each is built only while somebody subscribes to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.lifecycle import LifecycleNode
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CameraInfo, Image, LaserScan, PointCloud2

from depth_perception.config import DepthConfig
from depth_perception.nodes import qos
from depth_perception.outputs import OutputBuilder
from depth_perception.records import DepthFrame

TOPICS = {
    "depth/image": Image,
    "depth/camera_info": CameraInfo,
    "depth/image_mm": Image,
    "depth/std": Image,
    "depth/confidence": Image,
    "depth/quality": DiagnosticArray,
    "depth/anchors": PointCloud2,
    "depth/points": PointCloud2,
    "depth/scan": LaserScan,
    "depth/preview": Image,
}


class DepthPublishers:
    """Lifecycle publishers for every output topic."""

    def __init__(self, node: LifecycleNode, note: Callable[[str, str], None]) -> None:
        """`note(key, text)` takes what diagnostics should say about a topic (QoS mismatches)."""
        self._node = node
        self._build = OutputBuilder()
        self._publishers = {topic: self._create(topic, kind, note) for topic, kind in TOPICS.items()}

    def _create(self, topic: str, kind: type, note: Callable[[str, str], None]) -> Any:
        return self._node.create_lifecycle_publisher(
            kind,
            topic,
            qos.output(),
            event_callbacks=qos.on_publisher_mismatch(lambda text: note(topic, text)),
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )

    def wanted(self) -> set[str]:
        """Topics that somebody subscribes to."""
        return {topic for topic, publisher in self._publishers.items() if publisher.get_subscription_count() > 0}

    def publish(self, frame: DepthFrame, config: DepthConfig, wanted: set[str]) -> None:
        """Build and send the messages of one frame."""
        for topic, message in self._build(frame, config, wanted):
            self._publishers[topic].publish(message)

    def destroy(self) -> None:
        for publisher in self._publishers.values():
            self._node.destroy_lifecycle_publisher(publisher)
