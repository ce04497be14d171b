"""Give an MCAP file its end back: every whole chunk is kept, with an index and a summary that any reader takes."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from depth_perception.bags import mcap_records as mcap
from depth_perception.bags.mcap_index import Block, Index, walked
from depth_perception.bags.mcap_summary import McapSummary, to_bytes
from depth_perception.errors import BagError

Entries = dict[int, list[tuple[int, int]]]  # channel → (log time, offset in the chunk)
_chunk = struct.Struct("<BQQQQI")


@dataclass(frozen=True)
class Recovered:
    """What became of a file."""

    messages: int
    problem: str  # what was wrong; "" = nothing


def finish_in_place(path: Path) -> Recovered | None:
    """End a file where it lies: what is torn off at its end is cut away, nothing else is touched.

    A kill in the middle leaves a file that can be finished again. Needs hardly any space, so it works on a full disk.
    None: it can't be done without a copy (damage in the middle, no chunks or no message indexes), and the file is as it
    was. Raises BagError if it holds no whole chunk, OSError if it can't be written.
    """
    with path.open("r+b") as file:
        index = _walk(file, path)
        if index.damaged or not all(block.is_chunk for block in index.blocks):
            return None
        *blocks, last = index.blocks
        try:
            entries = _entries(_content(file, last))
        except (ValueError, struct.error):
            return None
        if not entries.keys() <= index.channels.keys():
            return None
        summary = _summary(index)
        if not all(_note_indexed(file, block, summary) for block in blocks):
            return None
        end = last.offset + last.length
        file.seek(end)
        file.truncate()
        end += _write_index(file, entries, _head(file, last), last.offset, last.length, summary)
        file.write(summary.end(end))
        return Recovered(summary.counts.total(), index.problem)


def copy_whole(path: Path, out: Path) -> Recovered:
    """Write what is whole in `path` to the new file `out`; every chunk is unpacked once to see that it is whole.

    Raises:
        BagError: the file holds no whole chunk, or the one that named its topics is damaged; `out` isn't made.
    """
    with path.open("rb") as file:
        index = _walk(file, path)
        summary, damaged = _summary(index), 0
        with out.open("xb") as target:
            target.write(mcap.MAGIC + _header())
            for record in (*index.schemas.values(), *index.channels.values()):
                target.write(to_bytes(record))
            for block in index.blocks:
                damaged += not _copy(file, block, target, index, summary)
            target.write(summary.end(target.tell()))
    if not summary.counts.total():
        out.unlink()
        raise BagError(f"{str(path)!r} holds nothing that can be read: {damaged} chunks are damaged")
    found = f"{damaged} damaged chunks left out" if damaged else ""
    return Recovered(summary.counts.total(), "; ".join(filter(None, [index.problem, found])))


def _walk(file: BinaryIO, path: Path) -> Index:
    head = file.read(len(mcap.MAGIC))
    if head != mcap.MAGIC:
        raise BagError(f"{str(path)!r} is no MCAP file: it starts with {head!r}; only MCAP files can be recovered")
    index = walked(file)
    if not index.blocks:
        raise BagError(f"{str(path)!r} holds no whole chunk: there is nothing to recover; {index.problem}")
    return index


def _summary(index: Index) -> McapSummary:
    summary = McapSummary()
    summary.schemas, summary.channels = index.schemas, index.channels
    return summary


def _header() -> bytes:
    from mcap.records import Header

    return to_bytes(Header(profile="ros2", library="depth_perception"))


def _head(file: BinaryIO, block: Block) -> mcap.ChunkHead:
    file.seek(block.offset + mcap.HEADER_SIZE)
    head = mcap.chunk_head(file.read(64))
    file.seek(block.offset + block.length)
    return head


def _content(file: BinaryIO, block: Block) -> memoryview:
    """The block's records. Raises ValueError if it is damaged."""
    file.seek(block.offset)
    content = memoryview(file.read(block.length))
    return mcap.unpack_chunk(content[mcap.HEADER_SIZE :]) if block.is_chunk else content


