"""Light and colour: closed forms of the table and of the matrix."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from training.colour_change import LUMA, ColourChange, ColourRanges, random_change

STILL = ColourRanges((1.0, 1.0), (1.0, 1.0), 0.0, 0.0, 0.0, 0.0)
IMAGE = np.random.default_rng(0).integers(0, 256, (12, 20, 3)).astype(np.uint8)


def changed(ranges: ColourRanges, image: np.ndarray = IMAGE, seed: int = 0) -> np.ndarray:
    return random_change(image, ranges, np.random.default_rng(seed))(image)


def test_nothing_changes_without_ranges() -> None:
    assert (changed(STILL) == IMAGE).all()


def test_gamma_and_intensity_of_paper_2() -> None:
    """alpha * x ** gamma, drawn from [0.8, 1.2] each, saturating at 1."""
    ranges = replace(STILL, gamma=(0.8, 1.2), intensity=(0.8, 1.2))
    rng = np.random.default_rng(3)
    gamma, alpha = rng.uniform(0.8, 1.2), rng.uniform(0.8, 1.2)
    expected = 255 * np.clip(alpha * (IMAGE / 255.0) ** gamma, 0, 1)
    assert np.abs(changed(ranges, seed=3) - expected).max() < 0.501  # rounded
    assert ColourRanges().gamma == ColourRanges().intensity == (0.8, 1.2)


def test_draws_fill_their_ranges() -> None:
    ranges = replace(STILL, intensity=(0.8, 1.2))
    grey = np.full((4, 4, 3), 200, np.uint8)
    seen = [changed(ranges, grey, seed)[0, 0, 0] / 200 for seed in range(300)]
    assert 0.8 <= min(seen) < 0.82 and 1.18 < max(seen) <= 1.2 and np.mean(seen) == pytest.approx(1.0, abs=0.02)


def test_contrast_turns_about_the_targets_mean() -> None:
    grey = np.zeros((32, 16, 3), np.uint8)
    grey[:16] = 60
    grey[16:] = 140  # mean 100
    out = changed(replace(STILL, contrast=0.2), grey, seed=1)[:, 0, 0].astype(float)
    assert out.mean() == pytest.approx(100.0, abs=0.5)
    factor = 1 + 0.4 * (np.random.default_rng(1).random(4)[3] - 0.5)  # after gamma, alpha and brightness
    assert out[-1] - out[0] == pytest.approx(80 * factor, abs=1.0)


@pytest.mark.parametrize("seed", range(5))
def test_saturation_and_hue_keep_luma_and_grey(seed: int) -> None:
    middle = np.random.default_rng(seed).integers(90, 160, (6, 6, 3)).astype(np.uint8)
    out = changed(replace(STILL, saturation=0.2, hue_deg=18.0), middle, seed)
    assert np.allclose(out @ LUMA, middle @ LUMA, atol=0.55)  # rounding
    assert np.abs(out.astype(int) - middle).max() > 2
    grey = np.full((2, 2, 3), 77, np.uint8)
    assert np.allclose(changed(replace(STILL, saturation=0.2, hue_deg=18.0), grey, seed), 77)


def test_hue_turns_by_the_angle() -> None:
    """A weak colour turned by 120 degrees and back is itself; by 18 it moves 18 degrees in the plane of chroma."""
    from training.colour_change import RGB_TO_YIQ, _hue

    colour = np.array([0.55, 0.5, 0.45])
    chroma = [complex(*(RGB_TO_YIQ @ turned)[1:]) for turned in (colour, _hue(np.deg2rad(18)) @ colour)]
    assert np.angle(chroma[1] / chroma[0], deg=True) == pytest.approx(18.0)
    assert np.allclose(_hue(2.0) @ _hue(-2.0), np.eye(3))


def test_it_is_limited_not_wrapped() -> None:
    table = np.linspace(-60, 400, 256, dtype=np.float32)
    out = ColourChange(table, np.eye(3, dtype=np.float32))(
        np.arange(255, -1, -1, dtype=np.uint8).reshape(8, 32, 1).repeat(3, 2)
    )
    assert out.dtype == np.uint8 and (np.diff(out[..., 0].ravel().astype(int)) <= 0).all()
    assert out[0, 0, 0] == 255 and out[-1, -1, 0] == 0
