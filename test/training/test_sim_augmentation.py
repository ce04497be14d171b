"""Crops, stretches and mirrors keep image, depth and K together: hand numbers, fx != fy, principal point off centre."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.photometric_augmentation import borrow_amplitude, degrade, exposure, grey, haze, jpeg
from training.sim_augmentation import Sample, central_view, crop_and_resize, mirror, random_view

K = np.array([[100.0, 0, 50.0], [0, 120.0, 30.0], [0, 0, 1]])


def ramp(height: int = 60, width: int = 90, K: np.ndarray = K) -> Sample:
    """Brightness and depth that tell the ray: red = 2 u, green = 2 v; depth = 1 + u + 100 v."""
    u, v = np.meshgrid(np.arange(width), np.arange(height))
    image = np.stack([2 * u, 2 * v, 0 * u], axis=-1).astype(np.uint8)
    return Sample(image, (1 + u + 100 * v).astype(np.float32), K)


def test_crop_and_stretch_by_hand() -> None:
    # window from (10, 6), 30 rows x 40 columns, to 60 x 20: x halves, y doubles
    out = crop_and_resize(ramp(), 10, 6, (30, 40), (60, 20), cv2.INTER_AREA)
    assert out.image.shape == (60, 20, 3)
    assert out.depth.shape == (60, 20)
    expected = [[50.0, 0, 0.5 * (50 - 10 + 0.5) - 0.5], [0, 240.0, 2 * (30 - 6 + 0.5) - 0.5], [0, 0, 1]]
    np.testing.assert_allclose(out.K, expected)
    assert out.K[0, 2] == pytest.approx(19.75)  # plain multiplication would give 20
    # nearest depth, not the mean of two: column 0 of the output covers columns 10 and 11, row 0 is row 6
    assert out.depth[0, 0] in (1 + 10 + 600, 1 + 11 + 600)


def test_mirror_moves_the_principal_point() -> None:
    out = mirror(ramp())
    assert out.K[0, 2] == 89 - 50
    assert out.K[0, 0] == 100.0
    assert out.depth[3, 0] == 1 + 89 + 300
    assert out.image[3, 0, 0] == 2 * 89
    np.testing.assert_array_equal(mirror(out).depth, ramp().depth)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([(48, 64), (32, 96), (64, 64)]))
def test_a_random_view_shows_the_same_rays(seed: int, size: tuple[int, int]) -> None:
    """The centre pixel's ray through the new K is the ray that its depth (which encodes u and v) says."""
    sample = ramp()
    view = random_view(sample, size, np.random.default_rng(seed))
    assert view.image.shape == (*size, 3)
    row, column = size[0] // 2, size[1] // 2
    code = int(view.depth[row, column]) - 1
    u, v = code % 100, code // 100
    ray = abs((u - 50.0) / 100.0), (v - 30.0) / 120.0
    found = abs((column - view.K[0, 2]) / view.K[0, 0]), (row - view.K[1, 2]) / view.K[1, 1]
    assert found == pytest.approx(ray, abs=0.51 / 100 + 0.51 / min(view.K[0, 0], view.K[1, 1]))
    assert 0.6 < view.K[0, 0] / view.K[1, 1] < 1.45


def test_central_view_keeps_the_whole_width_and_the_middle_rows() -> None:
    view = central_view(ramp(60, 90), (20, 90))
    np.testing.assert_array_equal(view.depth, ramp(60, 90).depth[20:40])
    assert view.K[1, 2] == 30 - 20
    whole = central_view(ramp(60, 90), (96, 128))
    assert whole.K[0, 0] == pytest.approx(100 * 128 / 90)
    assert whole.K[1, 1] == pytest.approx(120 * 96 / 60)


def test_haze_leaves_what_koschmieder_says() -> None:
    black, depth = np.zeros((2, 2, 3), np.float32), np.array([[0.0, 1e9], [np.inf, 50.0]], np.float32)
    out = haze(black, depth, np.random.default_rng(0))
    np.testing.assert_allclose(out[0, 0], 0.0)  # nothing scatters on no way
    np.testing.assert_allclose(out[0, 1], out[1, 0])  # far and sky: air only
    visibility = -50.0 / np.log1p(-out[1, 1, 0] / out[1, 0, 0] * (1 - np.exp(-200.0 / _visibility(0))))
    assert visibility == pytest.approx(_visibility(0), rel=1e-3)


def _visibility(seed: int) -> float:
    return float(np.exp(np.random.default_rng(seed).uniform(np.log(15.0), np.log(300.0))))


def test_single_effects() -> None:
    rng = np.random.default_rng(1)
    image = rng.random((48, 64, 3), dtype=np.float32)
    assert np.ptp(grey(image), axis=2).max() == 0.0
    np.testing.assert_allclose(borrow_amplitude(image, image, rng), image, atol=1e-5)  # its own spectrum: no change
    once, other = exposure(image, rng), exposure(image, rng)
    assert 0.0 <= once.min() <= once.max() <= 1.0
    assert not np.allclose(once, other)
    flat = np.full((16, 16, 3), 120, np.uint8)
    flat[..., 2] = 40
    assert np.abs(jpeg(flat, rng).astype(int) - flat).max() <= 6  # channels are not exchanged


def test_degrade_keeps_shape_and_type_and_is_repeatable() -> None:
    sample = random_view(ramp(), (48, 64), np.random.default_rng(0))
    images = [degrade(sample.image, sample.depth, sample.image, np.random.default_rng(s)) for s in (3, 3, 4)]
    assert images[0].shape == (48, 64, 3)
    assert images[0].dtype == np.uint8
    np.testing.assert_array_equal(images[0], images[1])
    assert (images[0] != images[2]).any()
