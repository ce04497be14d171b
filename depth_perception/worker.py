"""A thread with one slot in front of it: the newest item wins, older ones are dropped and counted."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class NewestWins(Generic[T]):
    """Runs `work(item)` on its own thread for the newest item put; never queues more than one."""

    def __init__(self, work: Callable[[T], None], on_error: Callable[[Exception], None], name: str) -> None:
        """`on_error` gets whatever `work` raises; the thread goes on."""
        self._work, self._on_error = work, on_error
        self._ready = threading.Condition()
        self._item: T | None = None
        self._stopping = False
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, item: T) -> None:
        with self._ready:
            if self._item is not None:
                self.dropped += 1
            self._item = item
            self._ready.notify()

    def stop(self, timeout_s: float = 10.0) -> None:
        """Finish the item in work, drop the one that waits, end the thread."""
        with self._ready:
            self._stopping = True
            self._ready.notify()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        while True:
            with self._ready:
                self._ready.wait_for(lambda: self._item is not None or self._stopping)
                if self._stopping:
                    return
                item, self._item = self._item, None
            assert item is not None
            try:
                self._work(item)
            except Exception as error:  # one bad frame must not end the thread
                self._on_error(error)
