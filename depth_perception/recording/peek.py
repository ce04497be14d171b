"""A look into one message."""

from __future__ import annotations

from typing import Any

from depth_perception.bags.types import jazzy


def peek(data: bytes, type: str) -> Any:
    """The message object, or None if the type isn't one of ROS's own or the bytes don't fit it."""
    from rosbags.serde import SerdeError

    if type not in jazzy().types:
        return None
    try:
        return jazzy().deserialize_cdr(data, type)
    except (SerdeError, ValueError, IndexError):
        return None
