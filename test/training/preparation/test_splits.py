"""Splits share no image; S is drawn exactly, seeded, over all sequences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from depth_perception.errors import ConfigError
from training.dataset_folder import Rejected, Sample
from training.preparation.splits import TimeSplit, draw_supervised


def samples(count: int, stride: int) -> list[Sample]:
    def at(n: int) -> int | None:
        return n if 0 <= n < count else None

    return [Sample(n, n, (at(n - stride), at(n + stride)), False, {}) for n in range(count)]


def test_by_hand() -> None:
    """Ten images, 0-5 train, 6-7 val, 8-9 test: what touches a neighbour's image falls out."""
    rule = TimeSplit(10, (0.6, 0.2, 0.2), 1)
    placed = [rule.place(sample) for sample in samples(10, 1)]
    kept = {sample.index: sample.split for sample in placed if isinstance(sample, Sample)}
    assert kept == {0: "train", 1: "train", 2: "train", 3: "train", 4: "train", 9: "test"}
    dropped = [item for item in placed if isinstance(item, Rejected)]
    assert [item.stamp_ns for item in dropped] == [5, 6, 7, 8]
    assert dropped[0].reason == "split boundary" and dropped[0].detail == "images 4 … 6 belong to train and val"


@given(
    st.integers(1, 120), st.integers(1, 4), st.integers(0, 10), st.integers(0, 10), st.integers(1, 10),
)  # fmt: skip
def test_no_image_serves_two_splits(count: int, stride: int, train: int, val: int, test: int) -> None:
    total = train + val + test
    rule = TimeSplit(count, (train / total, val / total, test / total), stride)
    used: dict[str, set[int]] = {"train": set(), "val": set(), "test": set()}
    for sample in samples(count, stride):
        placed = rule.place(sample)
        if isinstance(placed, Sample):
            used[placed.split] |= {n for n in (sample.index, *sample.context) if n is not None}
    names = list(used)
    for i, name in enumerate(names):
        for other in names[i + 1 :]:
            assert not used[name] & used[other]
    if train == total:
        assert used["train"] == set(range(count))


def test_a_context_farther_away_than_the_stride_counts(count: int = 20) -> None:
    """After rejected frames a neighbour may be farther away than the stride."""
    rule = TimeSplit(count, (0.5, 0.25, 0.25), 1)
    assert isinstance(rule.place(Sample(8, 8, (7, 12), False, {})), Rejected)
    assert isinstance(rule.place(Sample(8, 8, (7, 9), False, {})), Sample)


CANDIDATES = [("a", n) for n in range(30)] + [("b", n) for n in range(70)]


def test_so_many_are_supervised() -> None:
    marks = draw_supervised(CANDIDATES, "10", 0)
    assert sum(map(len, marks.values())) == 10
    assert sum(map(len, draw_supervised(CANDIDATES, "2.5%", 0).values())) == 2  # of 100: 2.5 rounds to even
    assert sum(map(len, draw_supervised(CANDIDATES, "25%", 0).values())) == 25
    assert draw_supervised(CANDIDATES, "1000", 0) == {"a": list(range(30)), "b": list(range(70))}
    assert draw_supervised(CANDIDATES, "0", 0) == {}
    assert draw_supervised([], "10", 0) == {}


@given(st.integers(0, 100), st.integers(0, 50), st.randoms())
def test_the_draw_depends_on_the_seed_alone(count: int, seed: int, shuffled: object) -> None:
    order = list(CANDIDATES)
    shuffled.shuffle(order)  # type: ignore[attr-defined]
    marks = draw_supervised(order, str(count), seed)
    assert marks == draw_supervised(CANDIDATES, str(count), seed)
    drawn = [(name, n) for name, numbers in marks.items() for n in numbers]
    assert len(drawn) == count == len(set(drawn)) and set(drawn) <= set(CANDIDATES)


def test_every_sample_is_as_likely() -> None:
    """Over 400 seeds each of 100 samples is drawn 10 % of the time: 40 ± 5 standard deviations of 6."""
    counts = np.zeros(100)
    for seed in range(400):
        for name, numbers in draw_supervised(CANDIDATES, "10", seed).items():
            counts[np.array(numbers) + (30 if name == "b" else 0)] += 1
    assert counts.sum() == 4000 and counts.min() > 10 and counts.max() < 70


@pytest.mark.parametrize("wanted", ["some", "-1", "101%", "x%", "1.5"])
def test_refuses_what_is_no_count(wanted: str) -> None:
    with pytest.raises(ConfigError, match="must be a count"):
        draw_supervised(CANDIDATES, wanted, 0)
