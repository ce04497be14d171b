"""What every storage format is turned into: channels, and serialised messages in log order."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple, Protocol

Buffer = bytes | memoryview


@dataclass(frozen=True)
class Channel:
    """One topic of one storage file."""

    topic: str
    type: str  # ROS 2 spelling, e.g. "sensor_msgs/msg/Image"
    encoding: str  # "cdr" or "ros1"; anything else can't be decoded
    definition: str  # the message definition stored with it; "" = none
    definition_format: str  # "ros2msg", "ros2idl", "ros1msg" or ""
    count: int  # messages
    latched: bool  # published transient_local (ROS 1: latching)


class RawMessage(NamedTuple):
    """A message as it lies in the bag; `data` may be a view of a larger buffer."""

    channel: Channel
    log_time_ns: int
    data: Buffer


class Source(Protocol):
    """One storage file."""

    path: Path
    channels: list[Channel]
    start_ns: int  # log time of the first message
    problems: list[str]  # damage met so far, each a sentence

    def read(self, topics: Collection[str]) -> Iterator[RawMessage]:
        """Messages of these topics in log order."""


def merged(sources: Sequence[Source], topics: Collection[str]) -> Iterator[RawMessage]:
    """Messages of several files in log order. A file is opened when its first message is due, not before."""

    def due(source: Source) -> Iterator[tuple[int, RawMessage | None]]:
        yield source.start_ns, None
        for message in source.read(topics):
            yield message.log_time_ns, message

    for _, message in heapq.merge(*map(due, sources), key=itemgetter(0)):
        if message is not None:
            yield message


def is_latched(offered_qos_profiles: str) -> bool:
    """True if any publisher offered transient_local, in rosbag2's QoS text of any version (number or word)."""
    if not offered_qos_profiles:
        return False
    import yaml

    try:
        profiles = yaml.safe_load(offered_qos_profiles)
        return any(profile.get("durability") in (1, "transient_local") for profile in profiles or ())
    except (yaml.YAMLError, AttributeError, TypeError):
        return False


def ros2_type(name: str) -> str:
    """'sensor_msgs/Image' (ROS 1) or 'sensor_msgs/msg/Image' → the latter."""
    package, _, rest = name.partition("/")
    return name if "/" in rest or not rest else f"{package}/msg/{rest}"
