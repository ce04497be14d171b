"""Normalised labels, the closed-form fit, and the table that is made of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.normalise import normalise
from training.scale_shift import fit_scale_shift
from training.student_table import Row, baselines, format_table, make_row, verdict


class TestNormalise:
    def test_closed_form(self) -> None:
        # median 3; |x - 3| = 2, 1, 0, 1, 6, mean 2. The standard deviation (2.83) or median (1) would differ.
        result = normalise(np.array([[1.0, 2.0, 3.0, 4.0, 9.0]]))
        assert result.dtype == np.float32
        assert result[0].tolist() == pytest.approx([-1.0, -0.5, 0.0, 0.5, 3.0])

    def test_unknown_pixels_stay_unknown_and_do_not_count(self) -> None:
        result = normalise(np.array([1.0, np.nan, 2.0, 3.0, 4.0, 9.0, np.inf]))
        assert np.isnan(result[[1, 6]]).all()
        assert result[[0, 2, 3, 4, 5]].tolist() == pytest.approx([-1.0, -0.5, 0.0, 0.5, 3.0])

    @given(scale=st.floats(1e-3, 1e4), shift=st.floats(-1e3, 1e3))
    def test_invariant_to_scale_and_shift(self, scale: float, shift: float) -> None:
        label = np.random.default_rng(0).gamma(2.0, size=(8, 9))
        expected = normalise(label)
        assert np.allclose(normalise(scale * label + shift), expected, atol=1e-6 * (1 + abs(shift) / scale))

    def test_a_negative_scale_turns_it_round(self) -> None:
        label = np.random.default_rng(0).normal(size=(8, 9))
        assert np.allclose(normalise(-label), -normalise(label))

    def test_nothing_relative_to_say(self) -> None:
        assert (normalise(np.full((2, 3), 7.0)) == 0).all()
        assert np.isnan(normalise(np.full((2, 3), np.nan))).all()


class TestFitScaleShift:
    def test_a_line_is_found_with_any_weights(self) -> None:
        random = np.random.default_rng(0)
        x, w = random.uniform(0, 5, (7, 9)), random.uniform(0.01, 3, (7, 9))
        assert fit_scale_shift(x, 2 * x + 3, w) == pytest.approx((2.0, 3.0))
        # the trap: weights on x and y but not on the intercept's column
        wrong = np.linalg.lstsq(
            np.stack([w.ravel() * x.ravel(), np.ones(63)], 1), (w * (2 * x + 3)).ravel(), rcond=None
        )
        assert wrong[0].tolist() != pytest.approx([2.0, 3.0], abs=0.1)

    def test_noise_is_weighted_like_the_normal_equations(self) -> None:
        random = np.random.default_rng(1)
        x, t, w = (random.uniform(0.1, 2, 50) for _ in range(3))
        columns = np.stack([x, np.ones(50)], 1) * np.sqrt(w)[:, None]
        expected = np.linalg.lstsq(columns, t * np.sqrt(w), rcond=None)[0]
        assert fit_scale_shift(x, t, w) == pytest.approx(tuple(expected))

    def test_unknown_pixels_are_left_out(self) -> None:
        x = np.array([0.0, 1.0, 2.0, np.nan, 5.0])
        t = np.array([3.0, 5.0, 7.0, 1.0, np.nan])
        assert fit_scale_shift(x, t) == pytest.approx((2.0, 3.0))
        assert fit_scale_shift(np.array([0.0, 1, 2, 9]), np.array([3.0, 5, 7, 99]), np.array([1.0, 1, 1, 0])) == (
            pytest.approx((2.0, 3.0))
        )

    def test_a_constant_has_no_scale(self) -> None:
        target, weights = np.array([1.0, 2.0, 6.0]), np.array([1.0, 1.0, 2.0])
        assert fit_scale_shift(np.full(3, 0.1, np.float32), target, weights) == pytest.approx((0.0, 3.75))

    def test_nothing_to_fit(self) -> None:
        assert all(math.isnan(value) for value in fit_scale_shift(np.full(3, np.nan), np.ones(3)))

    def test_refuses_other_shapes(self) -> None:
        with pytest.raises(ValueError, match=r"\(3,\).*\(4,\)"):
            fit_scale_shift(np.ones(3), np.ones(4))


class TestTable:
    LABELS = np.array([[[100.0, 200.0, 400.0]], [[50.0, 100.0, np.nan]]], np.float32)

    def test_errors_are_means_over_images_in_the_learnt_unit(self) -> None:
        prediction = self.LABELS + np.array([[[3.0, -3.0, 3.0]], [[1.0, 1.0, 1.0]]], np.float32)
        row = make_row("x", 7, prediction, self.LABELS, self.LABELS, normalised=False)
        assert (row.rmse, row.mae) == pytest.approx((2.0, 2.0))
        assert row.unaligned is not None and row.unaligned.delta1 == 1.0

    def test_alignment_undoes_scale_and_shift_of_each_image(self) -> None:
        factor, offset = np.array([[[0.1]], [[-3.0]]], np.float32), np.array([[[-70.0]], [[5.0]]], np.float32)
        prediction = (self.LABELS - offset) / factor
        row = make_row("x", 7, prediction.astype(np.float32), self.LABELS, self.LABELS, normalised=False)
        assert row.aligned.delta1 == 1.0 and row.aligned.rmse < 1e-3
        assert row.unaligned is not None and row.unaligned.delta1 < 0.5

    def test_a_student_near_zero_has_no_delta_as_in_the_paper(self) -> None:
        row = make_row("x", 7, np.full_like(self.LABELS, -2.0), self.LABELS, self.LABELS, normalised=False)
        assert row.unaligned is not None and row.unaligned.delta3 == 0.0
        # a constant aligned is the mean: 233.33 of 100, 200, 400 (one of three within 1.25), 75 of 50, 100 (none)
        assert row.aligned.delta1 == pytest.approx((1 / 3 + 0) / 2)

    def test_normalised_targets_have_no_plain_delta(self) -> None:
        target = np.stack([normalise(label) for label in self.LABELS])
        row = make_row("x", 7, target, target, self.LABELS, normalised=True)
        assert row.unaligned is None and row.rmse == 0 and row.aligned.delta1 == 1.0
        assert "| x | 7 | 0.000 | 0.000 | - | - | - | 100.00 |" in format_table([row])

    def test_baselines_see_training_views_only(self) -> None:
        target = np.array([[[1.0, 2.0]], [[3.0, np.nan]], [[100.0, 100.0]]], np.float32)
        maps = baselines(target, np.array([0, 1]), views=2)
        assert maps["constant"].shape == (2, 1, 2) and np.allclose(maps["constant"], 2.0)
        assert np.allclose(maps["mean map"], [[[2.0, 2.0]]] * 2)

    def test_the_verdict_says_which_way(self) -> None:
        labels = np.tile(np.linspace(50, 500, 64, dtype=np.float32).reshape(1, 8, 8), (2, 1, 1))
        good: Row = make_row("normalised", 7, labels, labels, labels, normalised=False)
        bad: Row = make_row("raw", 7, np.zeros_like(labels), labels, labels, normalised=False)
        assert "at least 0.2" in verdict([good, bad])
        assert "7 epochs: normalised - raw = +0.000 in aligned δ1, less than 0.2" in verdict(
            [good, make_row("raw", 7, labels, labels, labels, normalised=False)]
        )
