"""Where the messages of an MCAP file lie: from its summary, or by walking a file that has lost its end."""

from __future__ import annotations

import io
import struct
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

from depth_perception.bags import mcap_records as mcap

if TYPE_CHECKING:
    from mcap.records import Channel, Schema

RUN_BYTES = 1 << 20  # messages outside chunks are read in runs of about this size


@dataclass(frozen=True)
class Block:
    """A chunk, or a run of records outside chunks: what is read in one go."""

    start_ns: int
    offset: int  # of the first record's head
    length: int  # bytes, record heads included
    is_chunk: bool
    channel_ids: frozenset[int] | None  # None = unknown without looking inside


@dataclass
class Index:
    """`problem` is empty for a whole file, else a sentence that says what is missing."""

    schemas: dict[int, Schema] = field(default_factory=dict)
    channels: dict[int, Channel] = field(default_factory=dict)
    counts: Counter[int] = field(default_factory=Counter)  # channel id -> messages
    blocks: list[Block] = field(default_factory=list)  # in file order
    problem: str = ""
    damaged: int = 0  # chunks


def read_index(file: BinaryIO) -> Index:
    """The index of an MCAP file. A file without a usable summary is walked record by record (no chunk is unpacked
    whose message index names only known channels)."""
    return _from_summary(file) or walked(file)


def walked(file: BinaryIO) -> Index:
    """The index of a file whose summary isn't asked."""
    return _Walk(file).index


def is_whole(file: BinaryIO) -> bool:
    """True if the file has its end, and every message in it can be reached."""
    size = file.seek(0, io.SEEK_END)
    file.seek(max(size - len(mcap.MAGIC), 0))
    return file.read() == mcap.MAGIC and read_index(file).problem == ""


def _from_summary(file: BinaryIO) -> Index | None:
    from mcap.exceptions import McapError
    from mcap.reader import SeekingReader

    try:
        file.seek(0)
        summary = SeekingReader(file).get_summary()
    except (McapError, struct.error, ValueError, OSError):
        return None
    if summary is None or summary.statistics is None or not _is_complete(summary):
        return None
    blocks = []
    for chunk in sorted(summary.chunk_indexes, key=lambda chunk: chunk.chunk_start_offset):
        ids = frozenset(chunk.message_index_offsets) or None
        blocks.append(Block(chunk.message_start_time, chunk.chunk_start_offset, chunk.chunk_length, True, ids))
    counts = Counter(summary.statistics.channel_message_counts)
    return Index(summary.schemas, summary.channels, counts, blocks)


def _is_complete(summary: object) -> bool:
    """False if messages lie outside chunks or the channels aren't repeated: both are allowed, and need the walk."""
    statistics = summary.statistics  # type: ignore[attr-defined]
    chunks, channels = summary.chunk_indexes, summary.channels  # type: ignore[attr-defined]
    return statistics.message_count == 0 or (len(chunks) == statistics.chunk_count > 0 and bool(channels))


