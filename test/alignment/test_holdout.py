"""Whole groups are left out, each in its turn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from depth_perception.alignment.holdout import held_out


@given(st.lists(st.integers(-1, 70), min_size=1, max_size=200), st.floats(0.01, 0.5), st.integers(0, 10**6))
def test_groups_go_as_a_whole_and_most_stay(numbers: list[int], share: float, turn: int) -> None:
    group = np.array(numbers, np.int32)
    left_out = held_out(group, share, turn)
    out, kept = set(group[left_out]), set(group[~left_out])
    count = len(out | kept)
    assert not out & kept
    assert len(out) == (0 if count < 3 else min(max(1, round(share * count)), count // 2))


@given(st.integers(3, 64), st.floats(0.02, 0.5), st.integers(0, 1000))
def test_every_group_has_its_turn(count: int, share: float, first: int) -> None:
    """Within as many frames as groups over groups left out, rounded up."""
    group = np.arange(count, dtype=np.int32).repeat(3)
    each = len(np.unique(group[held_out(group, share, first)]))
    turns = range(first, first + -(-count // each))
    seen = {int(g) for turn in turns for g in group[held_out(group, share, turn)]}
    assert seen == set(range(count))


@pytest.mark.parametrize("count", [0, 1, 2])
def test_one_or_two_beams_can_spare_none(count: int) -> None:
    assert not held_out(np.arange(count, dtype=np.int32).repeat(50), 0.5, 3).any()


def test_a_share_of_nothing() -> None:
    assert not held_out(np.arange(50, dtype=np.int32), 0.0, 3).any()


def test_16_beams_by_hand() -> None:
    """A fifth of 16 is 3: every 16 / 3 = 5.33rd beam, one further each turn."""
    group = np.arange(16, dtype=np.int32)
    assert list(np.flatnonzero(held_out(group, 0.2, 0))) == [0, 5, 10]
    assert list(np.flatnonzero(held_out(group, 0.2, 1))) == [1, 6, 11]
    assert list(np.flatnonzero(held_out(group, 0.2, 15))) == [4, 9, 15]
