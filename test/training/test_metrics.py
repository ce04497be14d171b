"""Metrics against numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.metrics import DepthMetrics, depth_metrics, mean_metrics, median_scale


def test_two_pixels_by_hand() -> None:
    # p = (2, 6), t = (1, 4): errors 1 and 2, relative 1 and 0.5, ratios 2 and 1.5
    m = depth_metrics(np.array([2.0, 6.0]), np.array([1.0, 4.0]))
    assert m.abs_rel == pytest.approx(0.75)
    assert m.sq_rel == pytest.approx((1 / 1 + 4 / 4) / 2)
    assert m.rmse == pytest.approx(math.sqrt(2.5))
    assert m.mae == pytest.approx(1.5)
    logs = (math.log(2.0), math.log(1.5))
    assert m.rmse_log == pytest.approx(math.sqrt((logs[0] ** 2 + logs[1] ** 2) / 2))
    assert m.silog == pytest.approx(100 * abs(logs[0] - logs[1]) / 2)  # std of two numbers: half their distance
    assert (m.delta1, m.delta2, m.delta3) == (0.0, 0.5, 0.5)  # 1.5 < 1.5625; 2 > 1.953


def test_counts_only_valid_and_finite_targets() -> None:
    prediction = np.array([[1.1, 9.0, 9.0, 9.0, 9.0]])
    target = np.array([[1.0, np.nan, np.inf, 0.0, 1.0]])
    valid = np.array([[True, True, True, True, False]])
    assert depth_metrics(prediction, target, valid).abs_rel == pytest.approx(0.1)  # not 0.1 / 5, not mixed with 9


def test_a_prediction_that_is_missing_is_never_dropped_silently() -> None:
    with pytest.raises(ValueError, match="1 predictions"):
        depth_metrics(np.array([np.nan, 1.0]), np.array([1.0, 1.0]))
    with pytest.raises(ValueError, match="shapes"):
        depth_metrics(np.ones(2), np.ones(3))


def test_none_valid_is_nan_and_does_not_count_in_the_mean() -> None:
    none = depth_metrics(np.ones(2), np.full(2, np.nan))
    assert math.isnan(none.abs_rel)
    one = depth_metrics(np.array([1.2]), np.array([1.0]))
    assert mean_metrics([none, one]).abs_rel == pytest.approx(0.2)
    assert math.isnan(mean_metrics([]).rmse)


def test_mean_weighs_images_equally() -> None:
    a, b = DepthMetrics(*[1.0] * 9), DepthMetrics(*[4.0] * 9)
    assert mean_metrics([a, b]) == DepthMetrics(*[2.5] * 9)


@given(st.floats(0.05, 50.0))
def test_median_alignment_undoes_a_scale(scale: float) -> None:
    target = np.array([[1.0, 2.0, np.nan], [5.0, 7.0, 11.0]])
    prediction = np.nan_to_num(target, nan=3.0) / scale
    assert median_scale(prediction, target) == pytest.approx(scale)
    assert depth_metrics(prediction * scale, target).abs_rel == pytest.approx(0.0, abs=1e-9)
    assert depth_metrics(prediction, target).silog == pytest.approx(0.0, abs=1e-5)
