"""Upsampling: exact on planes, no value between two surfaces, contours in the right place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from depth_perception.upsample import Upsampler


def plane_inverse_depth(height: int, width: int) -> np.ndarray:
    """A slanted plane: inverse depth is linear in the pixel's place in the field of view."""
    v, u = np.mgrid[0:height, 0:width]
    return (0.2 + 0.1 * (u + 0.5) / width + 0.05 * (v + 0.5) / height).astype(np.float32)


def test_a_slanted_plane_comes_back_exactly() -> None:
    """Linear in inverse depth, half-pixel centres; the border row and column are extrapolated and left out."""
    out = Upsampler((40, 60), (120, 150))(1.0 / plane_inverse_depth(40, 60))
    np.testing.assert_allclose(1.0 / out[3:-3, 3:-3], plane_inverse_depth(120, 150)[3:-3, 3:-3], rtol=1e-5)


def test_corner_alignment_would_be_noticed() -> None:
    """The wrong convention (corners aligned) is off by 0.5 % here: far more than the tolerance above."""
    wrong = 0.2 + 0.1 * np.linspace(0.5 / 60, 59.5 / 60, 150)
    right = 0.2 + 0.1 * (np.arange(150) + 0.5) / 150
    assert np.abs(wrong / right - 1)[3:-3].max() > 1e-3


def test_no_flying_pixels_between_two_walls() -> None:
    depth = np.full((30, 40), 10.0, np.float32)
    depth[8:22, 13:27] = 2.0
    out = Upsampler((30, 40), (97, 163))(depth)
    assert set(np.unique(np.round(out, 4))) == {2.0, 10.0}
    share = np.mean(out < 5.0)
    assert share == pytest.approx(14 * 14 / (30 * 40), rel=0.05), "the near surface keeps its size"


def test_sky_stays_infinite_and_never_mixes() -> None:
    depth = np.full((20, 30), np.inf, np.float32)
    depth[12:] = 5.0
    out = Upsampler((20, 30), (60, 90))(depth)
    assert np.isposinf(out[:33]).all() and (np.abs(out[39:] - 5.0) < 1e-5).all()
    assert np.isin(np.round(out, 4), [5.0, np.inf]).all()


def test_unknown_stays_unknown_and_spreads_no_farther_than_its_neighbours() -> None:
    depth = np.full((20, 30), 3.0, np.float32)
    depth[10, 15] = np.nan
    out = Upsampler((20, 30), (60, 90))(depth)
    assert np.isnan(out[31, 46])
    assert np.isnan(out).sum() <= 9 * 9
    assert (np.abs(out[np.isfinite(out)] - 3.0) < 1e-5).all()


@settings(max_examples=60, deadline=None)
@given(arrays(np.float32, (7, 9), elements=st.floats(0.25, 64.0, width=32)), st.integers(1, 40), st.integers(1, 40))
def test_output_stays_within_the_input_range(depth: np.ndarray, height: int, width: int) -> None:
    out = Upsampler((7, 9), (height, width))(depth)
    assert out.shape == (height, width)
    assert depth.min() * 0.999 <= out.min() and out.max() <= depth.max() * 1.001


def test_same_size_is_a_copy() -> None:
    depth = np.full((4, 5), 2.0, np.float32)
    out = Upsampler((4, 5), (4, 5))(depth)
    assert out is not depth and (out == depth).all()
