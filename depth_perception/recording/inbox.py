"""The queue between the middleware's callbacks and the thread that writes."""

from __future__ import annotations

import threading
from collections import Counter

from depth_perception.recording.records import Message


class Inbox:
    """Bounded by bytes. What comes while it is full is dropped and counted: a slow disk must not eat all memory.

    The newest is dropped, not the oldest: so a gap is one gap, where the disk was slow.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._lock = threading.Lock()
        self._messages: list[Message] = []
        self.waiting_bytes = 0
        self._dropped: Counter[str] = Counter()

    def put(self, message: Message) -> bool:
        """False if it was dropped. Any thread; a message larger than the whole inbox is taken while it is empty."""
        size = len(message.data)
        with self._lock:
            if self._messages and self.waiting_bytes + size > self.max_bytes:
                self._dropped[message.topic.name] += 1
                return False
            self._messages.append(message)
            self.waiting_bytes += size
            return True

    def take(self) -> list[Message]:
        """Everything that waits, oldest first."""
        with self._lock:
            messages, self._messages = self._messages, []
            self.waiting_bytes = 0
            return messages

    @property
    def dropped(self) -> Counter[str]:
        """Topic → messages dropped since the beginning."""
        with self._lock:
            return self._dropped.copy()
