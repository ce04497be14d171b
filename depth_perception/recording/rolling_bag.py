"""A rosbag2 folder that grows file by file, readable at every moment."""

from __future__ import annotations

import contextlib
import fcntl
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from depth_perception.bags.files import ACTIVE
from depth_perception.bags.mcap_writer import McapWriter
from depth_perception.bags.metadata import FileRecord, TopicRecord, describe, qos_text, to_yaml
from depth_perception.recording.records import Message, Topic


@dataclass(frozen=True)
class Layout:
    """How files are written. 0 = no limit."""

    compression: str = "zstd"
    zstd_level: int = -1
    chunk_bytes: int = 4_000_000
    chunk_s: float = 1.0
    max_bytes: int = 0
    max_s: float = 0.0
    keep_files: int = 0


@dataclass(frozen=True)
class Closed:
    """What became of a recording. `problem` is "" or a sentence; `lost` counts messages that could not be written."""

    path: Path
    files: int
    messages: int
    bytes: int
    lost: Counter[str]
    problem: str = ""


class RollingBag:
    """Writes `path/<name>_0.mcap`, `_1.mcap`, … and metadata.yaml; one thread.

    The file that is being written is called `….mcap.active`, as ROS 1 called its own, and gets its name when it has its
    end: so whatever is called `.mcap` is whole, can be copied away while the robot records, and is what metadata.yaml
    lists; `ros2 bag info` and `play` work on the folder at any time after the first split. `ros2 bag record` gives the
    last name at once, and a kill leaves a file that looks like the others and opens nowhere. A kill here leaves one
    `.active`, locked by nobody: the next start, `depth-perception recover` and our reader know what it is.

    Each file begins with what `repeated` gives (static transforms, calibrations), so each can be used alone.
    """

    def __init__(
        self, path: Path, layout: Layout, repeated: Callable[[int], Iterable[Message]],
        clock: Callable[[], float] = time.monotonic, notes: dict[str, str] | None = None,
    ) -> None:  # fmt: skip
        """`repeated(log_time_ns)` gives the messages that a file begins with; `notes` go into metadata.yaml.

        Raises OSError if the folder can't be made, or is there.
        """
        path.mkdir(parents=True)
        self.path, self._layout, self._repeated, self._clock, self._notes = path, layout, repeated, clock, notes or {}
        self._topics: dict[str, Topic] = {}
        self._whole: list[tuple[FileRecord, Counter[str]]] = []  # files that have their end, and what is in them
        self._number = 0
        self._written = Counter[str]()  # messages handed over, of every file
        self._safe = Counter[str]()  # of these, those in whole chunks
        self._bytes = 0
        self._file: BinaryIO | None = None

    def takes(self, topic: Topic) -> bool:
        """False if the recording knows this topic by another type: a rosbag2's topic has one."""
        known = self._topics.get(topic.name)
        return known is None or known.type == topic.type

    def write(self, message: Message) -> None:
        """Raises OSError if the disk doesn't take it: then only `close` makes sense."""
        if self._file is not None and self._is_full():
            self._end_file()
        if self._file is None:
            self._begin_file()
            for repeated in self._repeated(message.log_time_ns):
                if self.takes(repeated.topic):
                    self._add(repeated)
        self._add(message)

    def tick(self) -> None:
        """Call it now and then: a chunk that has become old is written. Raises OSError."""
        if self._file is not None and self._mcap.pending_bytes and self._clock() - self._since >= self._layout.chunk_s:
            self._mcap.end_chunk()

    @property
    def bytes(self) -> int:
        """In all files that were written."""
        return self._bytes + (self._mcap.position if self._file is not None else 0)

    @property
    def file_name(self) -> str:
        """Of the file that is being written, when it is whole."""
        return f"{self.path.name}_{self._number}.mcap"

    def close(self) -> Closed:
        """End the file. Never raises: what could not be written is said."""
        problem = ""
        for _ in range(2):  # the second time without the chunk that didn't fit, whose room the file's end needs
            if self._file is None:
                break
            try:
                self._end_file()
                problem = ""
            except OSError as error:
                problem = f"{self.path} isn't finished ({error}): make room, then depth-perception recover {self.path}"
        if self._file is not None:
            self._count()
            self._file.close()
            self._file = None
        if not any(self.path.iterdir()):
            self.path.rmdir()
        messages = sum(record.count for record, _ in self._whole)
        return Closed(self.path, len(self._whole), messages, self._bytes, self._written - self._safe, problem)

    def _is_full(self) -> bool:
        size = self._mcap.position + self._mcap.pending_bytes
        too_large = 0 < self._layout.max_bytes <= size
        return too_large or 0 < self._layout.max_s <= self._clock() - self._begun

    def _begin_file(self) -> None:
        file = (self.path / (self.file_name + ACTIVE)).open("xb", buffering=0)
        with contextlib.suppress(OSError):  # some network file systems have no locks
            fcntl.flock(file, fcntl.LOCK_EX)  # a kill unlocks it: so recovery knows what is still being written
        layout = self._layout
        try:
            self._mcap = McapWriter(file, layout.compression, layout.chunk_bytes, layout.zstd_level)
        except OSError:
            file.close()
            (self.path / (self.file_name + ACTIVE)).unlink()
            raise
        self._channels: dict[str, int] = {}
        self._schemas: dict[str, int] = {}
        self._begun = self._since = self._clock()
        self._file = file

    def _add(self, message: Message) -> None:
        topic = message.topic
        channel = self._channels.get(topic.name) or self._declare(topic)
        if not self._mcap.pending_bytes:
            self._since = self._clock()
        self._written[topic.name] += 1
        self._mcap.add_message(channel, message.log_time_ns, message.data, message.publish_time_ns)

    def _declare(self, topic: Topic) -> int:
        self._topics.setdefault(topic.name, topic)
        if topic.type not in self._schemas:
            self._schemas[topic.type] = self._mcap.add_schema(topic.type, "ros2msg", topic.definition)
        metadata = {"offered_qos_profiles": qos_text(topic.latched), "topic_type_hash": topic.type_hash}
        self._channels[topic.name] = self._mcap.add_channel(topic.name, self._schemas[topic.type], metadata)
        return self._channels[topic.name]

    def _in_file(self) -> Counter[str]:
        """Messages of the file in whole chunks."""
        counts = self._mcap.summary.counts
        return Counter({name: counts[channel] for name, channel in self._channels.items()})

    def _count(self) -> None:
        self._safe += self._in_file()
        self._bytes += self._mcap.position

    def _end_file(self) -> None:
        assert self._file is not None
        self._mcap.end_chunk()
        found = self._in_file()
        record = FileRecord(self.file_name, *self._mcap.summary.span, found.total())
        if not self._mcap.summary.has_metadata:  # the first try may have come so far
            about = describe([record], self._records(found), self._notes)
            self._mcap.add_metadata("rosbag2", {"serialized_metadata": to_yaml(about)})
        self._mcap.finish()
        (self.path / (self.file_name + ACTIVE)).rename(self.path / self.file_name)
        self._count()
        self._file.close()
        self._file = None
        self._whole.append((record, found))
        self._number += 1
        self._forget_old()

    def _forget_old(self) -> None:
        """Remove the oldest files beyond those to keep; metadata.yaml never names one that is gone."""
        keep = self._layout.keep_files
        gone, self._whole = (self._whole[:-keep], self._whole[-keep:]) if keep else ([], self._whole)
        self._write_metadata()
        for record, _ in gone:
            (self.path / record.name).unlink(missing_ok=True)

    def _write_metadata(self) -> None:
        total: Counter[str] = sum((counts for _, counts in self._whole), Counter())
        about = describe([record for record, _ in self._whole], self._records(total), self._notes)
        write_metadata(self.path, about)

    def _records(self, counts: Counter[str]) -> list[TopicRecord]:
        return [
            TopicRecord(0, topic.name, topic.type, topic.type_hash, topic.latched, counts[topic.name])
            for topic in self._topics.values()
            if counts[topic.name]
        ]


def write_metadata(folder: Path, about: dict[str, object]) -> None:
    """Replace metadata.yaml at once: a reader sees the old one or the new one."""
    new = folder / "metadata.yaml.new"
    new.write_text(to_yaml({"rosbag2_bagfile_information": about}))
    new.replace(folder / "metadata.yaml")
