"""A chunked, indexed MCAP file without copying the messages (specification: https://mcap.dev/spec).

The `mcap` library's writer copies every message three times and compresses at zstd's level 3 only, which takes longer
than the network does. Its record classes write everything here that is small.
"""

from __future__ import annotations

import contextlib
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from depth_perception.bags.mcap_records import CHUNK, HEADER_SIZE, MAGIC, MESSAGE
from depth_perception.bags.mcap_summary import McapSummary, to_bytes
from depth_perception.bags.source import Buffer

if TYPE_CHECKING:
    from mcap.records import Channel, Schema

COMPRESSIONS = ("none", "lz4", "zstd")
CHUNK_BYTES = 1 << 20
ZSTD_LEVEL = 1  # level 3 saves 5 % more of a depth image and takes ten times as long

_message = struct.Struct("<BQHIQQ")
_chunk = struct.Struct("<BQQQQI")


class Chunk:
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
    """Writes to an open file, best an unbuffered one: then a chunk that doesn't fit leaves nothing behind.

    Message data is kept until its chunk is full, so it must not change once added. Any call that writes may raise
    OSError; the messages of the chunk that was being written are lost then, all that was written before is whole, and
    `finish` can still be tried.
    """

    def __init__(
        self, file: BinaryIO, compression: str, chunk_bytes: int = CHUNK_BYTES, level: int = ZSTD_LEVEL
    ) -> None:
        """`level` is zstd's; negative ones are faster and pack less."""
        from mcap.records import Header

        self._file = file
        self._compression = "" if compression == "none" else compression
        self._chunk_bytes = chunk_bytes
        self._packer = _packer(self._compression, level)
        self.position = 0  # bytes written
        self.summary = McapSummary()  # of what is in the file: its counts say which messages are safe
        self._chunk = Chunk()
        self._write(MAGIC + to_bytes(Header(profile="ros2", library="depth_perception")))

    @property
    def pending_bytes(self) -> int:
        """Bytes of records that wait for their chunk to be full."""
        return self._chunk.size

    def add_schema(self, name: str, encoding: str, definition: str) -> int:
        """A message definition; returns its id."""
        from mcap.records import Schema

        key = len(self.summary.schemas) + 1
        return self._define(
            self.summary.schemas, Schema(id=key, data=definition.encode(), encoding=encoding, name=name)
        )

    def add_channel(self, topic: str, schema_id: int, metadata: dict[str, str]) -> int:
        """A topic; returns its id."""
        from mcap.records import Channel

        key = len(self.summary.channels) + 1
        channel = Channel(id=key, topic=topic, message_encoding="cdr", metadata=metadata, schema_id=schema_id)
        return self._define(self.summary.channels, channel)

    def add_message(self, channel_id: int, log_time_ns: int, data: Buffer, publish_time_ns: int | None = None) -> None:
        """A serialised message; its publish time is the log time if nobody knows better. A full chunk is written."""
        published = log_time_ns if publish_time_ns is None else publish_time_ns
        head = _message.pack(MESSAGE, len(data) + 22, channel_id, 0, log_time_ns, published)
        self._chunk.index.setdefault(channel_id, []).append((log_time_ns, self._chunk.size))
        self._chunk.add(head, data)
        if self._chunk.size > self._chunk_bytes:
            self.end_chunk()

    def add_metadata(self, name: str, values: dict[str, str]) -> None:
        """A named set of texts."""
        from mcap.records import Metadata

        self.end_chunk()
        record = to_bytes(Metadata(name=name, metadata=values))
        start = self.position
        self._write(record)
        self.summary.add_metadata(name, start, len(record))

    def finish(self) -> None:
        """Write what is left, the summary and the footer. The file stays open."""
        self.end_chunk()
        self._write(self.summary.end(self.position))

    def _define(self, group: dict[int, Any], record: Schema | Channel) -> int:
        group[record.id] = record
        self._chunk.add(to_bytes(record))
        return int(record.id)

    def end_chunk(self) -> None:
        """Write what waits, so that a kill can't take it."""
        from mcap.records import MessageIndex

        chunk, offset = self._chunk, self.position
        if not chunk.index:
            return
        self._chunk = Chunk()
        start, end = chunk.span()
        crc, stored, pieces = self._packed(chunk)
        head = self._head(chunk, start, end, crc, stored)
        index_start = offset + len(head) + stored
        index_offsets, index = {}, bytearray()
        for channel_id, entries in chunk.index.items():
            index_offsets[channel_id] = index_start + len(index)
            index += to_bytes(MessageIndex(channel_id=channel_id, records=entries))
        self._write(head, *pieces, index)
        self.summary.add_chunk(
            offset=offset, length=index_start - offset, start_ns=start, end_ns=end, compression=self._compression,
            stored=stored, size=chunk.size, index_offsets=index_offsets, index_length=len(index),
            counts={channel_id: len(entries) for channel_id, entries in chunk.index.items()},
        )  # fmt: skip

    def _packed(self, chunk: Chunk) -> tuple[int, int, list[Buffer]]:
        """(checksum or 0, bytes, pieces) of the content as it is stored."""
        if self._packer is None:
            return 0, chunk.size, chunk.pieces
        crc = 0
        for piece in chunk.pieces:
            crc = zlib.crc32(piece, crc)
        pieces: list[Buffer] = list(self._packer(chunk))
        return crc, sum(map(len, pieces)), pieces

    def _head(self, chunk: Chunk, start: int, end: int, crc: int, stored: int) -> bytes:
        name = self._compression.encode()
        tail = struct.pack("<I", len(name)) + name + struct.pack("<Q", stored)
        body = _chunk.size - HEADER_SIZE + len(tail) + stored
        return _chunk.pack(CHUNK, body, start, end, chunk.size, crc) + tail

    def _write(self, *pieces: Buffer | bytearray) -> None:
        """All of the pieces or, if that fails, none of them."""
        start = self.position
        try:
            for piece in pieces:
                view = memoryview(piece)
                while view:  # an unbuffered file may take a part when the disk is nearly full
                    view = view[self._file.write(view) :]
                self.position += len(piece)
            self._file.flush()  # a whole chunk survives a kill
        except OSError:
            self.position = start
            with contextlib.suppress(OSError):
                self._file.seek(start)
                self._file.truncate()
            raise


def _packer(compression: str, level: int) -> Callable[[Chunk], Iterator[bytes]] | None:
    """Turns a chunk's pieces into compressed ones without joining them first; None = stored as they are."""
    if compression == "":
        return None
    if compression == "lz4":
        import lz4.frame

        return lambda chunk: iter([bytes(lz4.frame.compress(b"".join(chunk.pieces)))])
    import zstandard

    compressor = zstandard.ZstdCompressor(level=level)

    def pack(chunk: Chunk) -> Iterator[bytes]:
        stream = compressor.compressobj(size=chunk.size)
        for piece in chunk.pieces:
            if packed := stream.compress(piece):
                yield packed
        yield stream.flush()

    return pack
