"""Statuses → `/diagnostics`."""

from __future__ import annotations

from collections.abc import Iterable

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

from depth_perception.health import Status


def diagnostic_array(node: Node, statuses: Iterable[Status], hardware_id: str) -> DiagnosticArray:
    """An array stamped now; names begin with the node's, so that two of them are told apart."""
    name = node.get_fully_qualified_name().lstrip("/")
    array = DiagnosticArray(
        status=[
            DiagnosticStatus(
                level=bytes([status.level]),
                name=f"{name}: {status.name}",
                message=status.message,
                hardware_id=hardware_id,
                values=[KeyValue(key=key, value=value) for key, value in status.values.items()],
            )
            for status in statuses
        ]
    )
    array.header.stamp = node.get_clock().now().to_msg()
    return array
