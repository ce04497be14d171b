"""The last seconds, in bounded memory."""

from __future__ import annotations

import threading
from collections import deque

from depth_perception.recording.records import Message
from depth_perception.recording.repeated import Repeated


class Ring:
    """Keeps messages by age and by bytes; what is being written away counts too, so that memory has one bound.

    One thread adds and takes; `release` may be called by another.
    """

    def __init__(self, seconds: float, max_bytes: int) -> None:
        self.seconds, self.max_bytes = seconds, max_bytes
        self._messages: deque[Message] = deque()
        self.size = 0  # bytes kept
        self._lock = threading.Lock()
        self._leaving = 0  # bytes taken and not yet released
        self._before = Repeated()  # as things stood before the first message that is kept
        self.is_short = False  # memory, not age, ended the last message's stay

    def add(self, message: Message) -> None:
        """Take a message and let go of what is too old, or too much; of everything if the clock jumped back."""
        if self._messages and message.log_time_ns < self._messages[-1].log_time_ns - round(self.seconds * 1e9):
            while self._messages:
                self._forget()
        self._messages.append(message)
        self.size += len(message.data)
        oldest_ns = message.log_time_ns - round(self.seconds * 1e9)
        while self._messages and self._messages[0].log_time_ns < oldest_ns:
            self._forget()
            self.is_short = False
        with self._lock:
            room = self.max_bytes - self._leaving
        while self._messages and self.size > room:
            self._forget()
            self.is_short = True

    def take(self) -> tuple[list[Message], deque[Message]]:
        """What must come first (calibrations and the like from before), and everything, oldest first.

        The ring is empty then, so that two snapshots never hold the same message.
        """
        messages, self._messages = self._messages, deque()
        first = list(self._before.at(messages[0].log_time_ns)) if messages else []
        for message in messages:
            self._before.add(message)
        with self._lock:
            self._leaving += self.size
        self.size = 0
        return first, messages

    def release(self, size: int) -> None:
        """So many bytes of what was taken are no longer in memory."""
        with self._lock:
            self._leaving -= size

    @property
    def span_s(self) -> float:
        """Seconds from the first message to the last."""
        if not self._messages:
            return 0.0
        return (self._messages[-1].log_time_ns - self._messages[0].log_time_ns) * 1e-9

    def __len__(self) -> int:
        return len(self._messages)

    def _forget(self) -> None:
        message = self._messages.popleft()
        self.size -= len(message.data)
        self._before.add(message)
