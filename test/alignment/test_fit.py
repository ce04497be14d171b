"""Scale and shift from anchors: closed forms, outliers, weights, degenerate input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depth_perception.alignment.fit import OUTLIER, apply, fit_affine, fit_scale, trust, weighted_median, widened

COUNT = 600
ONES = np.ones(COUNT, np.float32)
BLOCK = (np.arange(COUNT) % 48).astype(np.int32)


def scene(seed: int, noise: float = 0.03) -> tuple[np.ndarray, np.ndarray]:
    """Depth 1 to 40 m and, with `noise` of its logarithm, what a perfect network would say of it."""
    rng = np.random.default_rng(seed)
    depth = np.exp(rng.uniform(0.0, np.log(40.0), COUNT))
    return depth.astype(np.float32), (depth * np.exp(rng.normal(0.0, noise, COUNT))).astype(np.float32)


def spoiled(depth: np.ndarray, how: str, seed: int = 1) -> np.ndarray:
    """`depth` with 40 % of gross outliers."""
    rng = np.random.default_rng(seed)
    wrong = rng.permutation(len(depth)) < 0.4 * len(depth)
    factor = {
        "scattered": np.exp(rng.uniform(np.log(0.1), np.log(10.0), len(depth))),
        "all too far": np.exp(rng.uniform(0.0, np.log(10.0), len(depth))),
        "all too near": np.exp(rng.uniform(np.log(0.1), 0.0, len(depth))),
        "twice as far": 2.0,
        "half as far": 0.5,
    }[how]
    return np.where(wrong, depth * factor, depth).astype(np.float32)


# --------------------------------------------------------------------------------------------------------- scale


@given(st.floats(0.02, 50.0), st.integers(0, 5))
@settings(max_examples=25, deadline=None)
def test_scale_is_exact_without_noise(scale: float, seed: int) -> None:
    depth, _ = scene(seed)
    fit = fit_scale(depth / np.float32(scale), depth, ONES, BLOCK)
    assert np.exp(fit.theta[0]) == pytest.approx(scale, rel=1e-5)
    assert fit.inlier_share == 1.0 and not fit.is_affine and fit.theta.dtype == np.float64


@pytest.mark.parametrize("how", ["scattered", "twice as far", "half as far"])
def test_40_percent_outliers_move_the_scale_by_less_than_1_percent(how: str) -> None:
    """The mean of log depth moves by 0.4 ln 2 = 32 % where 40 % are twice as far; the median, at 0.83 of the
    inliers' quantiles, by one standard deviation of theirs, 3 %."""
    for seed in range(5):
        depth, prediction = scene(seed)
        clean = fit_scale(prediction, depth, ONES, BLOCK)
        fit = fit_scale(prediction, spoiled(depth, how, seed), ONES, BLOCK)
        assert abs(fit.theta[0] - clean.theta[0]) < 0.01
        assert 0.55 < fit.inlier_share < 0.75


@pytest.mark.parametrize("how", ["all too far", "all too near"])
def test_one_sided_outliers_that_begin_among_the_inliers_move_it_by_their_nearest(how: str) -> None:
    """Factors from 1 to 10 or 0.1 to 1: those within three spreads of truth can't be told from it."""
    depth, prediction = scene(0)
    moved = (
        fit_scale(prediction, spoiled(depth, how), ONES, BLOCK).theta - fit_scale(prediction, depth, ONES, BLOCK).theta
    )
    assert abs(moved[0]) < 0.02


def test_weights_count() -> None:
    """Two groups that disagree by 10 %: equal weights settle between them, unequal ones near the heavier."""
    prediction = np.full(COUNT, 5.0, np.float32)
    depth = np.where(np.arange(COUNT) < COUNT / 2, np.float32(5.0), np.float32(5.5))
    left = np.where(np.arange(COUNT) < COUNT / 2, np.float32(1.0), np.float32(0.01))
    even = fit_scale(prediction, depth, ONES, BLOCK).theta[0]
    assert even == pytest.approx(np.log(1.1) / 2, abs=0.005)
    assert fit_scale(prediction, depth, left, BLOCK).theta[0] == pytest.approx(np.log(1.1) * 0.01 / 1.01, abs=0.002)
    assert fit_scale(prediction, depth, left[::-1].copy(), BLOCK).theta[0] == pytest.approx(np.log(1.1), abs=0.002)