def _entries(content: memoryview) -> Entries:
    entries: Entries = {}
    position = 0
    for opcode, body in mcap.records(content):
        if opcode == mcap.MESSAGE:
            channel_id, log_time_ns, _ = mcap.message(body)
            entries.setdefault(channel_id, []).append((log_time_ns, position))
        position += mcap.HEADER_SIZE + len(body)
    return entries


def _note_indexed(file: BinaryIO, block: Block, summary: McapSummary) -> bool:
    """Note a chunk by the message indexes that follow it; False if there are none, or of channels nobody knows."""
    head, offsets, counts = _head(file, block), {}, {}
    position = start = block.offset + block.length
    while True:
        opcode, length = mcap.record_head(file.read(mcap.HEADER_SIZE).ljust(mcap.HEADER_SIZE, b"\0"))
        if opcode != mcap.MESSAGE_INDEX:
            break
        body = file.read(length)
        channel_id, size = struct.unpack_from("<HI", body)
        offsets[channel_id], counts[channel_id] = position, size // 16
        position += mcap.HEADER_SIZE + length
    if not offsets or not offsets.keys() <= summary.channels.keys():
        return False
    _note(summary, block.offset, block.length, head, offsets, position - start, counts)
    return True


def _write_index(
    file: BinaryIO, entries: Entries, head: mcap.ChunkHead, offset: int, length: int, summary: McapSummary
) -> int:
    """Write the message indexes of the chunk at `offset`, which ends the file so far; the bytes written."""
    from mcap.records import MessageIndex

    at, offsets, out = offset + length, {}, bytearray()
    for channel_id, messages in entries.items():
        offsets[channel_id] = at + len(out)
        out += to_bytes(MessageIndex(channel_id=channel_id, records=messages))
    file.seek(at)
    file.write(out)
    counts = {channel_id: len(messages) for channel_id, messages in entries.items()}
    _note(summary, offset, length, head, offsets, len(out), counts)
    return len(out)


def _note(
    summary: McapSummary, offset: int, length: int, head: mcap.ChunkHead, index_offsets: Mapping[int, int],
    index_length: int, counts: Mapping[int, int],
) -> None:  # fmt: skip
    summary.add_chunk(
        offset=offset, length=length, start_ns=head.start_ns, end_ns=head.end_ns, compression=head.compression,
        stored=head.data_length, size=head.size, index_offsets=index_offsets, index_length=index_length, counts=counts,
    )  # fmt: skip


def _copy(file: BinaryIO, block: Block, target: BinaryIO, index: Index, summary: McapSummary) -> bool:
    """Copy one chunk as it is, or a run of messages as a chunk of their own; False if it is damaged."""
    try:
        content = _content(file, block)
        entries = _entries(content)
    except (ValueError, struct.error):
        return False
    offset = target.tell()
    if block.is_chunk and entries.keys() <= index.channels.keys():
        head = _head(file, block)
        file.seek(block.offset)
        record = file.read(block.length)
    else:
        content, entries = _only_known(content, index)
        if not entries:
            return False
        head = _plain_head(content, entries)
        record = _chunk_record(content, head)
    target.write(record)
    _write_index(target, entries, head, offset, len(record), summary)
    return True


def _only_known(content: memoryview, index: Index) -> tuple[memoryview, Entries]:
    """The messages of channels that are known: no reader could make anything of the others."""
    kept = b"".join(
        struct.pack("<BQ", opcode, len(body)) + body
        for opcode, body in mcap.records(content)
        if opcode == mcap.MESSAGE and mcap.message(body)[0] in index.channels
    )
    return memoryview(kept), _entries(memoryview(kept))


def _plain_head(content: memoryview, entries: Entries) -> mcap.ChunkHead:
    times = [time for messages in entries.values() for time, _ in messages]
    return mcap.ChunkHead(min(times), max(times), len(content), 0, "", 40, len(content))


def _chunk_record(content: memoryview, head: mcap.ChunkHead) -> bytes:
    """An uncompressed chunk."""
    body = 8 + 8 + 8 + 4 + 4 + 8 + len(content)
    fields = _chunk.pack(mcap.CHUNK, body, head.start_ns, head.end_ns, head.size, head.crc)
    return fields + struct.pack("<IQ", 0, len(content)) + content
