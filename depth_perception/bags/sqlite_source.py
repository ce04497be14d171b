"""A rosbag2 sqlite3 file as a source of messages.

Read with the standard library rather than rosbags, which opens the file as immutable and so misses the write-ahead log
that a killed recorder leaves beside it, and gives up on a file that has lost its end.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from depth_perception.bags.source import Channel, RawMessage, is_latched
from depth_perception.errors import BagError

MAGIC = b"SQLite format 3\0"
log = logging.getLogger(__name__)


class SqliteSource:
    """Raises BagError if the file isn't a rosbag2 recording or its tables can't be read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problems: list[str] = []
        self._truncated = _is_truncated(path)
        try:
            with closing(self._connect()) as connection:
                counts, self.start_ns = self._count(connection)
                self._by_id = _channels(connection, counts)
        except sqlite3.Error as error:
            raise BagError(
                f"{str(path)!r} is a sqlite3 file but no readable rosbag2 recording: {error}; "
                "try `sqlite3 FILE .recover`"
            ) from error
        self.channels = list(self._by_id.values())
        if self._truncated:
            total = sum(counts.values())
            self._note(f"the file has no end (recorder killed?): read up to the first missing page, {total} messages")

    def read(self, topics: Collection[str]) -> Iterator[RawMessage]:
        """Messages of these topics in log order (of a damaged file: in the order they were written)."""
        ids = [key for key, channel in self._by_id.items() if channel.topic in topics]
        order = "id" if self._truncated else "timestamp, id"
        query = (
            f"SELECT topic_id, timestamp, data FROM messages WHERE topic_id IN ({','.join('?' * len(ids))}) "
            f"ORDER BY {order}"
        )
        with closing(self._connect()) as connection:
            try:
                for topic_id, log_time_ns, data in connection.execute(query, ids):
                    yield RawMessage(self._by_id[topic_id], log_time_ns, data)
            except sqlite3.DatabaseError as error:
                if not self._truncated:
                    self._note(f"reading stopped at a damaged page: {error}")

    def _connect(self) -> sqlite3.Connection:
        name = quote(str(self.path.resolve()))
        connection = sqlite3.connect(f"file:{name}?mode=ro", uri=True)
        if self._truncated:  # lets sqlite open a file that is shorter than its header says
            connection.execute("PRAGMA writable_schema=ON")
        try:
            connection.execute("SELECT name FROM sqlite_master").fetchone()
        except sqlite3.OperationalError:  # a write-ahead log in a folder that can't be written
            connection.close()
            connection = sqlite3.connect(f"file:{name}?mode=ro&immutable=1", uri=True)
        return connection

    def _count(self, connection: sqlite3.Connection) -> tuple[dict[int, int], int]:
        """Messages per topic id, and the first log time."""
        if not self._truncated:
            rows = connection.execute("SELECT topic_id, COUNT(*), MIN(timestamp) FROM messages GROUP BY topic_id")
            found = rows.fetchall()
            return {row[0]: row[1] for row in found}, min((row[2] for row in found), default=0)
        counts: dict[int, int] = {}
        start = 0
        try:
            rows = connection.execute("SELECT topic_id, timestamp, data FROM messages ORDER BY id")
            for topic_id, log_time_ns, _ in rows:
                counts[topic_id] = counts.get(topic_id, 0) + 1
                start = min(start or log_time_ns, log_time_ns)
        except sqlite3.DatabaseError:
            pass  # the first missing page: everything before it was counted
        return counts, start

    def _note(self, problem: str) -> None:
        self.problems.append(f"{self.path.name}: {problem}")
        log.warning("%s", self.problems[-1])


def _is_truncated(path: Path) -> bool:
    """True if the file is shorter than its header says (https://sqlite.org/fileformat.html, offsets 16 and 28)."""
    with path.open("rb") as file:
        header = file.read(100)
    page_size = int.from_bytes(header[16:18], "big")
    page_size = 65536 if page_size == 1 else page_size
    wal = path.with_name(path.name + "-wal")
    return not wal.exists() and path.stat().st_size < page_size * int.from_bytes(header[28:32], "big")


def _channels(connection: sqlite3.Connection, counts: dict[int, int]) -> dict[int, Channel]:
    connection.row_factory = sqlite3.Row
    definitions: dict[str, tuple[str, str]] = {}
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'message_definitions'").fetchone():
        query = "SELECT topic_type, encoding, encoded_message_definition FROM message_definitions"
        for row in connection.execute(query):
            definitions[row[0]] = (row[1], row[2])
    channels = {}
    for row in connection.execute("SELECT * FROM topics ORDER BY id"):
        encoding, definition = definitions.get(row["type"], ("", ""))
        qos = row["offered_qos_profiles"] if "offered_qos_profiles" in row.keys() else ""  # noqa: SIM118 (a Row, no dict)
        channels[row["id"]] = Channel(
            row["name"], row["type"], row["serialization_format"], definition, encoding,
            counts.get(row["id"], 0), is_latched(qos),
        )  # fmt: skip
    return channels
