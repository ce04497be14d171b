"""Writing a rosbag2 in MCAP that `ros2 bag` of Humble to Rolling, Foxglove and rosbags read."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from types import TracebackType
from typing import Any

from depth_perception.bags.mcap_writer import COMPRESSIONS, McapWriter
from depth_perception.bags.metadata import FileRecord, TopicRecord, describe, qos_text, to_yaml
from depth_perception.bags.source import Buffer, Channel
from depth_perception.bags.types import jazzy
from depth_perception.errors import BagError

log = logging.getLogger(__name__)


class BagWriter:
    """Writes the folder `path` with `<name>_0.mcap` and `metadata.yaml`; a context manager. One thread at a time.

    Nothing is ever overwritten. While it is being written the folder is called `<path>.partial`; `close` renames it, so
    that `path` exists only complete. If the `with` block ends in an exception (ctrl-C included) the file is still ended
    properly and left as `<path>.partial`, a readable bag of what was written so far. After a kill the same folder holds
    an MCAP without its end, which `open_bag` reads up to the last whole chunk.

    Raises:
        BagError: `path` or `<path>.partial` exists, or the folder can't be made.
    """

    def __init__(self, path: str | Path, compression: str = "none") -> None:
        """`compression` of the chunks: "none", "lz4" or "zstd".

        None is the default because predicted depth barely shrinks and time is what is short: a 1242x375 float32 depth
        image keeps 96 % of its size with lz4 (6 ms) and 71 % with zstd (8 ms).
        """
        if compression not in COMPRESSIONS:
            raise BagError(f"compression {compression!r} is not one of {COMPRESSIONS}")
        self.path = Path(path)
        self.partial = self.path.with_name(self.path.name + ".partial")
        self._make_folder()
        self._file_name = f"{self.path.name}_0.mcap"
        self._file = (self.partial / self._file_name).open("xb", buffering=0)
        self._mcap = McapWriter(self._file, compression)
        self._topics: dict[str, TopicRecord] = {}
        self._schemas: dict[str, int] = {}
        self._span: tuple[int, int] | None = None

    def _make_folder(self) -> None:
        for folder in (self.path, self.partial):
            if folder.exists() or folder.is_symlink():
                hint = "an unfinished run left it; " if folder == self.partial else ""
                raise BagError(f"{str(folder)!r} exists: {hint}move it away or choose another output")
        try:
            self.partial.mkdir(parents=True)
        except OSError as error:
            raise BagError(f"output folder {str(self.partial)!r} can't be made: {error}") from error

    def write(self, topic: str, log_time_ns: int, message: Any) -> None:
        """Write a rosbags message object of a type that ROS 2 Jazzy knows."""
        name = message.__msgtype__
        self.write_raw(topic, name, log_time_ns, jazzy().serialize_cdr(message, name))

    def write_raw(self, topic: str, type: str, log_time_ns: int, cdr: Buffer) -> None:
        """Write serialised bytes; they are kept until their chunk is full, so they must not change any more.

        A topic of a type that Jazzy doesn't know must be declared first (`declare`).
        """
        record = self._topics.get(topic) or self.declare(topic, type)
        if record.type != type:
            raise BagError(f"topic {topic!r} was written as {record.type!r}; {type!r} can't go into the same topic")
        try:
            self._mcap.add_message(record.channel_id, log_time_ns, cdr)
        except OSError as error:
            raise BagError(f"{str(self.partial)!r} can't be written: {error}; is the disk full?") from error
        record.count += 1
        start, end = self._span or (log_time_ns, log_time_ns)
        self._span = (min(start, log_time_ns), max(end, log_time_ns))

    def declare(self, topic: str, type: str, channel: Channel | None = None) -> TopicRecord:
        """Make a topic before its first message; `channel` brings definition and latching from another bag.

        `/tf_static` is always latched. Raises BagError if the type's definition is unknown, or the topic is there.
        """
        if topic in self._topics:
            raise BagError(f"topic {topic!r} is already in the output; it can't be declared twice")
        if type not in self._schemas:
            self._schemas[type] = self._add_schema(type, channel)
        latched = topic.endswith("/tf_static") or (channel is not None and channel.latched)
        type_hash = jazzy().hash_rihs01(type) if type in jazzy().types else ""
        metadata = {"offered_qos_profiles": qos_text(latched), "topic_type_hash": type_hash}
        channel_id = self._mcap.add_channel(topic, self._schemas[type], metadata)
        self._topics[topic] = TopicRecord(channel_id, topic, type, type_hash, latched)
        return self._topics[topic]

    def _add_schema(self, type: str, channel: Channel | None) -> int:
        if channel is not None and channel.definition:
            return self._mcap.add_schema(type, channel.definition_format, channel.definition)
        if type not in jazzy().types:
            raise BagError(f"the definition of {type!r} is unknown: declare its topic with the channel of another bag")
        definition, _ = jazzy().generate_msgdef(type, ros_version=2)
        return self._mcap.add_schema(type, "ros2msg", definition)

    def close(self) -> None:
        """End the file and give the folder its name. Raises BagError: the disk is full, or the name was taken."""
        try:
            self._end()
            self.partial.rename(self.path)
        except OSError as error:
            problem = f"{str(self.path)!r} can't be completed: {error}; what was written is in {str(self.partial)!r}"
            raise BagError(problem) from error

    def discard(self) -> None:
        """Remove what was written: for a run that came to nothing."""
        self._file.close()
        shutil.rmtree(self.partial)

    def _end(self) -> None:
        start, end = self._span or (0, 0)
        count = sum(topic.count for topic in self._topics.values())
        content = describe([FileRecord(self._file_name, start, end, count)], list(self._topics.values()))
        self._mcap.add_metadata("rosbag2", {"serialized_metadata": to_yaml(content)})
        self._mcap.finish()
        self._file.close()
        (self.partial / "metadata.yaml").write_text(to_yaml({"rosbag2_bagfile_information": content}))

    def __enter__(self) -> BagWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._file.closed:  # closed or discarded by hand
            return
        if kind is None:
            self.close()
            return
        log.warning("interrupted: what was written so far is in %s", self.partial)
        try:
            self._end()
        except OSError as again:  # the disk is full, which may be why we are here
            log.warning("its end could not be written (%s): it reads up to the last whole chunk", again)
            self._file.close()
