"""A simulated robot that publishes what a real one's drivers would, with `/clock`. A plain node named `simulator`."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

from rclpy.node import Node
from rosgraph_msgs.msg import Clock

from depth_perception import messages
from depth_perception.errors import DepthPerceptionError
from depth_perception.nodes import qos, spin
from depth_perception.nodes.parameters import Parameters
from depth_perception.sim import SimFrame, frames, record_drive
from depth_perception.sim.parameters import SimulatorConfig
from depth_perception.sim.sensor_messages import TOPICS, sensor_messages, static_transforms


class SimulatorNode(Node):
    """Renders a drive and plays it on a thread of its own; builds only messages that somebody subscribes to."""

    def __init__(self) -> None:
        super().__init__("simulator")
        self.settings: SimulatorConfig = Parameters(self, SimulatorConfig, lambda: True).config
        self._types = messages.live()
        self._sensors: dict[str, Any] = {
            topic: self.create_publisher(message_class(name), topic, qos.output()) for topic, name in TOPICS.items()
        }
        self._clock_topic = self.create_publisher(Clock, "/clock", qos.output(1))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="simulation", daemon=True)
        self.error: Exception | None = None

    def start(self) -> None:
        """Say where the sensors are, and go."""
        self._broadcaster = broadcast_static(self, self.settings)
        self._thread.start()

    def destroy_node(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(20.0)
        super().destroy_node()

    def _run(self) -> None:
        try:
            self._play(self._frames())
        except Stopped:
            pass
        except Exception as error:  # the thread's last words: the node must say why nothing comes
            self.error = error
            self.get_logger().fatal(f"the simulation ended: {error}")
            spin.end(1)

    def _frames(self) -> Iterator[SimFrame]:
        config = self.settings.sim_config()
        if not self.settings.ahead:
            return frames(config)
        return record_drive(config, self._progress).replay()

    def _progress(self, done: int, total: int) -> None:
        if self._stop.is_set():
            raise Stopped
        if done == total or done % max(total // 10, 1) == 0:
            self.get_logger().info(f"rendered {done} of {total} frames")

    def _play(self, source: Iterator[SimFrame]) -> None:
        """Publish each frame when it is due on the wall clock; a frame that renders late is published at once."""
        started, first_ns = time.monotonic(), None
        for frame in source:
            first_ns = frame.stamp_ns if first_ns is None else first_ns
            due_s = started + (frame.stamp_ns - first_ns) * 1e-9
            if self._stop.wait(max(due_s - time.monotonic(), 0.0)):
                return
            started += max(time.monotonic() - due_s, 0.0) if not self.settings.ahead else 0.0
            self._publish(frame)
        self.get_logger().info("the drive is over")

    def _publish(self, frame: SimFrame) -> None:
        seconds, nanoseconds = messages.to_stamp(frame.stamp_ns)
        clock = Clock()
        clock.clock.sec, clock.clock.nanosec = seconds, nanoseconds
        self._clock_topic.publish(clock)
        wanted = {topic for topic, publisher in self._sensors.items() if publisher.get_subscription_count() > 0}
        for topic, message in sensor_messages(self._types, frame, wanted):
            self._sensors[topic].publish(message)


def message_class(name: str) -> type:
    """The class of 'package/msg/Name'."""
    package, kind, cls = name.split("/")
    return getattr(importlib.import_module(f"{package}.{kind}"), cls)  # type: ignore[no-any-return]


class Stopped(Exception):
    """The node is leaving while the drive is being rendered."""


def broadcast_static(node: Node, config: SimulatorConfig) -> Any:
    """`/tf_static` where tf2 is installed (a full ROS); elsewhere the geometry travels in recordings only."""
    try:
        from geometry_msgs.msg import TransformStamped
        from tf2_ros import StaticTransformBroadcaster
    except ImportError:
        node.get_logger().info("tf2_ros isn't installed: no /tf_static")
        return None
    from depth_perception.bags.transforms import quaternion

    stamped = []
    for transform in static_transforms(config.sim_config()):
        message = TransformStamped(child_frame_id=transform.child)
        message.header.frame_id = transform.parent
        t, r = message.transform.translation, message.transform.rotation
        t.x, t.y, t.z = map(float, transform.T_parent_child[:3, 3])
        r.x, r.y, r.z, r.w = quaternion(transform.T_parent_child[:3, :3])
        stamped.append(message)
    broadcaster = StaticTransformBroadcaster(node)
    broadcaster.sendTransform(stamped)
    return broadcaster


def _start(node: Any) -> None:
    if importlib.util.find_spec("mujoco") is None:  # not imported here: the renderer sets MUJOCO_GL before it does
        raise DepthPerceptionError("the simulator needs MuJoCo: pip install 'depth_perception[sim]'")
    node.start()


def main() -> int:
    """Console script `simulator_node`."""
    return spin.run(SimulatorNode, _start, sys.argv)


if __name__ == "__main__":
    sys.exit(main())
