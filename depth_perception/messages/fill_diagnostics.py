"""Words and numbers → `diagnostic_msgs/DiagnosticArray`, for rclpy and for rosbags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from depth_perception.messages.header import header_message
from depth_perception.messages.ros_types import RosTypes


def diagnostics_message(
    types: RosTypes, level: int, name: str, message: str, values: Mapping[str, str], hardware_id: str, stamp_ns: int
) -> Any:
    """An array of one status. `level`: 0 OK, 1 WARN, 2 ERROR, 3 STALE."""
    status = types.new(
        "diagnostic_msgs/msg/DiagnosticStatus",
        level=types.byte(level),
        name=name,
        message=message,
        hardware_id=hardware_id,
        values=[types.new("diagnostic_msgs/msg/KeyValue", key=key, value=value) for key, value in values.items()],
    )
    header = header_message(types, stamp_ns, hardware_id)
    return types.new("diagnostic_msgs/msg/DiagnosticArray", header=header, status=[status])
