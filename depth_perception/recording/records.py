"""What the recorder passes on: topics and serialised messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

CAMERA_INFO, TF_MESSAGE = "sensor_msgs/msg/CameraInfo", "tf2_msgs/msg/TFMessage"


@dataclass(frozen=True)
class Topic:
    """A topic as it is recorded. `role` is the node's own name for it (`lidar/points`), "" where it is only listed."""

    name: str
    type: str  # "sensor_msgs/msg/Image"
    definition: str  # ros2msg
    type_hash: str  # RIHS01 (REP-2011)
    latched: bool  # published transient_local
    role: str = ""

    @property
    def is_repeated(self) -> bool:
        """Its last message belongs at the start of every file: without it the rest can't be understood."""
        return self.latched or self.type == CAMERA_INFO


class Message(NamedTuple):
    """A serialised message."""

    topic: Topic
    log_time_ns: int  # receipt
    publish_time_ns: int
    data: bytes  # CDR
