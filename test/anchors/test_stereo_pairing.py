"""Left and right by stamp, in whatever order they arrive."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from depth_perception.anchors.pairing import REMEMBERED, Side, StampPairing

MS = 1_000_000


def run(events: list[tuple[Side, int]], tolerance_ms: int = 10) -> list[tuple[int, int]]:
    """(side, stamp in ms) in order of arrival → pairs of stamps in ms."""
    pairing: StampPairing[int] = StampPairing(tolerance_ms * MS)
    return [pair for side, stamp in events for pair in pairing.add(side, stamp * MS, stamp)]


def test_either_may_come_first() -> None:
    assert run([("left", 100), ("right", 100), ("right", 200), ("left", 200)]) == [(100, 100), (200, 200)]


def test_one_side_may_be_late_by_several_images() -> None:
    lefts: list[tuple[Side, int]] = [("left", 100 * i) for i in range(1, 6)]
    rights: list[tuple[Side, int]] = [("right", 100 * i) for i in range(1, 6)]
    assert run(lefts + rights) == [(100 * i, 100 * i) for i in range(1, 6)]


def test_tolerance_includes_its_end() -> None:
    assert run([("left", 100), ("right", 110)]) == [(100, 110)]
    assert run([("left", 100), ("right", 111)]) == []


def test_nearest_is_taken() -> None:
    assert run([("left", 100), ("left", 108), ("right", 106)]) == [(108, 106)]


def test_newest_wins_and_what_is_older_is_of_no_use() -> None:
    events: list[tuple[Side, int]] = [("left", 100), ("left", 200), ("right", 200), ("right", 100), ("right", 195)]
    assert run(events) == [(200, 200)]


def test_an_item_is_used_once() -> None:
    assert run([("left", 100), ("right", 100), ("right", 105), ("left", 100)]) == [(100, 100)]


def test_memory_is_bounded_and_the_oldest_goes() -> None:
    events: list[tuple[Side, int]] = [("left", 100 * i) for i in range(REMEMBERED + 2)]
    assert run([*events, ("right", 100)]) == []
    assert run([*events, ("right", 200)]) == [(200, 200)]


def test_stamps_that_jump_back_start_anew() -> None:
    again: list[tuple[Side, int]] = [("left", 100), ("right", 100)]
    assert run([("left", 5000), ("right", 5000), ("left", 5100), *again]) == [(5000, 5000), (100, 100)]
    assert run([("right", 5000), ("left", 100), ("left", 5000)]) == []  # what waited is forgotten


def test_one_side_missing_gives_nothing() -> None:
    assert run([("right", 100 * i) for i in range(100)]) == []


@given(st.permutations([(side, 100 * i) for i in range(1, 5) for side in ("left", "right")]))
def test_pairs_belong_together_in_any_order(events: list[tuple[Side, int]]) -> None:
    pairs = run(events)
    assert all(left == right for left, right in pairs) and pairs == sorted(set(pairs))
    assert (400, 400) in pairs
