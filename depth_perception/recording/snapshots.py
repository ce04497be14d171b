"""Writing a snapshot away, on a thread of its own so that recording goes on."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

from depth_perception.recording.records import Message
from depth_perception.recording.ring import Ring
from depth_perception.recording.rolling_bag import Layout, RollingBag


class SnapshotWriter:
    """One snapshot at a time."""

    def __init__(self, layout: Layout, done: Callable[[str, str], None]) -> None:
        """`done(what was written, problem)` is called by the thread."""
        self._layout, self._done = layout, done
        self._thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        """True while one is being written."""
        return self._thread is not None and self._thread.is_alive()

    def write(self, ring: Ring, path: Path, reason: str) -> None:
        """Empty the ring into the new recording `path`."""
        self._thread = threading.Thread(target=self._run, args=(ring, *ring.take(), path, reason), name="snapshot")
        self._thread.start()

    def wait(self) -> None:
        """Until it is written."""
        if self._thread is not None:
            self._thread.join()

    def _run(self, ring: Ring, first: list[Message], messages: deque[Message], path: Path, reason: str) -> None:
        types = {message.topic.name: message.topic.type for message in (*first, *messages)}  # the newest of each topic
        former = 0
        try:
            kept = [message for message in first if _is_of(message, types)]
            bag = RollingBag(path, self._layout, lambda _: kept, notes={"why": reason})
        except OSError as error:
            ring.release(sum(len(message.data) for message in messages))
            self._done(f"{path}: nothing", f"snapshot {path.name} can't be written: {error}")
            return
        try:
            for message in _emptying(ring, messages):
                if _is_of(message, types):
                    bag.write(message)
                else:
                    former += 1
        except OSError as error:
            ring.release(sum(len(message.data) for message in messages))
            problem = f"snapshot {path.name} is cut short: {error}"
        else:
            problem = ""
        closed = bag.close()
        said = f"{path}: {closed.messages} messages" + (f", {former} of a former type left out" if former else "")
        self._done(said, "; ".join(filter(None, [problem, closed.problem])))


def _emptying(ring: Ring, messages: deque[Message]) -> Iterator[Message]:
    """Each message; its memory is given back as soon as it is in the file's hands."""
    while messages:
        message = messages.popleft()
        ring.release(len(message.data))
        yield message


def _is_of(message: Message, types: dict[str, str]) -> bool:
    return types[message.topic.name] == message.topic.type
