"""`metadata.yaml` of a rosbag2, version 8.

Version 8 writes QoS profiles as text with numbers, which every rosbag2 from Humble to Rolling reads; Humble can't read
version 9, where they are a list with words. (`rosbag2_storage/yaml.hpp`, `qos.cpp` of the two branches.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

VERSION = 8


@dataclass(frozen=True)
class FileRecord:
    """One storage file of the recording."""

    name: str
    start_ns: int  # log time of its first message
    end_ns: int
    count: int  # messages


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


def describe(
    files: Sequence[FileRecord], topics: Sequence[TopicRecord], custom_data: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The content below `rosbag2_bagfile_information`, for MCAP files in the order they were written."""
    start = min((file.start_ns for file in files if file.count), default=0)
    end = max((file.end_ns for file in files if file.count), default=0)
    return {
        "version": VERSION,
        "storage_identifier": "mcap",
        **_span(start, end, sum(file.count for file in files)),
        "topics_with_message_count": [_describe_topic(topic) for topic in topics],
        "compression_format": "",
        "compression_mode": "",
        "relative_file_paths": [file.name for file in files],
        "files": [{"path": file.name, **_span(file.start_ns, file.end_ns, file.count)} for file in files],
        "custom_data": dict(custom_data or {}),
        "ros_distro": "depth_perception",
    }


def _span(start_ns: int, end_ns: int, count: int) -> dict[str, Any]:
    return {
        "duration": {"nanoseconds": end_ns - start_ns},
        "starting_time": {"nanoseconds_since_epoch": start_ns},
        "message_count": count,
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
