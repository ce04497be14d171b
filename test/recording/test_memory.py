"""What waits in memory has a bound: the queue, the last seconds, what is repeated."""

from __future__ import annotations

from recorder_world import CALIBRATION, CAMERA, MS, STATIC, T0, calibration, image, static

from depth_perception.recording.inbox import Inbox
from depth_perception.recording.repeated import MAX_TRANSFORM_MESSAGES, Repeated
from depth_perception.recording.ring import Ring


def test_a_full_queue_drops_what_comes_and_counts_it() -> None:
    one = len(image(0, T0).data)
    inbox = Inbox(3 * one)
    assert [inbox.put(image(i, T0 + i)) for i in range(5)] == [True, True, True, False, False]
    assert inbox.waiting_bytes == 3 * one and inbox.dropped == {CAMERA.name: 2}
    assert [message.log_time_ns - T0 for message in inbox.take()] == [0, 1, 2]
    assert inbox.put(image(5, T0 + 5)) and inbox.waiting_bytes == one
    assert inbox.dropped == {CAMERA.name: 2}


def test_a_message_larger_than_the_queue_gets_through_alone() -> None:
    inbox = Inbox(10)
    assert inbox.put(image(0, T0)) and not inbox.put(image(1, T0))
    assert len(inbox.take()) == 1 and inbox.put(image(2, T0))


def test_the_ring_keeps_its_seconds() -> None:
    ring = Ring(1.0, 10**9)
    for i in range(100):
        ring.add(image(i, T0 + i * 100 * MS))
    first, messages = ring.take()
    assert [m.log_time_ns for m in messages] == [T0 + i * 100 * MS for i in range(89, 100)]  # 1.0 s, both ends
    assert first == [] and not ring.is_short and len(ring) == 0 and ring.size == 0


def test_the_ring_keeps_its_bytes_and_says_that_time_is_short() -> None:
    one = len(image(0, T0).data)
    ring = Ring(10.0, 4 * one)
    for i in range(9):
        ring.add(image(i, T0 + i * 100 * MS))
        assert ring.size <= 4 * one
    assert ring.is_short and len(ring) == 4 and abs(ring.span_s - 0.3) < 1e-6


def test_a_clock_that_jumps_back_empties_the_ring() -> None:
    """Else what came before the jump would count as newest, and stay."""
    ring = Ring(1.0, 10**9)
    for at in (0, 500, 400, -100_000, -99_500):
        ring.add(image(0, T0 + at * MS))
    assert [m.log_time_ns - T0 for m in ring.take()[1]] == [-100_000 * MS, -99_500 * MS]


def test_what_is_being_written_counts_until_it_is_released() -> None:
    one = len(image(0, T0).data)
    ring = Ring(10.0, 4 * one)
    for i in range(4):
        ring.add(image(i, T0 + i))
    _, leaving = ring.take()
    ring.add(image(4, T0 + 4))
    assert len(ring) == 0 and len(leaving) == 4  # no room: four are still in memory
    ring.release(2 * one)
    for i in range(5, 9):
        ring.add(image(i, T0 + i))
    assert len(ring) == 2
    ring.release(2 * one)
    for i in range(9, 15):
        ring.add(image(i, T0 + i))
    assert len(ring) == 4


def test_a_snapshot_begins_with_what_held_at_its_first_message() -> None:
    """Not with the newest calibration: that came in its middle."""
    ring = Ring(1.0, 10**9)
    for message in (static("lens", T0), calibration(100.0, T0), calibration(200.0, T0 + MS), image(0, T0 + 1000 * MS)):
        ring.add(message)
    ring.add(calibration(300.0, T0 + 1500 * MS))
    ring.add(image(1, T0 + 1900 * MS))
    first, messages = ring.take()
    assert [(m.topic.name, m.log_time_ns) for m in first] == [
        (STATIC.name, T0 + 1000 * MS), (CALIBRATION.name, T0 + 1000 * MS),
    ]  # fmt: skip
    assert first[1].data == calibration(200.0, T0 + MS).data and len(messages) == 3
    ring.add(image(2, T0 + 2000 * MS))
    first, _ = ring.take()  # the next one knows what the last one took away
    assert [m.data for m in first] == [static("lens", T0).data, calibration(300.0, T0 + 1500 * MS).data]


def test_transforms_of_several_publishers_are_all_repeated() -> None:
    repeated = Repeated()
    for message in (static("a", T0), calibration(1.0, T0), static("b", T0), static("a", T0), image(0, T0)):
        repeated.add(message)
    again = list(repeated.at(T0 + 7))
    assert [m.topic.name for m in again] == [STATIC.name, STATIC.name, CALIBRATION.name]
    assert {m.log_time_ns for m in again} == {T0 + 7} and {m.publish_time_ns for m in again} == {T0 - MS}
    for i in range(2 * MAX_TRANSFORM_MESSAGES):
        repeated.add(static(f"frame{i}", T0))
    assert len(list(repeated.at(T0))) == MAX_TRANSFORM_MESSAGES + 1
