"""A subscription that asks for as much reliability as its publishers offer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSPolicyKind, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions

from depth_perception.nodes import qos


class MatchedSubscription:
    """Best effort, which every publisher satisfies, until all publishers are seen to offer reliable.

    Best effort alone loses every image that is larger than the middleware's shared memory segment: of 50 images of
    1.4 MB over Fast DDS's defaults on one machine none arrived best effort, and all arrived reliable. A publisher that
    offers best effort only is never asked for more. `qos_overrides` on the topic's reliability ends the matching.
    """

    def __init__(
        self, node: Node, kind: type, topic: str, callback: Callable[[Any], None], depth: int,
        note: Callable[[str], None],
    ) -> None:  # fmt: skip
        """`note` gets a QoS mismatch or publishers of another type as text, or '' when that is over."""
        self._node, self._kind, self._callback, self._depth, self._note = node, kind, callback, depth, note
        self.topic = node.resolve_topic_name(topic)
        self._type = f"{kind.__module__.split('.')[0]}/msg/{kind.__name__}"
        self._misread = ""  # what was said about publishers of another type
        overrides = getattr(node, "_parameter_overrides", {})
        self._fixed = f"qos_overrides.{self.topic}.subscription.reliability" in overrides
        self.reliability = ReliabilityPolicy.BEST_EFFORT
        self._subscription = self._create()

    def _create(self) -> Any:
        profile: QoSProfile = qos.sensor(self._depth)
        profile.reliability = self.reliability
        kinds = [QoSPolicyKind.HISTORY, QoSPolicyKind.DEPTH, *([QoSPolicyKind.RELIABILITY] if self._fixed else [])]
        return self._node.create_subscription(
            self._kind,
            self.topic,
            self._callback,
            profile,
            event_callbacks=qos.on_subscription_mismatch(self._note),
            qos_overriding_options=QoSOverridingOptions(kinds),
        )

    def refresh(self) -> None:
        """Look at the publishers again; call it now and then from the executor's thread."""
        publishers = self._node.get_publishers_info_by_topic(self.topic)
        self._look_at_types({info.topic_type for info in publishers})
        offered = {info.qos_profile.reliability for info in publishers if info.topic_type == self._type}
        if self._fixed or not offered:
            return
        best = ReliabilityPolicy.RELIABLE if offered == {ReliabilityPolicy.RELIABLE} else ReliabilityPolicy.BEST_EFFORT
        if best != self.reliability:
            self.reliability = best
            self._node.destroy_subscription(self._subscription)
            self._note("")
            self._subscription = self._create()

    def _look_at_types(self, published: set[str]) -> None:
        """The middleware never connects another type, and says nothing about it."""
        others = "" if self._type in published else ", ".join(sorted(published))
        misread = f"{self.topic} is {others}, but must be {self._type}: remap it to another topic" if others else ""
        if misread != self._misread:
            self._misread = misread
            self._note(misread)

    def destroy(self) -> None:
        self._node.destroy_subscription(self._subscription)
