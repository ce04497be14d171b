"""Reading ahead of, and writing behind, a loop that has better things to do. Both sides are bounded."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Generic, TypeVar

T = TypeVar("T")
POLL_S = 0.1  # how soon a thread that waits on a full queue notices that it should stop

_END = object()


class ReadAhead(Generic[T]):
    """Iterates over `items` on a thread of its own, at most `depth` items ahead. A context manager, iterated once.

    What `items` raises is raised here in its place.
    """

    def __init__(self, items: Iterable[T], depth: int) -> None:
        self._items = items
        self._queue: queue.Queue[Any] = queue.Queue(depth)
        self._stopping = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="read ahead", daemon=True)

    def _run(self) -> None:
        try:
            for item in self._items:
                if not self._put(item):
                    return
        except BaseException as error:  # raised again in the loop's thread
            self._error = error
        self._put(_END)

    def _put(self, item: Any) -> bool:
        while not self._stopping.is_set():
            try:
                self._queue.put(item, timeout=POLL_S)
            except queue.Full:
                continue
            return True
        return False

    def __iter__(self) -> Iterator[T]:
        while (item := self._queue.get()) is not _END:
            yield item
        if self._error is not None:
            raise self._error

    def __enter__(self) -> ReadAhead[T]:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._stopping.set()
        self._thread.join()


class WriteBehind(Generic[T]):
    """Calls `work(item)` on a thread of its own for every item put, in order, at most `depth` behind.

    A context manager: leaving the block waits until everything put has been done. What `work` raises ends the thread
    and is raised by the next `put`, or on leaving the block.
    """

    def __init__(self, work: Callable[[T], None], depth: int) -> None:
        self._work = work
        self._queue: queue.Queue[Any] = queue.Queue(depth)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="write behind", daemon=True)

    def put(self, item: T) -> None:
        """Hand over an item; waits while the queue is full."""
        self._hand_over(item)
        self._raise()

    def _hand_over(self, item: Any) -> None:
        while self._thread.is_alive():
            try:
                return self._queue.put(item, timeout=POLL_S)
            except queue.Full:
                continue
        return None

    def _raise(self) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def _run(self) -> None:
        try:
            while (item := self._queue.get()) is not _END:
                self._work(item)
        except BaseException as error:  # raised again in the loop's thread
            self._error = error

    def __enter__(self) -> WriteBehind[T]:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._hand_over(_END)
        self._thread.join()
        if kind is None:
            self._raise()
