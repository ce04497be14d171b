"""The recorder's ears: a subscription for each topic that is to be recorded, from when it appears."""

from __future__ import annotations

import functools
import time
from typing import Any

from rclpy.node import Node

from depth_perception.nodes.raw_subscription import RawSubscription
from depth_perception.recording.config import RecorderConfig
from depth_perception.recording.recorder import Recorder
from depth_perception.recording.records import Message, Topic
from depth_perception.recording.roles import Selection, Wanted

RESENT_NS = 5_000_000_000  # the middleware repeats within this, or never
UNSUPPORTED = (None, 0, 2**64 - 1)  # what a middleware without sequence numbers gives


class RecordedTopics:
    """Looks at the graph; everything on the executor's thread."""

    def __init__(self, node: Node, config: RecorderConfig, recorder: Recorder) -> None:
        self._node, self._recorder = node, recorder
        self._selection = Selection(
            config.roles, config.topics, config.exclude, config.image_transport == "compressed", node.resolve_topic_name
        )
        self._simulated = bool(node.get_parameter("use_sim_time").value)
        self._heard: dict[str, RawSubscription] = {}
        self._notes: dict[str, str] = {}  # topic → what a person should know about it
        self._mismatches: dict[str, str] = {}  # likewise, of QoS
        self._latest_ns: dict[str, int] = {}  # topic → log time of its last message

    @property
    def notes(self) -> dict[str, str]:
        """Topic → what a person should know about it, or ""."""
        both = (self._notes, self._mismatches)
        return {
            name: "; ".join(filter(None, (notes.get(name, "") for notes in both))) for name in {**both[0], **both[1]}
        }

    def refresh(self) -> None:
        """Follow what appeared, vanished or changed; call it now and then."""
        for wanted in self._selection.among(dict(self._node.get_topic_names_and_types())):
            publishers = self._node.get_publishers_info_by_topic(wanted.name)
            if publishers:
                self._follow(wanted, publishers)
            elif wanted.name in self._heard:
                self._notes[wanted.name] = "vanished: nobody publishes it any more"

    def missing(self) -> list[str]:
        """Topics asked for that nobody has published yet."""
        existing = dict(self._node.get_topic_names_and_types())
        silent = [name for name in existing if name not in self._heard and name not in self._notes]
        return self._selection.missing(set(existing) - set(silent))

    def destroy(self) -> None:
        for subscription in self._heard.values():
            subscription.destroy()
        self._heard.clear()

    def _follow(self, wanted: Wanted, publishers: list[Any]) -> None:
        name, types = wanted.name, sorted({publisher.topic_type for publisher in publishers})
        before = self._heard.get(name)
        kind = before.type if before is not None and before.type in types else types[0]
        note = f"its publishers disagree about its type: {kind} is recorded of {', '.join(types)}"
        self._notes[name] = note if len(types) > 1 else ""
        if before is not None and before.type == kind:
            if before.refresh([publisher for publisher in publishers if publisher.topic_type == kind]):
                self._recorder.statistics.subscribed_anew(name)
                self._mismatches[name] = ""
            return
        if before is not None:
            self._node.get_logger().warning(f"{name} was {before.type} and is {kind} now")
            before.destroy()
            del self._heard[name]
        self._listen(wanted, kind, publishers)

    def _listen(self, wanted: Wanted, kind: str, publishers: list[Any]) -> None:
        same = [publisher for publisher in publishers if publisher.topic_type == kind]
        mismatch = functools.partial(self._mismatches.__setitem__, wanted.name)
        try:
            self._heard[wanted.name] = RawSubscription(self._node, wanted, kind, same, self._take, mismatch)
        except ImportError as error:
            self._notes[wanted.name] = f"not recorded: its type {kind} isn't installed here ({error})"
            return
        except Exception as error:  # one strange topic must not end the recording of the others
            self._notes[wanted.name] = f"not recorded: it can't be subscribed to as {kind} ({error!r})"
            return
        self._recorder.statistics.subscribed_anew(wanted.name)
        self._node.get_logger().info(f"recording {wanted.name} ({kind})")

    def _take(self, topic: Topic, data: bytes, info: dict[str, Any]) -> None:
        """A message came. Its log time is when the middleware received it, or the simulated clock's."""
        arrived = info.get("received_timestamp") or time.time_ns()
        received, published = arrived, info.get("source_timestamp") or arrived
        if self._simulated:
            received = published = self._node.get_clock().now().nanoseconds
        else:
            received = self._in_order(topic.name, received)
        number = info.get("publication_sequence_number")
        if number not in UNSUPPORTED:
            self._recorder.statistics.numbered(topic.name, info["publisher_gid"]["data"], number)
        self._recorder.put(Message(topic, received, published, data), arrived)

    def _in_order(self, name: str, received_ns: int) -> int:
        """What was lost and sent again comes before later messages, though these were received first: readers of the
        file, which go by log time, shall see a topic's messages in that order too. A clock that is set back isn't this.
        """
        latest_ns = self._latest_ns.get(name, 0)
        if received_ns < latest_ns < received_ns + RESENT_NS:
            return latest_ns
        self._latest_ns[name] = received_ns
        return received_ns
