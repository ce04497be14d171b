"""A subscription that takes serialised bytes, and asks for what the topic's publishers offer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSPolicyKind, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription

from depth_perception.nodes import qos
from depth_perception.recording.definitions import definition, message_class
from depth_perception.recording.records import Topic
from depth_perception.recording.roles import Wanted

# Messages that wait while the executor is busy: a second of a camera, half of one of a 400 Hz IMU.
DEPTH, BULKY_DEPTH = 200, 30
BULKY = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage", "sensor_msgs/msg/PointCloud2")
WITH_INFO = hasattr(Subscription, "CallbackType")  # Humble's callbacks get the message alone

Take = Callable[[Topic, bytes, dict[str, Any]], None]


class RawSubscription:
    """Reliable if every publisher is, transient_local if every publisher is: asking for more would hear nothing from
    the others. `refresh` adapts to publishers that come and go; `qos_overrides` on the topic end that."""

    def __init__(
        self, node: Node, wanted: Wanted, type: str, publishers: Sequence[Any], take: Take, note: Callable[[str], None]
    ) -> None:
        """`take(topic, CDR bytes, message info)` is called by the executor; `note` gets a QoS mismatch as text.

        Raises ImportError if the type isn't installed here.
        """
        self._node, self._wanted, self._take, self._note = node, wanted, take, note
        self._class, self._definition = message_class(type), definition(type)
        self.type = type
        self._offered = _offered(publishers)
        self._subscription = self._create()

    def refresh(self, publishers: Sequence[Any]) -> bool:
        """Subscribe anew if the publishers offer something else now; True if so."""
        if not publishers or _offered(publishers) == self._offered:
            return False
        self._offered = _offered(publishers)
        self.destroy()
        self._subscription = self._create()
        return True

    def destroy(self) -> None:
        self._node.destroy_subscription(self._subscription)

    def _create(self) -> Any:
        reliability, durability = self._offered
        depth = BULKY_DEPTH if self.type in BULKY else DEPTH
        profile = QoSProfile(
            history=HistoryPolicy.KEEP_LAST, depth=depth, reliability=reliability, durability=durability
        )  # fmt: skip
        latched = durability == DurabilityPolicy.TRANSIENT_LOCAL
        topic = Topic(self._wanted.name, self.type, *self._definition, latched, self._wanted.role)
        take = self._take

        def with_info(data: bytes, info: dict[str, Any]) -> None:
            take(topic, data, info)

        def alone(data: bytes) -> None:
            take(topic, data, {})

        callback: Any = with_info if WITH_INFO else alone
        return self._node.create_subscription(
            self._class, topic.name, callback, profile, raw=True,
            event_callbacks=qos.on_subscription_mismatch(self._note),
            qos_overriding_options=QoSOverridingOptions(self._overridable()),
        )  # fmt: skip

    def _overridable(self) -> list[QoSPolicyKind]:
        """A policy that is declared keeps its first value, so those that adapt are declared only if a user set them."""
        given = getattr(self._node, "_parameter_overrides", {})
        adapting = {"reliability": QoSPolicyKind.RELIABILITY, "durability": QoSPolicyKind.DURABILITY}
        prefix = f"qos_overrides.{self._wanted.name}.subscription."
        set_by_user = [kind for word, kind in adapting.items() if prefix + word in given]
        return [QoSPolicyKind.HISTORY, QoSPolicyKind.DEPTH, *set_by_user]


def _offered(publishers: Sequence[Any]) -> tuple[ReliabilityPolicy, DurabilityPolicy]:
    """The most that all of them give."""
    profiles = [publisher.qos_profile for publisher in publishers]
    reliable = all(profile.reliability == ReliabilityPolicy.RELIABLE for profile in profiles)
    latched = all(profile.durability == DurabilityPolicy.TRANSIENT_LOCAL for profile in profiles)
    return (
        ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
    )
