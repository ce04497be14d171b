"""The depth node: camera in, metric depth out. A lifecycle node named `depth`."""

from __future__ import annotations

import functools
import sys
import time
from dataclasses import dataclass
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from depth_perception import messages
from depth_perception.camera import CameraModel
from depth_perception.config import DepthConfig
from depth_perception.errors import CalibrationError, DepthPerceptionError, EngineError, MessageError
from depth_perception.health import Health, Level, Status
from depth_perception.measurements import NOTHING, topics_in_use
from depth_perception.nodes import qos, spin
from depth_perception.nodes.diagnostics import diagnostic_array
from depth_perception.nodes.matched_subscription import MatchedSubscription
from depth_perception.nodes.parameters import Parameters
from depth_perception.nodes.publishers import DepthPublishers
from depth_perception.nodes.sensors import Sensors
from depth_perception.pipeline import Pipeline
from depth_perception.records import Frame
from depth_perception.watch import ImageWatch, StampWatch
from depth_perception.worker import NewestWins

MATCH_PERIOD_S = 0.5  # how soon a publisher's reliability is noticed
REASONS = {MessageError: "bad image message", CalibrationError: "bad camera_info", EngineError: "backend failed"}


@dataclass(frozen=True)
class Arrival:
    """An image message and when it came (monotonic seconds)."""

    message: Any
    at_s: float


