"""A chunked, indexed MCAP file without copying the messages (specification: https://mcap.dev/spec).

The `mcap` library's writer copies every message three times and compresses at zstd's level 3 only, which takes longer
than the network does. Its record classes write everything here that is small.
"""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from typing import TYPE_CHECKING, Any, BinaryIO

from depth_perception.bags.mcap_records import CHUNK, HEADER_SIZE, MAGIC, MESSAGE
from depth_perception.bags.source import Buffer

if TYPE_CHECKING:
    from mcap.records import McapRecord

COMPRESSIONS = ("none", "lz4", "zstd")
CHUNK_BYTES = 1 << 20
ZSTD_LEVEL = 1  # level 3 saves 5 % more of a depth image and takes ten times as long

_message = struct.Struct("<BQHIQQ")
_chunk = struct.Struct("<BQQQQI")


class _Chunk:
    """Records on their way into the file, as references."""

    def __init__(self) -> None:
        self.pieces: list[Buffer] = []
        self.size = 0  # bytes
        self.index: dict[int, list[tuple[int, int]]] = {}  # channel → (log time, offset in the chunk)

    def add(self, *pieces: Buffer) -> None:
        self.pieces.extend(pieces)
        self.size += sum(map(len, pieces))

    def span(self) -> tuple[int, int]:
        """First and last log time."""
        times = [time for entries in self.index.values() for time, _ in entries]
        return min(times), max(times)


class McapWriter:
    """Writes to an open file. Message data is kept until its chunk is full, so it must not change once added."""

    def __init__(self, file: BinaryIO, compression: str) -> None:
        from mcap.records import Header

        self._file = file
        self._compression = "" if compression == "none" else compression
        self._position = 0
        self._summary: dict[str, list[McapRecord]] = {"schemas": [], "channels": [], "chunks": [], "metadata": []}
        self._counts: Counter[int] = Counter()
        self._span: tuple[int, int] | None = None
        self._chunk = _Chunk()
        self._write(MAGIC)
        self._write(_bytes(Header(profile="ros2", library="depth_perception")))

    def add_schema(self, name: str, encoding: str, definition: str) -> int:
        """A message definition; returns its id."""
        from mcap.records import Schema

        schema = Schema(id=len(self._summary["schemas"]) + 1, data=definition.encode(), encoding=encoding, name=name)
        return self._define("schemas", schema)

    def add_channel(self, topic: str, schema_id: int, metadata: dict[str, str]) -> int:
        """A topic; returns its id."""
        from mcap.records import Channel

        key = len(self._summary["channels"]) + 1
        return self._define(
            "channels", Channel(id=key, topic=topic, message_encoding="cdr", metadata=metadata, schema_id=schema_id)
        )

    def add_message(self, channel_id: int, log_time_ns: int, data: Buffer) -> None:
        """A serialised message. A chunk that is full is written."""
        head = _message.pack(MESSAGE, len(data) + 22, channel_id, 0, log_time_ns, log_time_ns)
        self._chunk.index.setdefault(channel_id, []).append((log_time_ns, self._chunk.size))
        self._chunk.add(head, data)
        if self._chunk.size > CHUNK_BYTES:
            self._end_chunk()

    def add_metadata(self, name: str, values: dict[str, str]) -> None:
        """A named set of texts."""
        from mcap.records import Metadata, MetadataIndex

        self._end_chunk()
        record = _bytes(Metadata(name=name, metadata=values))
        self._summary["metadata"].append(MetadataIndex(offset=self._position, length=len(record), name=name))
        self._write(record)

    def finish(self) -> None:
        """Write what is left, the summary and the footer. The file stays open."""
        from mcap.opcode import Opcode
        from mcap.records import DataEnd, Footer, SummaryOffset

        self._end_chunk()
        self._write(_bytes(DataEnd(data_section_crc=0)))
        summary_start, offsets = self._position, []
        groups = {
            Opcode.SCHEMA: self._summary["schemas"],
            Opcode.CHANNEL: self._summary["channels"],
            Opcode.STATISTICS: [self._statistics()],
            Opcode.CHUNK_INDEX: self._summary["chunks"],
            Opcode.METADATA_INDEX: self._summary["metadata"],
        }
        for opcode, group in groups.items():
            start = self._position
            self._write(b"".join(map(_bytes, group)))
            if group:
                offsets.append(
                    SummaryOffset(group_opcode=opcode, group_start=start, group_length=self._position - start)
                )
        offsets_start = self._position
        self._write(b"".join(map(_bytes, offsets)))
        self._write(_bytes(Footer(summary_start=summary_start, summary_offset_start=offsets_start, summary_crc=0)))
        self._write(MAGIC)
        self._file.flush()

    def _define(self, group: str, record: Any) -> int:
        self._summary[group].append(record)
        self._chunk.add(_bytes(record))
        return int(record.id)

    def _end_chunk(self) -> None:
        from mcap.records import ChunkIndex, MessageIndex

        chunk, offset = self._chunk, self._position
        if not chunk.index:
            return
        start, end = chunk.span()
        length = self._write_chunk(chunk, start, end)
        index_start, index_offsets = self._position, {}
        for channel_id, entries in chunk.index.items():
            index_offsets[channel_id] = self._position
            self._write(_bytes(MessageIndex(channel_id=channel_id, records=entries)))
            self._counts[channel_id] += len(entries)
        self._file.flush()  # a whole chunk survives a kill
        self._summary["chunks"].append(
            ChunkIndex(
                chunk_length=index_start - offset, chunk_start_offset=offset, compression=self._compression,
                compressed_size=length, message_end_time=end, message_index_length=self._position - index_start,
                message_index_offsets=index_offsets, message_start_time=start, uncompressed_size=chunk.size,
            )
        )  # fmt: skip
        before = self._span or (start, end)
        self._span = (min(start, before[0]), max(end, before[1]))
        self._chunk = _Chunk()

    def _write_chunk(self, chunk: _Chunk, start: int, end: int) -> int:
        """The chunk record; returns the bytes of its content as stored."""
        pieces, length, crc = chunk.pieces, chunk.size, 0
        if self._compression:
            content = b"".join(chunk.pieces)
            crc, packed = zlib.crc32(content), _compressed(content, self._compression)
            pieces, length = [packed], len(packed)
        name = self._compression.encode()
        tail = struct.pack("<I", len(name)) + name + struct.pack("<Q", length)
        body = _chunk.size - HEADER_SIZE + len(tail) + length
        for piece in (_chunk.pack(CHUNK, body, start, end, chunk.size, crc), tail, *pieces):
            self._write(piece)
        return length

    def _statistics(self) -> McapRecord:
        from mcap.records import Statistics

        start, end = self._span or (0, 0)
        return Statistics(
            attachment_count=0, channel_count=len(self._summary["channels"]), channel_message_counts=dict(self._counts),
            chunk_count=len(self._summary["chunks"]), message_count=self._counts.total(), message_end_time=end,
            message_start_time=start, metadata_count=len(self._summary["metadata"]),
            schema_count=len(self._summary["schemas"]),
        )  # fmt: skip

    def _write(self, data: Buffer) -> None:
        self._file.write(data)
        self._position += len(data)


def _bytes(record: Any) -> bytes:
    from mcap.data_stream import RecordBuilder

    builder = RecordBuilder()
    record.write(builder)
    return builder.end()


def _compressed(content: bytes, compression: str) -> bytes:
    if compression == "lz4":
        import lz4.frame

        return bytes(lz4.frame.compress(content))
    import zstandard

    return zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(content)
