"""The few MCAP records that reading needs, straight from bytes (specification: https://mcap.dev/spec).

Kept apart from the `mcap` library's own readers because those refuse a file without its end, and copy every message.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

MAGIC = b"\x89MCAP0\r\n"
HEADER_SIZE = 9  # opcode, length

HEADER, FOOTER, SCHEMA, CHANNEL, MESSAGE, CHUNK, MESSAGE_INDEX = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07
DATA_END = 0x0F

_record = struct.Struct("<BQ")
_message = struct.Struct("<HIQQ")
_chunk = struct.Struct("<QQQI")
_u32 = struct.Struct("<I")
_u64 = struct.Struct("<Q")


class ChunkHead(NamedTuple):
    """A chunk record's fields before its data."""

    start_ns: int
    end_ns: int
    size: int  # uncompressed
    crc: int  # 0 = not computed
    compression: str
    data_offset: int  # from the start of the record's body
    data_length: int


def record_head(head: bytes) -> tuple[int, int]:
    """(opcode, body length) from a record's first 9 bytes."""
    return _record.unpack(head)


def records(content: memoryview) -> Iterator[tuple[int, memoryview]]:
    """(opcode, body) of each record. Raises ValueError where a record runs beyond the end."""
    position, end = 0, len(content)
    while position < end:
        if position + HEADER_SIZE > end:
            raise ValueError("a record head is cut off")
        opcode, length = _record.unpack_from(content, position)
        position += HEADER_SIZE
        if position + length > end:
            raise ValueError(f"a record of {length} bytes is cut off")
        yield opcode, content[position : position + length]
        position += length


def message(body: memoryview) -> tuple[int, int, memoryview]:
    """(channel id, log time ns, data) of a message record."""
    channel_id, _sequence, log_time_ns, _publish_time = _message.unpack_from(body)
    return channel_id, log_time_ns, body[_message.size :]


def chunk_head(body: bytes | memoryview) -> ChunkHead:
    """The head of a chunk record, from the first bytes of its body (up to 64 are enough)."""
    start, end, size, crc = _chunk.unpack_from(body)
    (length,) = _u32.unpack_from(body, _chunk.size)
    offset = _chunk.size + _u32.size
    compression = bytes(body[offset : offset + length]).decode()
    (data_length,) = _u64.unpack_from(body, offset + length)
    return ChunkHead(start, end, size, crc, compression, offset + length + _u64.size, data_length)


def unpack_chunk(body: memoryview) -> memoryview:
    """The records inside a chunk, decompressed and checked. Raises ValueError if the chunk is damaged.

    The checksum is verified where the chunk is compressed. Elsewhere a flipped bit costs at most the message it is in,
    and summing up every image would take a third of the reading time.
    """
    head = chunk_head(body)
    data = body[head.data_offset : head.data_offset + head.data_length]
    content = _decompress(data, head.compression, head.size)
    if len(content) != head.size:
        raise ValueError(f"{len(content)} bytes instead of {head.size}")
    if head.compression and head.crc and zlib.crc32(content) != head.crc:
        raise ValueError("checksum mismatch")
    return content


def _decompress(data: memoryview, compression: str, size: int) -> memoryview:
    if compression == "":
        return data
    if compression == "zstd":
        import zstandard

        try:
            return memoryview(zstandard.ZstdDecompressor().decompress(data, max_output_size=size))
        except zstandard.ZstdError as error:
            raise ValueError(str(error)) from error
    if compression == "lz4":
        import lz4.frame

        try:
            return memoryview(lz4.frame.decompress(data))
        except RuntimeError as error:
            raise ValueError(str(error)) from error
    raise ValueError(f"compression {compression!r} is not one of '', 'zstd', 'lz4'")