def test_covariance_falls_with_the_number_of_blocks_not_of_anchors() -> None:
    depth, prediction = scene(0)
    fits = [fit_scale(prediction, depth, ONES, (np.arange(COUNT) % n).astype(np.int32)) for n in (1, 4, 16)]
    for n, fit in zip((1, 4, 16), fits, strict=True):
        assert fit.covariance[0, 0] == pytest.approx(fit.spread**2 / n)
    assert fits[0].spread == pytest.approx(0.03, rel=0.15)


def test_a_common_error_is_added_to_the_covariance() -> None:
    """5 % of depth: 0.05 of log scale; 5 % of both scale and shift of inverse depth."""
    depth, prediction = scene(0)
    fit = fit_scale(prediction, depth, ONES, BLOCK)
    assert widened(fit, 0.05).covariance[0, 0] == pytest.approx(fit.covariance[0, 0] + 0.0025)
    affine = fit_affine(1 / prediction - np.float32(0.01), depth, ONES, BLOCK)
    assert affine is not None
    added = widened(affine, 0.05).covariance - affine.covariance
    np.testing.assert_allclose(added, 0.0025 * np.outer(affine.theta, affine.theta), rtol=1e-6)


# ----------------------------------------------------------------------------------------------- scale and shift


@given(st.floats(0.001, 100.0), st.floats(-0.3, 0.3), st.integers(0, 5))
@settings(max_examples=40, deadline=None)
def test_scale_and_shift_are_exact_without_noise(scale: float, shift: float, seed: int) -> None:
    depth, _ = scene(seed)
    inverse = ((1.0 / depth - shift) / scale).astype(np.float32)
    fit = fit_affine(inverse, depth, ONES, BLOCK)
    assert fit is not None and fit.is_affine
    assert fit.theta[0] == pytest.approx(scale, rel=1e-4) and fit.theta[1] == pytest.approx(shift, abs=1e-4)
    np.testing.assert_allclose(apply(fit.theta, inverse, 1e4), depth, rtol=2e-3)


def test_large_numbers_with_little_between_them_are_fitted_too() -> None:
    """A network whose output goes from 500 to 600: a ridge that is the same for both columns bends this shift."""
    inverse = np.linspace(500.0, 600.0, COUNT, dtype=np.float32)
    depth = (1.0 / (0.005 * inverse - 2.3)).astype(np.float32)
    fit = fit_affine(inverse, depth, ONES, BLOCK)
    assert fit is not None
    np.testing.assert_allclose(fit.theta, (0.005, -2.3), rtol=1e-4)


@pytest.mark.parametrize("how", ["scattered", "twice as far", "half as far"])
def test_40_percent_outliers_hardly_move_scale_and_shift(how: str) -> None:
    for seed in range(5):
        depth, prediction = scene(seed)
        inverse = ((1.0 / prediction + 0.02) * 3.0).astype(np.float32)
        clean = fit_affine(inverse, depth, ONES, BLOCK)
        fit = fit_affine(inverse, spoiled(depth, how, seed), ONES, BLOCK)
        assert clean is not None and fit is not None
        change = apply(fit.theta, inverse, 1e4) / apply(clean.theta, inverse, 1e4) - 1.0
        assert np.abs(change).mean() < 0.01 and np.abs(change).max() < 0.05
        assert 0.55 < fit.inlier_share < 0.75


def test_the_column_of_the_shift_is_weighted_like_the_other() -> None:
    """y = 2x + 3 with random weights. With the weight missing from the intercept's column the normal equations

        [Σwx² Σwx; Σx n] (a, b) = (Σwxy, Σy)·(w missing in one row only)

    have another solution: here the intercept comes out below 2.
    """
    rng = np.random.default_rng(0)
    x = rng.uniform(0.0, 1.0, COUNT).astype(np.float32)
    y = 2.0 * x + 3.0
    weight = rng.uniform(0.05, 1.0, COUNT).astype(np.float32)
    fit = fit_affine(x, 1.0 / y, weight, BLOCK)
    assert fit is not None
    np.testing.assert_allclose(fit.theta, (2.0, 3.0), rtol=1e-5)
    unweighted = np.linalg.lstsq(np.stack([weight * x, np.ones(COUNT)], axis=1), weight * y, rcond=None)[0]
    assert abs(unweighted[1] - 3.0) > 1.0


