"""An MCAP file as a source of messages, whole or without its end."""

from __future__ import annotations

import heapq
import itertools
import logging
import struct
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import BinaryIO

from depth_perception.bags import mcap_records as mcap
from depth_perception.bags.mcap_index import Block, Index, read_index
from depth_perception.bags.source import Channel, RawMessage, is_latched, ros2_type

log = logging.getLogger(__name__)


class McapSource:
    """Raises BagError nowhere: damage is noted in `problems`, and what is whole is read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problems: list[str] = []
        with path.open("rb") as file:
            index = read_index(file)
        self._blocks = sorted(index.blocks, key=lambda block: block.start_ns)  # stable: file order at equal times
        self._by_id = {key: _channel(index, key) for key in index.channels}
        self.channels = list(self._by_id.values())
        self.start_ns = self._blocks[0].start_ns if self._blocks else 0
        if index.problem:
            self._note(index.problem)

    def read(self, topics: Collection[str]) -> Iterator[RawMessage]:
        """Messages of these topics in log order; a damaged chunk is left out and noted.

        A chunk is unpacked when its first message is due; messages wait in a heap only while chunks overlap in time.
        """
        wanted = {key: channel for key, channel in self._by_id.items() if channel.topic in topics}
        heap: list[tuple[int, int, RawMessage]] = []
        order = itertools.count()
        with self.path.open("rb") as file:
            for block in self._blocks:
                if block.channel_ids is not None and block.channel_ids.isdisjoint(wanted):
                    continue
                while heap and heap[0][0] < block.start_ns:
                    yield heapq.heappop(heap)[2]
                for channel_id, log_time_ns, data in self._messages(file, block):
                    if channel_id in wanted:
                        message = RawMessage(wanted[channel_id], log_time_ns, data)
                        heapq.heappush(heap, (log_time_ns, next(order), message))
        while heap:
            yield heapq.heappop(heap)[2]

    def _messages(self, file: BinaryIO, block: Block) -> Iterator[tuple[int, int, memoryview]]:
        file.seek(block.offset)
        content = memoryview(file.read(block.length))
        try:
            if block.is_chunk:
                content = mcap.unpack_chunk(content[mcap.HEADER_SIZE :])
            for opcode, body in mcap.records(content):
                if opcode == mcap.MESSAGE:
                    yield mcap.message(body)
        except (ValueError, struct.error) as error:
            self._note(f"the chunk at byte {block.offset} is damaged and was left out: {error}")

    def _note(self, problem: str) -> None:
        text = f"{self.path.name}: {problem}"
        if text not in self.problems:
            self.problems.append(text)
            log.warning("%s", text)


def _channel(index: Index, key: int) -> Channel:
    channel = index.channels[key]
    schema = index.schemas.get(channel.schema_id)
    return Channel(
        channel.topic,
        ros2_type(schema.name) if schema else "",
        channel.message_encoding,
        schema.data.decode(errors="replace") if schema else "",
        schema.encoding if schema else "",
        index.counts[key],
        is_latched(channel.metadata.get("offered_qos_profiles", "")),
    )
