"""The demo's ears: hears every topic of the simulated robot and of the depth node, records all, keeps what to show."""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import Odometry
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.serialization import deserialize_message
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image, LaserScan, PointCloud2

from depth_perception import messages
from depth_perception.bags import BagWriter
from depth_perception.health import rate
from depth_perception.nodes import qos

CAMERA, DEPTH, TRUTH, QUALITY = "camera/image", "depth/image", "truth/depth", "depth/quality"
TOPICS = {
    "clock": Clock,
    CAMERA: Image,
    "camera/camera_info": CameraInfo,
    "right/image": Image,
    "right/camera_info": CameraInfo,
    "lidar/points": PointCloud2,
    "lidar/scan": LaserScan,
    "odom": Odometry,
    TRUTH: Image,
    DEPTH: Image,
    "depth/camera_info": CameraInfo,
    "depth/std": Image,
    QUALITY: DiagnosticArray,
    "depth/anchors": PointCloud2,
    "depth/points": PointCloud2,
    "depth/scan": LaserScan,
    "depth/preview": Image,
}
BIG = (CAMERA, "right/image", TRUTH, DEPTH, "depth/std", "depth/points", "depth/preview")
SLOT_NS = 500_000_000  # of the big topics two frames a second are recorded: all of them would be 60 MB/s
KEPT = 60  # compared with the truth at the end; 3 MB each
PENDING = 30  # images that wait for their depth


@dataclass
class Triple:
    """Camera image, predicted and true depth of one stamp, as serialised messages."""

    parts: dict[str, bytes] = field(default_factory=dict)
    seen_s: float = 0.0


class DemoMonitor:
    """Subscribes raw, writes every message to the bag as it came, pairs image, depth and truth by stamp."""

    def __init__(self, bag: BagWriter, static_transforms: Any) -> None:
        """`static_transforms` is a rosbags TFMessage that opens the recording."""
        self._bag = bag
        self._context = rclpy.Context()
        rclpy.init(context=self._context)
        self.node = Node("demo_monitor", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self.arrivals: dict[str, deque[float]] = {topic: deque() for topic in TOPICS}
        self.latency_ms: deque[float] = deque(maxlen=300)
        self.complete: deque[Triple] = deque(maxlen=KEPT)
        self.sources: Counter[str] = Counter()  # of the scale, over all depth images
        self.diagnostics: DiagnosticArray | None = None
        self._pending: dict[int, Triple] = {}
        self._slots: dict[int, int] = {}
        bag.write("/tf_static", time.time_ns(), static_transforms)
        for topic, kind in TOPICS.items():
            self._listen(topic, kind)
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)

    def _listen(self, topic: str, kind: type) -> None:
        name = f"{kind.__module__.split('.')[0]}/msg/{kind.__name__}"

        def on_message(raw: bytes) -> None:
            now = time.monotonic()
            self.arrivals[topic].append(now)
            if topic not in BIG or self._kept(stamp_of_cdr(raw)):
                self._bag.write_raw(f"/{topic}", name, time.time_ns(), raw)
            if topic == QUALITY:
                self._note_source(deserialize_message(raw, DiagnosticArray))
            if topic in (CAMERA, DEPTH, TRUTH):
                self._pair(topic, raw, now)

        profile = qos.output(10) if topic == DEPTH else QoSProfile(depth=10, durability=DurabilityPolicy.VOLATILE)
        self.node.create_subscription(kind, topic, on_message, profile, raw=True)

    def _note_source(self, message: DiagnosticArray) -> None:
        self.sources.update(pair.value for pair in message.status[0].values if pair.key == "source")

    def scale(self) -> str:
        """Where most depth images have their scale from: 'lidar', 'prior', …"""
        return self.sources.most_common(1)[0][0] if self.sources else "unknown"

    def _kept(self, stamp_ns: int) -> bool:
        """True for the first stamp of each slot, so that the recorded images, depth and truth belong together."""
        return self._slots.setdefault(stamp_ns // SLOT_NS, stamp_ns) == stamp_ns

    def _pair(self, topic: str, raw: bytes, now: float) -> None:
        stamp = stamp_of_cdr(raw)
        triple = self._pending.setdefault(stamp, Triple())
        triple.parts[topic] = raw
        if topic == CAMERA:
            triple.seen_s = now
        elif topic == DEPTH and triple.seen_s:
            self.latency_ms.append((now - triple.seen_s) * 1e3)
        if len(triple.parts) == 3:
            self.complete.append(self._pending.pop(stamp))
        while len(self._pending) > PENDING:
            self._pending.pop(next(iter(self._pending)))

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        self.diagnostics = message

    def reasons(self) -> list[str]:
        """What the depth node says is wrong."""
        statuses = self.diagnostics.status if self.diagnostics else []
        return [f"{status.name}: {status.message}" for status in statuses if status.level != b"\x00"]

    def rate(self, topic: str) -> float:
        """Messages a second of late."""
        return rate(self.arrivals[topic], time.monotonic())

    def mean_rate(self, topic: str) -> float:
        """Messages a second from the first to the last."""
        times = self.arrivals[topic]
        return (len(times) - 1) / max(times[-1] - times[0], 1e-9) if len(times) > 1 else 0.0

    def spin(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            # Always the same timeout: another one makes rclpy forget what else was ready, and the topics that come
            # last starve behind those that come first.
            self._executor.spin_once(timeout_sec=0.05)

    def close(self) -> None:
        self._executor.shutdown()
        self.node.destroy_node()
        self._context.try_shutdown()


def stamp_of_cdr(raw: bytes) -> int:
    """Header stamp, ns, of a serialised little-endian message that begins with a header."""
    seconds = int.from_bytes(raw[4:8], "little", signed=True)
    return seconds * 1_000_000_000 + int.from_bytes(raw[8:12], "little")


def decode(triple: Triple) -> tuple[Any, Any, Any]:
    """Camera image (H, W, 3) uint8 RGB, predicted depth and true depth (H, W) float32 metres."""
    parts = {topic: deserialize_message(raw, Image) for topic, raw in triple.parts.items()}
    return (
        messages.decode_rgb(parts[CAMERA]),
        messages.decode_image(parts[DEPTH]),
        messages.decode_image(parts[TRUTH]),
    )
