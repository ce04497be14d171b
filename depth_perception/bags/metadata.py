"""`metadata.yaml` of a rosbag2, version 8.

Version 8 writes QoS profiles as text with numbers, which every rosbag2 from Humble to Rolling reads; Humble can't read
version 9, where they are a list with words. (`rosbag2_storage/yaml.hpp`, `qos.cpp` of the two branches.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

VERSION = 8


@dataclass
class TopicRecord:
    """A topic as it is being written."""

    channel_id: int
    name: str
    type: str
    type_hash: str  # RIHS01 of the definition (REP-2011); "" = unknown
    latched: bool
    count: int = 0


def qos_text(latched: bool) -> str:
    """The publisher's QoS, as `ros2 bag play` offers it again: reliable; transient_local and depth 1 where latched."""
    never = {"sec": 0, "nsec": 0}
    profile = {
        "history": 1,  # keep last
        "depth": 1 if latched else 5,
        "reliability": 1,  # reliable
        "durability": 1 if latched else 2,  # transient local, volatile
        "deadline": never,
        "lifespan": never,
        "liveliness": 1,  # automatic
        "liveliness_lease_duration": never,
        "avoid_ros_namespace_conventions": False,
    }
    return to_yaml([profile])


def describe(file_name: str, topics: Sequence[TopicRecord], start_ns: int, end_ns: int) -> dict[str, Any]:
    """The content below `rosbag2_bagfile_information`, for one MCAP file."""
    count = sum(topic.count for topic in topics)
    span = {
        "duration": {"nanoseconds": end_ns - start_ns},
        "starting_time": {"nanoseconds_since_epoch": start_ns},
        "message_count": count,
    }
    return {
        "version": VERSION,
        "storage_identifier": "mcap",
        **span,
        "topics_with_message_count": [_describe_topic(topic) for topic in topics],
        "compression_format": "",
        "compression_mode": "",
        "relative_file_paths": [file_name],
        "files": [{"path": file_name, **span}],
        "custom_data": {},
        "ros_distro": "depth_perception",
    }


def _describe_topic(topic: TopicRecord) -> dict[str, Any]:
    return {
        "topic_metadata": {
            "name": topic.name,
            "type": topic.type,
            "serialization_format": "cdr",
            "offered_qos_profiles": qos_text(topic.latched),
            "type_description_hash": topic.type_hash,
        },
        "message_count": topic.count,
    }


def to_yaml(content: Any) -> str:
    """Block-style YAML without anchors (yaml-cpp reads them, people don't)."""
    import yaml

    class Plain(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

    return yaml.dump(content, Dumper=Plain, sort_keys=False)  # type: ignore[no-any-return]