def test_a_negative_scale_is_no_fit() -> None:
    depth, prediction = scene(0)
    assert fit_affine(prediction, depth, ONES, BLOCK) is None  # depth where inverse depth was promised


def test_the_same_anchors_always_give_the_same_fit() -> None:
    depth, prediction = scene(0)
    depth = spoiled(depth, "scattered")
    first, second = (fit_affine(1 / prediction, depth, ONES, BLOCK) for _ in range(2))
    assert first is not None and second is not None
    np.testing.assert_array_equal(first.theta, second.theta)
    np.testing.assert_array_equal(first.covariance, second.covariance)


# ----------------------------------------------------------------------------------------------- both


@given(
    st.integers(1, 5), st.floats(-6.0, 6.0), st.floats(0.0, 3.0), st.sampled_from([1e-6, 1.0, 1e4]), st.integers(0, 99)
)
@settings(max_examples=80, deadline=None)
def test_few_anchors_give_finite_numbers_or_none(count: int, middle: float, width: float, of: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    depth = np.exp(rng.uniform(-1, 4, count)).astype(np.float32)
    prediction = (of * np.exp(middle + width * rng.normal(size=count))).astype(np.float32)
    weight, block = rng.uniform(1e-3, 1, count).astype(np.float32), np.zeros(count, np.int32)
    for fit in (fit_scale(prediction, depth, weight, block), fit_affine(prediction, depth, weight, block)):
        if fit is not None:
            assert np.isfinite(fit.theta).all() and np.isfinite(fit.covariance).all() and np.isfinite(fit.spread)
            assert np.linalg.eigvalsh(fit.covariance).min() > -1e-9 * np.trace(fit.covariance)


def test_predictions_that_are_all_the_same() -> None:
    same, (depth, _) = np.full(COUNT, 0.5, np.float32), scene(0)
    assert fit_affine(same, depth, ONES, BLOCK) is None
    nearly = same * (1 + 1e-7 * np.arange(COUNT, dtype=np.float32) % 2).astype(np.float32)
    fit = fit_affine(nearly, np.full(COUNT, 4.0, np.float32), ONES, BLOCK)
    assert fit is None or np.isfinite(fit.theta).all()


def test_a_model_that_says_nothing_has_few_inliers() -> None:
    """Three spreads always hold more than half: what is farther off than `OUTLIER` is an outlier nevertheless."""
    rng = np.random.default_rng(0)
    depth = np.exp(rng.normal(1.0, 1.0, COUNT)).astype(np.float32)
    fit = fit_scale(ONES, depth, ONES, BLOCK)
    assert fit.inlier_share == pytest.approx(0.31, abs=0.06)  # of a normal distribution within 0.4 of its middle
    assert OUTLIER == 0.4


def test_trust_and_median_by_hand() -> None:
    """(1 + (m / t)²)⁻² at m = 0, t, 2t; values 1, 2, 3 with weights 1, 1, 3: half of 5 is reached at 3."""
    np.testing.assert_allclose(trust(np.array([0.0, 0.3, 0.6], np.float32), 0.3), [1.0, 0.25, 0.04], rtol=1e-6)
    three = np.array([3.0, 1.0, 2.0], np.float32)
    assert weighted_median(three, np.array([3.0, 1.0, 1.0], np.float32)) == 3.0
    assert weighted_median(three, np.ones(3, np.float32)) == 2.0


def test_apply_by_hand() -> None:
    """ln 2 doubles depth; 1 / (2 * 0.25 + 0.5) = 1 m; what is not in front of the camera is as far as can be."""
    np.testing.assert_allclose(apply(np.log([2.0]), np.float32([1.0, 3.0]), 80.0), [2.0, 6.0], rtol=1e-6)
    far = apply(np.array([2.0, 0.5]), np.float32([0.25, -0.25, -9.0]), 80.0)
    np.testing.assert_allclose(far, [1.0, 80.0, 80.0], rtol=1e-6)
    assert far.dtype == np.float32
