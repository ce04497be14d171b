"""Threads on either side of a loop: order, bounds, errors, and an end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from depth_perception.overlap import ReadAhead, WriteBehind


def test_reads_ahead_in_order_and_no_further_than_allowed() -> None:
    made = []

    def items() -> Iterator[int]:
        for i in range(50):
            made.append(i)
            yield i

    with ReadAhead(items(), depth=3) as reading:
        iterator = iter(reading)
        assert next(iterator) == 0
        time.sleep(0.2)
        assert len(made) <= 5  # one taken, three queued, one in hand
        assert list(iterator) == list(range(1, 50))


def test_reader_error_comes_after_what_was_read() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("cable")

    found = []
    with pytest.raises(OSError, match="cable"), ReadAhead(items(), depth=3) as reading:
        found.extend(reading)
    assert found == [] or found == [1]
    with pytest.raises(OSError, match="cable"), ReadAhead(items(), depth=3) as reading:
        for item in reading:
            found = [item]
    assert found == [1]


def test_leaving_early_stops_the_reader() -> None:
    def endless() -> Iterator[int]:
        while True:
            yield 0

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt), ReadAhead(endless(), depth=2) as reading:
        for _ in reading:
            raise KeyboardInterrupt
    assert threading.active_count() == before


def test_everything_put_is_written_in_order_before_the_block_ends() -> None:
    written = []

    def work(item: int) -> None:
        time.sleep(0.01)
        written.append(item)

    with WriteBehind(work, depth=2) as writing:
        for i in range(20):
            writing.put(i)
            assert i - len(written) <= 4
    assert written == list(range(20))


def test_interrupt_still_writes_what_was_put() -> None:
    written: list[int] = []
    with pytest.raises(KeyboardInterrupt), WriteBehind(written.append, depth=8) as writing:
        for i in range(5):
            writing.put(i)
        raise KeyboardInterrupt
    assert written == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("count", [1, 50])
def test_writer_error_reaches_the_loop(count: int) -> None:
    def work(item: int) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"), WriteBehind(work, depth=2) as writing:
        for i in range(count):
            writing.put(i)


def test_first_error_wins() -> None:
    raised = threading.Event()

    def work(item: int) -> None:
        raised.wait(10)
        raise OSError("disk full")

    with pytest.raises(ZeroDivisionError), WriteBehind(work, depth=2) as writing:
        writing.put(1)
        raised.set()
        raise ZeroDivisionError
