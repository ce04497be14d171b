"""Std near and far from anchors, and its calibration."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from depth_perception.alignment.uncertainty import (
    FEWEST,
    LIMITS,
    NEAR_SHARE,
    REACH,
    SMALLEST,
    UNSEEN,
    Calibration,
    distance_to_anchors,
    relative_std,
)


def std(distance: float, spread: float, coverage: float = 1.0) -> float:
    return float(relative_std(np.array([distance], np.float32), spread, coverage)[0])


def test_std_at_an_anchor_far_away_and_between() -> None:
    """A share of the spread; the spread; and in variances 1 - 1/e of the way at REACH."""
    near, far = NEAR_SHARE * 0.2, 0.2
    assert std(0.0, 0.2) == pytest.approx(near, rel=1e-5) and std(1e3, 0.2) == pytest.approx(far, rel=1e-5)
    middle = np.sqrt(near**2 + (far**2 - near**2) * (1 - np.exp(-1)))
    assert std(REACH, 0.2) == pytest.approx(middle, rel=1e-5)


def test_anchors_know_nothing_of_what_they_do_not_see() -> None:
    assert std(1e3, 0.1, coverage=0.25) == pytest.approx(np.hypot(0.1, 0.75 * UNSEEN), rel=1e-5)
    assert std(0.0, 0.4, coverage=0.0) == pytest.approx(NEAR_SHARE * 0.4, rel=1e-5)


def test_std_is_never_less_than_the_smallest() -> None:
    assert std(0.0, 0.001) == std(9.0, 0.001) == pytest.approx(SMALLEST)


@given(st.floats(1e-4, 2.0))
def test_std_grows_with_distance(spread: float) -> None:
    values = relative_std(np.linspace(0, 2, 100, dtype=np.float32), spread, 0.5)
    assert (np.diff(values) >= -1e-7).all() and values.dtype == np.float32


def test_distance_by_hand() -> None:
    """20 cells across a 200 x 100 image: 10 px each, a twentieth of its width. The anchor is in cell (4, 10)."""
    distance = distance_to_anchors(np.array([[105.0, 45.0]], np.float32), (100, 200), (10, 20))
    # 4 direct neighbours at 0.955, 4 diagonal ones at 1.3693 cells (OpenCV's 3 x 3 metric), weighed 1 2 1
    assert distance[4, 10] == pytest.approx((4 * 2 * 0.955 + 4 * 1.3693) / 16 / 20, rel=1e-4)
    assert distance[4, 1] == pytest.approx(0.45, rel=0.05) and distance[8, 10] == pytest.approx(0.2, rel=0.05)
    assert distance[0, 6] == pytest.approx(np.hypot(4, 4) / 20, rel=0.05)
    rim = distance_to_anchors(np.array([[-0.5, -0.5], [199.5, 99.5]], np.float32), (100, 200), (10, 20))
    assert rim[0, 0] == rim[9, 19] == rim.min() < 0.5 / 20


def test_distance_among_scattered_anchors_has_no_steps_of_whole_cells() -> None:
    """Anchors in every third cell: unsmoothed, neighbouring cells differ by 0.955 of a cell; now by half of that."""
    u, v = np.meshgrid(np.arange(5.0, 200, 30), np.arange(5.0, 100, 30))
    distance = distance_to_anchors(np.stack([u.ravel(), v.ravel()], 1).astype(np.float32), (100, 200), (10, 20)) * 20
    assert np.abs(np.diff(distance, axis=0)).max() < 0.5 and np.abs(np.diff(distance, axis=1)).max() < 0.5


@pytest.mark.parametrize("true", [0.6, 1.0, 2.5])
def test_calibration_finds_what_makes_68_percent_lie_inside(true: float) -> None:
    """Errors are `true` times as large as predicted, drawn from a normal distribution, frame after frame."""
    rng, calibration = np.random.default_rng(0), Calibration()
    predicted = rng.uniform(0.02, 0.2, 300).astype(np.float32)
    for _ in range(200):
        calibration.see((true * predicted * rng.normal(size=300)).astype(np.float32), predicted)
    assert calibration.factor == pytest.approx(true, rel=0.05)
    error = true * predicted * rng.normal(size=300)
    assert 0.62 < np.mean(np.abs(error) < calibration.factor * predicted) < 0.74


@pytest.mark.parametrize(("size", "limit"), [(1e-6, LIMITS[0]), (1e6, LIMITS[1])])
def test_calibration_has_limits(size: float, limit: float) -> None:
    calibration = Calibration()
    for _ in range(400):
        calibration.see(np.full(50, size, np.float32), np.full(50, 0.1, np.float32))
    assert calibration.factor == pytest.approx(limit)


def test_few_anchors_and_broken_numbers_say_nothing() -> None:
    calibration = Calibration()
    calibration.see(np.full(FEWEST - 1, 9.0, np.float32), np.full(FEWEST - 1, 0.1, np.float32))
    calibration.see(np.full(50, np.nan, np.float32), np.full(50, 0.1, np.float32))
    calibration.see(np.full(50, np.inf, np.float32), np.full(50, 0.1, np.float32))
    assert calibration.factor == 1.0
