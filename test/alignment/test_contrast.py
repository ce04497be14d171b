"""The exponent that sharpens or softens a network's depth."""

import numpy as np
import pytest
from alignment_scene import NOW, beams, true_depth, view

from depth_perception.alignment.aligner import Aligner
from depth_perception.alignment.contrast import PRIOR_STD, Contrast, fit_contrast
from depth_perception.config import ScaleConfig

RNG = np.random.default_rng(3)
PREDICTION = np.exp(RNG.uniform(0.0, 3.0, 400)).astype(np.float32)
BLOCK = (np.arange(400) % 40).astype(np.int32)
ONES = np.ones(400, np.float32)


def test_it_is_recovered_whatever_the_offset() -> None:
    residual = (0.7 - 0.3 * np.log(PREDICTION)).astype(np.float32)
    fitted = fit_contrast(PREDICTION, residual, ONES, BLOCK, spread=0.01)
    assert fitted.exponent == pytest.approx(-0.3, abs=1e-3)
    assert fitted.pivot == pytest.approx(np.median(PREDICTION), rel=0.02)


def test_it_is_shrunk_as_the_closed_form_of_ridge_regression_says() -> None:
    """Small residuals, so that all are trusted alike: γ = cov(x, r) / (var x + (spread / prior)² / blocks)."""
    x = np.log(PREDICTION)
    residual = (1e-3 * x).astype(np.float32)
    fitted = fit_contrast(PREDICTION, residual, ONES, BLOCK, spread=0.6)
    expected = 1e-3 * np.var(x) / (np.var(x) + (0.6 / PRIOR_STD) ** 2 / 40)
    assert fitted.exponent == pytest.approx(expected, rel=1e-3)


def test_gross_outliers_hardly_move_it() -> None:
    residual = (-0.3 * np.log(PREDICTION)).astype(np.float32)
    wrong = RNG.random(400) < 0.4
    residual[wrong] = RNG.uniform(1.0, 3.0, int(wrong.sum())) * np.sign(np.log(PREDICTION[wrong]) - 1.5)
    assert fit_contrast(PREDICTION, residual, ONES, BLOCK, spread=0.05).exponent == pytest.approx(-0.3, abs=0.05)


def test_anchors_at_one_depth_say_nothing() -> None:
    fitted = fit_contrast(np.full(400, 4.0, np.float32), 0.2 * ONES, ONES, BLOCK, spread=0.1)
    assert fitted.exponent == pytest.approx(0.0, abs=1e-4)
    none = np.zeros(0, np.float32)
    assert fit_contrast(none, none, none, none.astype(np.int32), 0.1).exponent == 0.0


def test_what_it_adds() -> None:
    depth = np.array([2.0, 4.0, np.inf, 0.0, -1.0, np.nan], np.float32)
    expected = [0.0, 0.5 * np.log(2.0), 0.0, 0.0, 0.0, 0.0]
    np.testing.assert_allclose(Contrast(0.5, 2.0).log(depth), expected, atol=1e-6)
    np.testing.assert_array_equal(Contrast(0.0, 1.0).log(depth), 0.0)


def test_it_corrects_what_no_anchor_is_near() -> None:
    """The network's depth is the truth to the power of 1.4; beams in the upper half tell, and the lower edge gains."""
    squeezed = view("metric", 0.4 * np.log(true_depth()))
    anchors = [beams((2, 12, 22, 32, 42, 52))]
    corrected = Aligner()(squeezed, anchors, NOW, ScaleConfig(field_reach=0.01), True)
    scaled = Aligner()(squeezed, anchors, NOW, ScaleConfig(residual_field=False), True)
    assert corrected.depth is not None and scaled.depth is not None
    left, was = (np.abs(np.log(made.depth / true_depth()))[-10:].mean() for made in (corrected, scaled))
    assert was > 0.2 and left < 0.6 * was