class _Walk:
    """Walks the records of the data section and seeks over what needs no look."""

    def __init__(self, file: BinaryIO) -> None:
        self.index = Index()
        self._file = file
        self._size = file.seek(0, io.SEEK_END)
        self._run: tuple[int, int, int] | None = None  # (start_ns, offset, length) of messages outside chunks
        self._run_ids: set[int] = set()
        self._chunk: tuple[int, int, mcap.ChunkHead] | None = None  # waits for the message indexes that follow it
        self._chunk_counts: Counter[int] = Counter()
        self._walk()

    def _walk(self) -> None:
        position, ended = len(mcap.MAGIC), False
        while not ended:
            self._file.seek(position)
            head = self._file.read(mcap.HEADER_SIZE)
            if len(head) < mcap.HEADER_SIZE:
                break
            opcode, length = mcap.record_head(head)
            end = position + mcap.HEADER_SIZE + length
            if opcode == 0 or end > self._size:  # 0 is no opcode: a power cut leaves zeros
                break
            ended = opcode in (mcap.DATA_END, mcap.FOOTER)
            self._visit(opcode, position, length)
            position = end
        self._close_run()
        self._close_chunk()
        self._describe(position, ended)

    def _describe(self, position: int, ended: bool) -> None:
        parts = []
        if not ended:
            parts.append(
                f"the file has no end (recorder killed?): read up to byte {position} of {self._size}, "
                f"{self.index.counts.total()} messages"
            )
        if self.index.damaged:
            parts.append(f"{self.index.damaged} damaged chunks left out")
        self.index.problem = "; ".join(parts)

    def _visit(self, opcode: int, position: int, length: int) -> None:
        if opcode == mcap.MESSAGE_INDEX:
            channel_id, size = self._u16_u32()
            self._chunk_counts[channel_id] += size // 16
            return
        self._close_chunk()
        self._file.seek(position + mcap.HEADER_SIZE)  # closing a chunk may have looked inside it
        if opcode == mcap.CHUNK:
            self._close_run()
            self._open_chunk(position, length)
        elif opcode == mcap.MESSAGE:
            self._add_to_run(position, length)
        elif opcode in (mcap.SCHEMA, mcap.CHANNEL):
            self._define(opcode, self._file.read(length))

    def _u16_u32(self) -> tuple[int, int]:
        head = self._file.read(6)
        return int.from_bytes(head[:2], "little"), int.from_bytes(head[2:], "little")

    def _define(self, opcode: int, body: bytes) -> None:
        from mcap.data_stream import ReadDataStream
        from mcap.records import Channel, Schema

        stream = ReadDataStream(io.BytesIO(body))
        if opcode == mcap.SCHEMA:
            schema = Schema.read(stream)
            self.index.schemas[schema.id] = schema
        else:
            channel = Channel.read(stream)
            self.index.channels[channel.id] = channel

    def _add_to_run(self, position: int, length: int) -> None:
        channel_id, log_time_ns, _ = mcap.message(memoryview(self._file.read(22)))
        self.index.counts[channel_id] += 1
        size = mcap.HEADER_SIZE + length
        if self._run is not None:
            start_ns, offset, run = self._run
            if position == offset + run and run < RUN_BYTES:
                self._run = (min(start_ns, log_time_ns), offset, run + size)
                self._run_ids.add(channel_id)
                return
        self._close_run()
        self._run, self._run_ids = (log_time_ns, position, size), {channel_id}

    def _close_run(self) -> None:
        if self._run is not None:
            start_ns, offset, length = self._run
            self.index.blocks.append(Block(start_ns, offset, length, False, frozenset(self._run_ids)))
        self._run, self._run_ids = None, set()

    def _close_chunk(self) -> None:
        if self._chunk is None:
            return
        position, length, head = self._chunk
        counts = self._chunk_counts
        if not counts or not counts.keys() <= self.index.channels.keys():
            inside = self._look_inside(position, length)
            if inside is None:
                self.index.damaged += 1
            counts = inside or Counter()
        if counts:
            self.index.counts.update(counts)
            self.index.blocks.append(Block(head.start_ns, position, length, True, frozenset(counts)))
        self._chunk, self._chunk_counts = None, Counter()

    def _open_chunk(self, position: int, length: int) -> None:
        try:
            head = mcap.chunk_head(self._file.read(min(length, 64)))
        except (struct.error, ValueError):
            self.index.damaged += 1
            return
        self._chunk = (position, length + mcap.HEADER_SIZE, head)

    def _look_inside(self, position: int, length: int) -> Counter[int] | None:
        """Messages per channel of a chunk, noting the schemas and channels in it; None if it is damaged."""
        self._file.seek(position + mcap.HEADER_SIZE)
        counts: Counter[int] = Counter()
        try:
            content = mcap.unpack_chunk(memoryview(self._file.read(length - mcap.HEADER_SIZE)))
            for opcode, body in mcap.records(content):
                if opcode in (mcap.SCHEMA, mcap.CHANNEL):
                    self._define(opcode, bytes(body))
                elif opcode == mcap.MESSAGE:
                    counts[mcap.message(body)[0]] += 1
        except (ValueError, struct.error):
            return None
        return counts
