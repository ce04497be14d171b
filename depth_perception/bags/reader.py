"""One door to every recording: its topics, and its messages in log order."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, NamedTuple

from depth_perception.bags.files import open_source, storage_files
from depth_perception.bags.source import Buffer, Channel, RawMessage, Source, merged
from depth_perception.bags.types import Decoder
from depth_perception.errors import BagError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Topic:
    """What a recording holds of one topic."""

    type: str  # ROS 2 spelling
    count: int


class BagMessage(NamedTuple):
    """A deserialised message. Only its header's stamp says when it was measured; log time only orders."""

    topic: str
    log_time_ns: int
    message: Any


class Bag:
    """An open recording; a context manager. Each iteration reads the files anew, so several may run side by side.

    `problems` lists damage as sentences (a missing end, a damaged chunk); each is also logged as a warning. What is
    whole is read: damage is never an exception once the recording is open.
    """

    def __init__(
        self, path: Path, sources: list[Source], problems: list[str], scratch: TemporaryDirectory[str]
    ) -> None:
        self.path = path
        self._sources = sources
        self._set_problems = problems
        self._scratch = scratch
        self.channels: dict[str, Channel] = {}
        self.topics: dict[str, Topic] = {}
        for channel in (c for source in sources for c in source.channels):
            self.channels.setdefault(channel.topic, channel)
            before = self.topics.get(channel.topic, Topic(channel.type, 0))
            self.topics[channel.topic] = Topic(before.type, before.count + channel.count)
        self._decoder = Decoder(c for source in sources for c in source.channels)

    @property
    def problems(self) -> list[str]:
        """Damage met so far; complete once an iteration has come to its end."""
        return [*self._set_problems, *self._decoder.problems, *(p for s in self._sources for p in s.problems)]

    def messages(self, topics: Collection[str] | None = None) -> Iterator[BagMessage]:
        """Deserialised messages in log order; of these topics only, if given.

        Raises:
            BagError: a topic isn't in the recording.
            MessageError: a message can't be decoded; to go on after it, use `raw` and `decode`.
        """
        return (BagMessage(raw.channel.topic, raw.log_time_ns, self.decode(raw)) for raw in self.raw(topics))

    def raw(self, topics: Collection[str] | None = None) -> Iterator[RawMessage]:
        """Serialised messages in log order; of these topics only, if given. Raises BagError if one isn't there."""
        wanted = set(self.topics if topics is None else topics)
        if missing := sorted(wanted - self.topics.keys()):
            raise BagError(f"{str(self.path)!r} has no topic {missing}; it holds {self.describe_topics()}")
        return merged(self._sources, wanted)

    def decode(self, raw: RawMessage) -> Any:
        """The message object of serialised bytes. Raises MessageError."""
        return self._decoder.decode(raw)

    def to_cdr(self, raw: RawMessage) -> Buffer:
        """Serialised bytes as a rosbag2 holds them (ROS 1 is translated). Raises MessageError."""
        return self._decoder.to_cdr(raw)

    def ros2_channel(self, topic: str) -> Channel | None:
        """How a rosbag2 declares this topic; None if its type has another layout in ROS 2."""
        return self._decoder.ros2_channel(self.channels[topic])

    def describe_topics(self) -> str:
        """'/camera/image (sensor_msgs/msg/Image, 30), …' for people."""
        return ", ".join(f"{name} ({topic.type}, {topic.count})" for name, topic in sorted(self.topics.items()))

    def close(self) -> None:
        """Remove what had to be decompressed to be read."""
        self._scratch.cleanup()

    def __enter__(self) -> Bag:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


def open_bag(path: str | Path) -> Bag:
    """Open a rosbag2 folder, a bare `.mcap` or `.db3` file, or a ROS 1 `.bag`.

    Files are told by their first bytes. A recording whose end is missing is indexed on the fly; file-compressed storage
    is decompressed into a temporary folder until the bag is closed.

    Raises:
        BagError: nothing is there, it isn't a recording, or it holds no message.
    """
    path = Path(path)
    files, problems = storage_files(path)
    for problem in problems:
        log.warning("%s: %s", path.name, problem)
    scratch = TemporaryDirectory(prefix="depth_perception_bag_")
    try:
        bag = Bag(path, [open_source(file, Path(scratch.name)) for file in files], problems, scratch)
    except BaseException:
        scratch.cleanup()
        raise
    if not any(topic.count for topic in bag.topics.values()):
        topics, trouble = bag.describe_topics() or "none", "; ".join(bag.problems)
        bag.close()
        raise BagError(f"{str(path)!r} holds no messages (topics: {topics})" + (f": {trouble}" if trouble else ""))
    return bag