class DepthNode(LifecycleNode):
    """Parameters, subscriptions and publishers around `Pipeline`. Inference runs on a thread of its own."""

    def __init__(self) -> None:
        super().__init__("depth")
        self._pipeline: Pipeline | None = None
        self._depth_topics: DepthPublishers | None = None
        self._inference: NewestWins[Arrival] | None = None
        self._inputs: list[MatchedSubscription] = []
        self._sensors: Sensors | None = None
        self._camera: CameraModel | None = None
        self._image_watch, self._stamp_watch = ImageWatch(), StampWatch()
        self._health = Health(time.monotonic())
        self._stale = 0
        self.failure = ""  # why configure failed
        self._settings = Parameters(self, DepthConfig, lambda: self._pipeline is not None)
        self._diagnostics_topic = self.create_publisher(DiagnosticArray, "/diagnostics", qos.output())
        # A steady clock: with use_sim_time and no /clock, diagnostics are needed most.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(self.config.diagnostics_period_s, self._diagnose, clock=steady)
        self.create_timer(MATCH_PERIOD_S, self._match_publishers, clock=steady)

    @property
    def config(self) -> DepthConfig:
        """The parameters as they are now."""
        return self._settings.config  # type: ignore[no-any-return]

    # ---------------------------------------------------------------------------------------------- lifecycle

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            self._pipeline = Pipeline(self.config, self.resolve_topic_name(self._image_topic()))
        except DepthPerceptionError as error:
            self.failure = f"configure failed: {error}"
            self.get_logger().error(self.failure)
            return TransitionCallbackReturn.FAILURE
        self.failure = ""
        self._depth_topics = DepthPublishers(self, self._health.note)
        self._describe_backend()
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._health.restart(time.monotonic())
        self._image_watch, self._stamp_watch = ImageWatch(), StampWatch()
        self._camera = None
        self._inference = NewestWins(self._process, self._on_error, "depth inference")
        image_type = CompressedImage if self.config.image_transport == "compressed" else Image
        if topics_in_use(self.config):
            self._sensors = Sensors(self, self.config, self._image_topic(), self._health)
        self._subscribe(CameraInfo, "camera_info", self._on_camera_info, depth=5)
        self._subscribe(image_type, self._image_topic(), self._on_image, depth=1)
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._stop()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._release()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._stop()
        self._release()
        return super().on_shutdown(state)

    def destroy_node(self) -> None:
        self._stop()
        super().destroy_node()

    def _stop(self) -> None:
        for subscription in self._inputs:
            subscription.destroy()
        self._inputs = []
        if self._inference is not None:
            self._inference.stop()
            self._stale += self._inference.dropped
            self._inference = None
        if self._sensors is not None:
            self._sensors.destroy()
            self._sensors = None

    def _release(self) -> None:
        if self._depth_topics is not None:
            self._depth_topics.destroy()
            self._depth_topics = None
        if self._pipeline is not None:
            self._pipeline.close()
            self._pipeline = None
        self._health.backend = ""

    # ---------------------------------------------------------------------------------------------- input

    def _image_topic(self) -> str:
        return "image/compressed" if self.config.image_transport == "compressed" else "image"

    def _subscribe(self, kind: type, topic: str, callback: Any, depth: int) -> None:
        note = functools.partial(self._health.note, topic)
        self._inputs.append(MatchedSubscription(self, kind, topic, callback, depth, note))

    def _match_publishers(self) -> None:
        for subscription in self._inputs:
            subscription.refresh()
        if self._sensors is not None:
            self._sensors.refresh()

    def _on_camera_info(self, message: CameraInfo) -> None:
        self._health.arrived("camera_info", time.monotonic())
        try:
            camera = messages.decode_camera_info(message)
        except DepthPerceptionError as error:
            self._camera = None
            self._health.dropped("bad camera_info", time.monotonic(), str(error))
            return
        if self._camera is not None and camera != self._camera:
            self.get_logger().warning("camera_info changed")
        self._camera = camera

    def _on_image(self, message: Any) -> None:
        now = time.monotonic()
        self._health.arrived("image", now)
        if self._inference is not None:
            self._inference.put(Arrival(message, now))

    # ---------------------------------------------------------------------------------------------- the work

    def _process(self, arrival: Arrival) -> None:
        publishers, pipeline, config = self._depth_topics, self._pipeline, self.config
        assert publishers is not None and pipeline is not None
        wanted = publishers.wanted()
        if not wanted:
            return
        started = time.perf_counter()
        frame = self._decode(arrival)
        if frame is None:
            return
        decode_ms = (time.perf_counter() - started) * 1e3
        pipeline.config = config
        inference = pipeline.infer(frame)
        # Chosen after the network, so that a cloud or a right image has had its time to come in too.
        selection = self._sensors.window.select(frame, config) if self._sensors is not None else NOTHING
        pipeline.config = config = selection.configured(config)
        depth_frame = selection.noted(pipeline.finish(inference, selection.measurements))
        depth_frame.stages_ms["decode"] = decode_ms
        publishers.publish(depth_frame, config, wanted)
        self._health.published(depth_frame, arrival.at_s, time.monotonic())
        self._describe_backend()

    def _decode(self, arrival: Arrival) -> Frame | None:
        """The frame, or None if it isn't fit for use (counted, with the reason)."""
        message, config = arrival.message, self.config
        stamp_ns = messages.stamp_ns(message.header)
        resets = self._stamp_watch.resets
        if not self._stamp_watch.accept(stamp_ns):
            self._health.dropped("older than the last image", arrival.at_s)
            return None
        if self._stamp_watch.resets > resets:
            self._image_watch = ImageWatch()
            self.get_logger().warning("image stamps jumped back: a looping bag or a reset clock; starting anew")
        compressed = config.image_transport == "compressed"
        image = messages.decode_compressed(message) if compressed else messages.decode_rgb(message)
        complaint = self._image_watch.complaint(image, config.watch)
        if complaint and not config.process_bad_images:
            self._health.dropped(complaint.split(" (")[0], arrival.at_s, complaint)
            return None
        if self._camera is None:
            self._health.complain("no camera_info yet: no metres, cloud or scan", arrival.at_s)
        return Frame(image, stamp_ns, message.header.frame_id, self._camera)

    def _on_error(self, error: Exception) -> None:
        reason = next((text for kind, text in REASONS.items() if isinstance(error, kind)), "internal error")
        self._health.dropped(reason, time.monotonic(), str(error))
        self.get_logger().error(f"{reason}: {error}", throttle_duration_sec=5.0)

    # ---------------------------------------------------------------------------------------------- diagnostics

    def _describe_backend(self) -> None:
        assert self._pipeline is not None
        model, choice = self._pipeline.model, self._pipeline.choice
        text = f"{choice.engine.name} on {choice.engine.device}: {model.path.name} ({choice.reason})"
        if text != self._health.backend:
            self.get_logger().info(text)
        self._health.backend = text

    def _diagnose(self) -> None:
        now, active = time.monotonic(), self._inference is not None
        if active:
            assert self._depth_topics is not None and self._inference is not None
            stale = self._stale + self._inference.dropped
            statuses = self._health.report(now, self.config.watch, bool(self._depth_topics.wanted()), stale)
        elif self.failure:
            statuses = [Status("engine", Level.ERROR, self.failure)]
        else:
            statuses = [Status("output", Level.OK, "not active: see ros2 lifecycle")]
        self._diagnostics_topic.publish(diagnostic_array(self, statuses, "camera"))


def _start(node: Any) -> None:
    if not node.config.autostart:
        return
    if node.trigger_configure() != TransitionCallbackReturn.SUCCESS:
        raise DepthPerceptionError(node.failure)
    node.trigger_activate()


def main() -> int:
    """Console script `depth_node`."""
    return spin.run(DepthNode, _start, sys.argv)


if __name__ == "__main__":
    sys.exit(main())
