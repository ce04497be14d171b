"""Stamps and headers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from depth_perception.messages.ros_types import RosTypes


def stamp_ns(header: Any) -> int:
    """Acquisition time in ns of a `std_msgs/Header` (rclpy, and rosbags for ROS 1 and 2: `sec`, `nanosec`)."""
    return int(header.stamp.sec) * 1_000_000_000 + int(header.stamp.nanosec)


def to_stamp(ns: int) -> tuple[int, int]:
    """(sec, nanosec) of a `builtin_interfaces/Time`."""
    return divmod(ns, 1_000_000_000)


def header_message(types: RosTypes, stamp_ns: int, frame_id: str) -> Any:
    """A `std_msgs/Header`."""
    sec, nanosec = to_stamp(stamp_ns)
    stamp = types.new("builtin_interfaces/msg/Time", sec=sec, nanosec=nanosec)
    return types.new("std_msgs/msg/Header", stamp=stamp, frame_id=frame_id)
