"""The recorder: topics in, rosbag2 out, bytes as they came. A lifecycle node named `recorder`."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from std_srvs.srv import Trigger

from depth_perception.errors import DepthPerceptionError
from depth_perception.health import Level, Status
from depth_perception.nodes import qos, spin
from depth_perception.nodes.diagnostics import diagnostic_array
from depth_perception.nodes.parameters import Parameters
from depth_perception.nodes.recorded_topics import RecordedTopics
from depth_perception.recording.config import RecorderConfig
from depth_perception.recording.recorder import Recorder
from depth_perception.recording.recovery import recover_left_behind
from depth_perception.recording.report import report

LOOK_PERIOD_S = 0.5  # how soon a topic that appears is heard


class RecorderNode(LifecycleNode):
    """Parameters, subscriptions, services and diagnostics around a `Recorder`, which writes on a thread of its own."""

    def __init__(self) -> None:
        super().__init__("recorder")
        self._log = _RosLog(self)
        self._recorder: Recorder | None = None
        self._topics: RecordedTopics | None = None
        self.failure = ""  # why configure or activate failed
        self._configured = False
        self._settings = Parameters(self, RecorderConfig, lambda: self._configured)
        self._diagnostics_topic = self.create_publisher(DiagnosticArray, "/diagnostics", qos.output())
        steady = Clock(clock_type=ClockType.STEADY_TIME)  # with use_sim_time and no /clock too
        self.create_timer(self.config.diagnostics_period_s, self._diagnose, clock=steady)
        self.create_timer(LOOK_PERIOD_S, self._look, clock=steady)
        self.create_service(Trigger, "~/start", self._serve(lambda recorder: recorder.start()))
        self.create_service(Trigger, "~/stop", self._serve(lambda recorder: recorder.stop()))
        self.create_service(Trigger, "~/snapshot", self._serve(lambda recorder: recorder.snapshot("~/snapshot")))

    @property
    def config(self) -> RecorderConfig:
        """The parameters as they are now."""
        return self._settings.config  # type: ignore[no-any-return]

    # ---------------------------------------------------------------------------------------------- lifecycle

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        for outcome in recover_left_behind(Path(self.config.directory)):
            self.get_logger().warning(f"{outcome.out} was left unfinished: {outcome.messages} messages are in it now")
        self._configured = True
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            self._recorder = Recorder(self.config)
        except DepthPerceptionError as error:
            self.failure = f"activate failed: {error}"
            self.get_logger().error(self.failure)
            return TransitionCallbackReturn.FAILURE
        self.failure = ""
        self._topics = RecordedTopics(self, self.config, self._recorder)
        if self.config.record:
            try:
                self._recorder.start()
            except DepthPerceptionError as error:
                self._recorder.problem = f"not recording: {error}"
                self.get_logger().error(self._recorder.problem)
        self._look()
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._stop()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._configured = False
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._stop()
        return super().on_shutdown(state)

    def destroy_node(self) -> None:
        self._stop()
        self._log.detach()
        super().destroy_node()

    def _stop(self) -> None:
        """Finish every file, and say what is in them."""
        if self._recorder is None or self._topics is None:
            return
        self._topics.destroy()
        self._recorder.close()
        for closed in self._recorder.closed:
            size = f"{closed.bytes / 1e6:.1f} MB"
            self.get_logger().info(f"{closed.path}: {closed.messages} messages, {size}, {closed.files} files")
        for name, line in self._recorder.statistics.lines(time.time_ns(), self._recorder.dropped).items():
            self.get_logger().info(f"{name}: {line}")
        self._recorder = self._topics = None

    # ---------------------------------------------------------------------------------------------- what is asked

    def _serve(self, act: Callable[[Recorder], str]) -> Callable[[Any, Any], Any]:
        def answer(_request: Any, response: Any) -> Any:
            try:
                if self._recorder is None:
                    raise DepthPerceptionError("the recorder is not active: see ros2 lifecycle")
                response.message, response.success = act(self._recorder), True
            except DepthPerceptionError as error:
                response.message, response.success = str(error), False
            self.get_logger().info(response.message)
            return response

        return answer

    def _look(self) -> None:
        if self._topics is not None and self._recorder is not None:
            self._recorder.config = self.config
            self._topics.refresh()

    def _diagnose(self) -> None:
        if self._recorder is not None and self._topics is not None:
            statuses = report(self._recorder, self._topics.notes, self._topics.missing())
        elif self.failure:
            statuses = [Status("recording", Level.ERROR, self.failure)]
        else:
            statuses = [Status("recording", Level.OK, "not active: see ros2 lifecycle")]
        self._diagnostics_topic.publish(diagnostic_array(self, statuses, "recorder"))


class _RosLog(logging.Handler):
    """What the package says goes where ROS's own words go."""

    def __init__(self, node: LifecycleNode) -> None:
        super().__init__(logging.INFO)
        self._node = node
        self._logger = logging.getLogger("depth_perception")
        self._logger.setLevel(logging.INFO)
        self._logger.addHandler(self)

    def detach(self) -> None:
        self._logger.removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        say = self._node.get_logger()
        text = self.format(record)
        if record.levelno >= logging.ERROR:
            say.error(text)
        elif record.levelno >= logging.WARNING:
            say.warning(text)
        else:
            say.info(text)


def _start(node: Any) -> None:
    if not node.config.autostart:
        return
    node.trigger_configure()
    if node.trigger_activate() != TransitionCallbackReturn.SUCCESS:
        raise DepthPerceptionError(node.failure)


def main() -> int:
    """Console script `recorder_node`."""
    return spin.run(RecorderNode, _start, sys.argv)


if __name__ == "__main__":
    sys.exit(main())
