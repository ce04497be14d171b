"""Quality of service as REP-2003 has it, and events that say when it doesn't match."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

try:
    from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import PublisherEventCallbacks, SubscriptionEventCallbacks


def sensor(depth: int = 1) -> QoSProfile:
    """For subscriptions: best effort takes what any publisher offers; depth 1 lets the newest image win."""
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.VOLATILE,
    )


def output(depth: int = 5) -> QoSProfile:
    """For publishers: reliable serves every subscriber; best effort would starve those that ask for reliable."""
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.VOLATILE,
    )


def on_subscription_mismatch(report: Callable[[str], None]) -> Any:
    """Event callbacks of a subscription: `report` gets what doesn't match."""
    return SubscriptionEventCallbacks(incompatible_qos=lambda event: report(_describe(event, "publisher offers less")))


def on_publisher_mismatch(report: Callable[[str], None]) -> Any:
    """Event callbacks of a publisher: `report` gets what doesn't match."""
    return PublisherEventCallbacks(incompatible_qos=lambda event: report(_describe(event, "subscriber asks for more")))


def _describe(event: Any, who: str) -> str:
    kind = str(getattr(event.last_policy_kind, "name", event.last_policy_kind)).rsplit(".", 1)[-1].lower()
    return f"incompatible QoS ({kind}, {event.total_count} times): a {who}; set qos_overrides for this topic"
