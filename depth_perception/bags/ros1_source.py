"""A ROS 1 bag as a source of messages."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from pathlib import Path

from depth_perception.bags.source import Channel, RawMessage
from depth_perception.errors import BagError

MAGIC = b"#ROSBAG V"
log = logging.getLogger(__name__)


class Ros1Source:
    """Raises BagError if the bag has no index, which is how a killed recorder leaves it, or a damaged one."""

    def __init__(self, path: Path) -> None:
        from rosbags.rosbag1 import Reader

        self.path = path
        self.problems: list[str] = []
        try:
            with Reader(path) as reader:
                connections = list(reader.connections)
                self.start_ns = reader.start_time
        except Exception as error:  # rosbags lets struct, lz4 and assertion errors of a damaged bag through
            raise BagError(
                f"{str(path)!r} is a ROS 1 bag that can't be read: {error}; if its recorder was killed, run "
                "`rosbag reindex` on it"
            ) from error
        self._by_id = {
            c.id: Channel(c.topic, c.msgtype, "ros1", c.msgdef.data, "ros1msg", c.msgcount, bool(c.ext.latching))  # type: ignore[union-attr]
            for c in connections
        }
        self.channels = list(self._by_id.values())

    def read(self, topics: Collection[str]) -> Iterator[RawMessage]:
        """Messages of these topics in log order."""
        from rosbags.rosbag1 import Reader

        try:
            with Reader(self.path) as reader:
                wanted = [c for c in reader.connections if c.topic in topics]
                if not wanted:
                    return
                for connection, log_time_ns, data in reader.messages(wanted):
                    yield RawMessage(self._by_id[connection.id], log_time_ns, data)
        except Exception as error:
            self.problems.append(f"{self.path.name}: reading stopped at a damaged chunk: {error}")
            log.warning("%s", self.problems[-1])
