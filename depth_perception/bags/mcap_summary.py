"""The end of an MCAP file: what lies where, so that readers needn't walk the file (https://mcap.dev/spec)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from depth_perception.bags.mcap_records import MAGIC

if TYPE_CHECKING:
    from mcap.records import Channel, Schema


class McapSummary:
    """Gathered while a file is written or walked. Each chunk costs about 200 bytes: it is kept as its record."""

    def __init__(self) -> None:
        self.schemas: dict[int, Schema] = {}
        self.channels: dict[int, Channel] = {}
        self.counts: Counter[int] = Counter()  # channel → messages
        self._chunks: list[bytes] = []
        self._metadata: list[bytes] = []
        self._span: tuple[int, int] | None = None

    def add_chunk(
        self, *, offset: int, length: int, start_ns: int, end_ns: int, compression: str, stored: int, size: int,
        index_offsets: Mapping[int, int], index_length: int, counts: Mapping[int, int],
    ) -> None:  # fmt: skip
        """A chunk record at `offset`, `length` bytes with its head; its message indexes (channel → offset) follow it.

        `stored` and `size` are the bytes of its content in the file and unpacked; `counts` its messages per channel.
        """
        from mcap.records import ChunkIndex

        record = ChunkIndex(
            chunk_length=length, chunk_start_offset=offset, compression=compression, compressed_size=stored,
            message_end_time=end_ns, message_index_length=index_length, message_index_offsets=dict(index_offsets),
            message_start_time=start_ns, uncompressed_size=size,
        )  # fmt: skip
        self._chunks.append(to_bytes(record))
        self.counts.update(counts)
        before = self._span or (start_ns, end_ns)
        self._span = (min(start_ns, before[0]), max(end_ns, before[1]))

    def add_metadata(self, name: str, offset: int, length: int) -> None:
        """A metadata record at `offset`."""
        from mcap.records import MetadataIndex

        self._metadata.append(to_bytes(MetadataIndex(offset=offset, length=length, name=name)))

    @property
    def has_metadata(self) -> bool:
        """True if there is any metadata record."""
        return bool(self._metadata)

    @property
    def span(self) -> tuple[int, int]:
        """First and last log time; (0, 0) without messages."""
        return self._span or (0, 0)

    def end(self, position: int) -> bytes:
        """Everything from the end of the data section, which is at `position`, to the end of the file."""
        from mcap.opcode import Opcode
        from mcap.records import DataEnd, Footer, SummaryOffset

        out = bytearray(to_bytes(DataEnd(data_section_crc=0)))
        summary_start, offsets = position + len(out), bytearray()
        groups: dict[Opcode, Sequence[bytes]] = {
            Opcode.SCHEMA: [to_bytes(schema) for schema in self.schemas.values()],
            Opcode.CHANNEL: [to_bytes(channel) for channel in self.channels.values()],
            Opcode.STATISTICS: [self._statistics()],
            Opcode.CHUNK_INDEX: self._chunks,
            Opcode.METADATA_INDEX: self._metadata,
        }
        for opcode, group in groups.items():
            start, content = position + len(out), b"".join(group)
            out += content
            if group:
                offsets += to_bytes(SummaryOffset(group_opcode=opcode, group_start=start, group_length=len(content)))
        offsets_start = position + len(out)
        out += offsets
        out += to_bytes(Footer(summary_start=summary_start, summary_offset_start=offsets_start, summary_crc=0))
        return bytes(out + MAGIC)

    def _statistics(self) -> bytes:
        from mcap.records import Statistics

        start, end = self.span
        return to_bytes(
            Statistics(
                attachment_count=0, channel_count=len(self.channels), channel_message_counts=dict(self.counts),
                chunk_count=len(self._chunks), message_count=self.counts.total(), message_end_time=end,
                message_start_time=start, metadata_count=len(self._metadata), schema_count=len(self.schemas),
            )
        )  # fmt: skip


def to_bytes(record: Any) -> bytes:
    """A record of the `mcap` library, serialised."""
    from mcap.data_stream import RecordBuilder

    builder = RecordBuilder()
    record.write(builder)
    return builder.end()
