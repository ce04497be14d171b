"""Epochs: everything once, or U once beside S with replacement; seeded, resumable."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from depth_perception.errors import ConfigError
from training.samplers import EpochBatches, HalfBatches


def epoch(sampler: EpochBatches | HalfBatches, number: int) -> list:
    sampler.set_epoch(number)
    batches = list(sampler)
    assert len(batches) == len(sampler)
    return batches


def flat(batches: list) -> list:
    return [draw for batch in batches for draw in batch]


class TestEpochBatches:
    def test_everything_once_in_another_order_each_epoch(self) -> None:
        sampler = EpochBatches(10, 4, seed=1)
        first, second = epoch(sampler, 0), epoch(sampler, 1)
        assert [len(batch) for batch in first] == [4, 4, 2]
        for batches in (first, second):
            assert sorted(draw.item for batch in batches for draw in batch) == list(range(10))
        assert [draw.item for draw in flat(first)] != [draw.item for draw in flat(second)]
        assert all(draw.supervised is None for draw in flat(first))

    def test_every_draw_has_a_seed_of_its_own(self) -> None:
        sampler = EpochBatches(10, 4, seed=1)
        keys = [draw.key for number in range(3) for draw in flat(epoch(sampler, number))]
        assert len(set(keys)) == 30
        assert not set(keys) & {draw.key for draw in flat(epoch(EpochBatches(10, 4, seed=2), 0))}

    def test_a_resumed_run_goes_on_alike(self) -> None:
        through = EpochBatches(9, 2, seed=5)
        both = [epoch(through, number) for number in (0, 1)]
        assert epoch(EpochBatches(9, 2, seed=5), 1) == both[1]


class TestHalfBatches:
    def test_u_once_and_s_with_replacement_in_equal_halves(self) -> None:
        batches = epoch(HalfBatches(1000, [3, 5, 8, 900], 8, seed=0), 0)
        assert len(batches) == 250 and all(len(batch) == 8 for batch in batches)
        assert all([draw.supervised for draw in batch] == [False] * 4 + [True] * 4 for batch in batches)
        draws = flat(batches)
        assert sorted(draw.item for draw in draws if not draw.supervised) == list(range(1000))
        counts = Counter(draw.item for draw in draws if draw.supervised)
        assert set(counts) == {3, 5, 8, 900}
        assert all(abs(count - 250) < 5 * np.sqrt(1000 * 0.25 * 0.75) for count in counts.values())

    def test_s_is_drawn_with_replacement(self) -> None:
        """Of 20 drawn from 20, without replacement all would differ; with it 1 - 1/e of them do."""
        shares = []
        for number in range(50):
            draws = flat(epoch(HalfBatches(20, range(20), 4, seed=9), number))
            shares.append(len({draw.item for draw in draws if draw.supervised}) / 20)
        assert np.mean(shares) == pytest.approx(1 - (1 - 1 / 20) ** 20, abs=0.03)

    def test_the_last_batch_is_half_and_half_too(self) -> None:
        batches = epoch(HalfBatches(7, [1], 4, seed=0), 0)
        assert [len(batch) for batch in batches] == [4, 4, 4, 2]
        assert [draw.supervised for draw in batches[-1]] == [False, True]

    def test_every_draw_has_a_seed_of_its_own(self) -> None:
        """So that the same labelled image is augmented anew each time."""
        draws = flat(epoch(HalfBatches(50, [4], 4, seed=0), 0))
        assert len({draw.key for draw in draws}) == 100

    def test_a_resumed_run_goes_on_alike(self) -> None:
        through = HalfBatches(9, [1, 2], 2, seed=5)
        both = [epoch(through, number) for number in (0, 1)]
        assert epoch(HalfBatches(9, [1, 2], 2, seed=5), 1) == both[1] != both[0]


@pytest.mark.parametrize("size", [0, -2])
def test_no_batch_is_refused(size: int) -> None:
    with pytest.raises(ConfigError, match=str(size)):
        EpochBatches(5, size, seed=0)


def test_odd_halves_and_no_labels_are_refused() -> None:
    with pytest.raises(ConfigError, match="5"):
        HalfBatches(5, [1], 5, seed=0)
    with pytest.raises(ConfigError, match="supervised"):
        HalfBatches(5, [], 4, seed=0)
