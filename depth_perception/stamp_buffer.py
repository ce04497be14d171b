"""The newest few messages of one sensor, found again by the time at which they were measured."""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

from depth_perception.watch import RESET_NS

T = TypeVar("T")


class StampBuffer(Generic[T]):
    """Keeps the newest `capacity` items; any thread may add while another one looks.

    Stamps that jump back (a looped recording, a clock that was reset) start anew.
    """

    def __init__(self, capacity: int) -> None:
        self._lock = threading.Lock()
        self._items: deque[tuple[int, T]] = deque(maxlen=capacity)
        self._newest_ns: int | None = None

    def add(self, stamp_ns: int, item: T) -> None:
        """Take an item; a reordered one is kept in its place of arrival."""
        with self._lock:
            if self._newest_ns is None or stamp_ns < self._newest_ns - RESET_NS:
                self._items.clear()
                self._newest_ns = stamp_ns
            self._newest_ns = max(self._newest_ns, stamp_ns)
            self._items.append((stamp_ns, item))

    def nearest(self, stamp_ns: int) -> tuple[int, T] | None:
        """The item nearest in time, earlier or later, with its stamp; None while there is none."""
        with self._lock:
            return min(self._items, key=lambda item: abs(item[0] - stamp_ns), default=None)

    def newest_ns(self) -> int | None:
        """The latest stamp; None while there is none."""
        with self._lock:
            return self._newest_ns

    def between(self, start_ns: int, end_ns: int) -> list[tuple[int, T]]:
        """The items from `start_ns` to `end_ns`, in order of their stamps."""
        with self._lock:
            return sorted((item for item in self._items if start_ns <= item[0] <= end_ns), key=lambda item: item[0])
