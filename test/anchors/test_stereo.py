"""Stereo anchors against a plane in closed form; every bad pair is named."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stereo_world import (
    BASELINE,
    CX_LEFT,
    CX_RIGHT,
    FX,
    HEIGHT,
    STAMP,
    WIDTH,
    cameras,
    inverse_depth,
    stereo_pair,
)

from depth_perception.anchors import stereo
from depth_perception.anchors.disparity import pixels
from depth_perception.anchors.stereo import StereoMatcher
from depth_perception.camera import CameraModel
from depth_perception.config import StereoConfig
from depth_perception.errors import CalibrationError, MessageError
from depth_perception.records import Anchors, StereoPair

CONFIG = StereoConfig()


def anchors_of(pair: StereoPair, config: StereoConfig = CONFIG) -> Anchors:
    return StereoMatcher()(pair, config)


def truth(anchors: Anchors) -> np.ndarray:
    return 1.0 / inverse_depth(*anchors.uv.astype(np.float64).T)


@pytest.mark.parametrize("scale", [0.5, 0.73, 1.0])
def test_plane_has_its_depth(scale: float) -> None:
    anchors = anchors_of(stereo_pair(), StereoConfig(scale=scale))
    error = anchors.depth / truth(anchors) - 1.0
    assert len(anchors) > 1000
    assert abs(np.median(error)) < 0.002  # nothing systematic: half a pixel of disparity would be 0.03
    assert np.median(np.abs(error)) < 0.01
    assert (np.abs(error) < 0.05).mean() > 0.98


def test_the_eyes_may_have_different_principal_points() -> None:
    """At the optical axis disparity is 420 * 0.11 * 0.30 = 13.86 px, and 13.25 px of it are eaten by the offset."""
    anchors = anchors_of(stereo_pair())
    same = anchors_of(stereo_pair(cx_right=CX_LEFT))
    for found in (anchors, same):
        assert np.median(found.depth / truth(found)) == pytest.approx(1.0, abs=0.002)
    disparity = FX * BASELINE / anchors.depth + CX_LEFT - CX_RIGHT
    wrong = FX * BASELINE / disparity[disparity > 0.1]
    assert np.median(wrong) > 10.0  # ignoring the offset, metres instead of 3.4


@pytest.mark.parametrize("scale", [0.5, 1.0])
@pytest.mark.parametrize("seed", [1, 2])
def test_sigma_is_calibrated(scale: float, seed: int) -> None:
    """0.08 px is what perfect lenses leave; the default allows for real ones, and for edges."""
    anchors = anchors_of(stereo_pair(noise=4.0, seed=seed), StereoConfig(scale=scale, sigma_px=0.08))
    share = (np.abs(anchors.depth - truth(anchors)) < anchors.sigma).mean()
    assert 0.55 < share < 0.85


def test_sigma_follows_from_the_disparity() -> None:
    """At least depth^2 / (fx * baseline) * sigma_px in px of the matched size, where fx is half."""
    anchors = anchors_of(stereo_pair(noise=0.5), StereoConfig(sigma_px=0.4))
    least = anchors.depth**2 / (0.5 * FX * BASELINE) * 0.4
    assert (anchors.sigma > 0.999 * least).all()
    assert np.median(anchors.sigma / least) == pytest.approx(1.0, abs=0.02)


def test_low_texture_has_a_larger_sigma() -> None:
    """What noise adds goes as 1 / contrast."""
    strong, weak = anchors_of(stereo_pair()), anchors_of(stereo_pair(contrast=8.0))
    assert np.median(weak.sigma / weak.depth**2) > 1.1 * np.median(strong.sigma / strong.depth**2)
    faint = anchors_of(stereo_pair(contrast=1.5))
    assert len(faint) < 0.1 * len(strong)


def test_anchors_are_spread_and_grouped_by_block() -> None:
    anchors = anchors_of(stereo_pair(), StereoConfig(max_anchors=500))
    assert 300 < len(anchors) <= 500
    assert anchors.group.dtype == np.int32 and set(anchors.group) == set(range(48))
    assert np.bincount(anchors.group).max() < 3 * len(anchors) / 48
    u, v = anchors.uv.T
    assert (anchors.group == (6 * (v + 0.5) // HEIGHT) * 8 + 8 * (u + 0.5) // WIDTH).all()
    assert (anchors.source, anchors.stamp_ns, anchors.note) == ("stereo", STAMP, "")
    assert {a.dtype for a in (anchors.uv, anchors.depth, anchors.sigma)} == {np.dtype(np.float32)}


def test_colour_gives_what_grey_gives() -> None:
    pair = stereo_pair()
    colour = replace(pair, left=np.dstack([pair.left] * 3), right=np.dstack([pair.right] * 3))
    grey, coloured = anchors_of(pair), anchors_of(colour)
    assert np.array_equal(grey.depth, coloured.depth) and np.array_equal(grey.uv, coloured.uv)


def test_left_camera_may_have_an_offset_of_its_own() -> None:
    """KITTI's colour cameras: both P[0, 3] are relative to a third camera; the baseline is the difference."""
    pair = stereo_pair()
    shifted = []
    for camera in (pair.left_camera, pair.right_camera):
        P = camera.P.copy()
        P[0, 3] += 44.85
        shifted.append(CameraModel(camera.height, camera.width, camera.K, P=P))
    moved = anchors_of(replace(pair, left_camera=shifted[0], right_camera=shifted[1]))
    assert np.median(moved.depth / truth(moved)) == pytest.approx(1.0, abs=0.002)  # P_right alone: baseline 0.003 m


def test_a_rectified_pair_may_get_its_baseline_from_the_transform() -> None:
    pair = stereo_pair()
    bare = CameraModel(HEIGHT, WIDTH, pair.right_camera.K)
    T = np.eye(4)
    T[0, 3] = BASELINE
    found = anchors_of(replace(pair, right_camera=bare, T_left_right=T))
    assert np.array_equal(found.depth, anchors_of(pair).depth)


@pytest.mark.parametrize(("shift", "some"), [(0, False), (1, False), (4, True)])
def test_far_points_are_dropped(shift: int, some: bool) -> None:
    """A disparity below 1 px of the matched size, 2 px of the full one, measures nothing: the same image twice."""
    pair = stereo_pair(cx_right=CX_LEFT)
    anchors = anchors_of(replace(pair, right=np.roll(pair.left, -shift, 1)))
    assert (len(anchors) > 1000) == some
    assert not some or np.median(anchors.depth) == pytest.approx(FX * BASELINE / shift, rel=0.02)


@given(st.integers(1, 25), st.integers(1, 25), st.integers(1, 7), st.integers(0, 2**32 - 1))
def test_surest_is_the_least_of_each_cell(height: int, width: int, cell: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    sigma = rng.random((height, width)).astype(np.float32)
    sigma[rng.random((height, width)) < 0.6] = np.inf
    wanted = []
    for row in range(0, height, cell):
        for column in range(0, width, cell):
            square = sigma[row : row + cell, column : column + cell]
            if np.isfinite(square).any():
                r, c = np.unravel_index(square.argmin(), square.shape)
                wanted.append((row + r) * width + column + c)
    assert stereo._surest(sigma, cell).tolist() == wanted


@given(st.integers(1, 800), st.integers(1, 1300), st.integers(16, 5000))
def test_there_are_no_more_cells_than_wanted(height: int, width: int, most: int) -> None:
    cell = stereo._cell_size(height, width, most)
    assert -(-height // cell) * -(-width // cell) <= most


def test_sub_pixel_values_are_corrected() -> None:
    """Whole pixels, quarters and three quarters; a negative disparity has the fraction above its floor."""
    found = 16 * pixels(np.array([160, 164, 172, -12], np.int16))
    np.testing.assert_allclose(found, [159.5, 165.3, 169.7, -10.7])


def test_nearest_depth_is_what_the_search_reaches() -> None:
    matcher = StereoMatcher()
    assert matcher.camera is None
    matcher(stereo_pair(), StereoConfig(min_depth=1.0))
    assert matcher.nearest_m < 1.0
    assert matcher.camera == cameras()[0]
    matcher(stereo_pair(), StereoConfig(min_depth=0.05))
    assert matcher.nearest_m > 0.3  # a fifth of the image's width is searched at most: 260 / 5 = 52 -> 64 px


def test_is_prepared_once_and_anew_when_something_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    count = 0

    def counted(pair: StereoPair) -> stereo.StereoGeometry:
        nonlocal count
        count += 1
        return geometry(pair)

    geometry = stereo.stereo_geometry
    monkeypatch.setattr(stereo, "stereo_geometry", counted)
    matcher, pair = StereoMatcher(), stereo_pair()
    for _ in range(3):
        matcher(replace(pair, left_camera=cameras()[0]), StereoConfig())
    assert count == 1
    matcher(pair, StereoConfig(scale=0.4))
    matcher(stereo_pair(cx_right=CX_LEFT), StereoConfig(scale=0.4))
    assert count == 3


def test_swapped_images_are_named_and_give_nothing() -> None:
    pair = stereo_pair(cx_right=CX_LEFT)
    swapped = replace(pair, left=pair.right, right=pair.left)
    matcher = StereoMatcher()
    for _ in range(12):
        anchors = matcher(swapped, CONFIG)
        assert len(anchors) == 0 and "swapped" in anchors.note
    assert len(matcher(pair, CONFIG)) > 1000  # recovers when the topics are right again


def test_images_without_texture_are_named() -> None:
    pair = stereo_pair()
    black = np.zeros_like(pair.left)
    anchors = anchors_of(replace(pair, left=black, right=black))
    assert len(anchors) == 0 and "matched only 0 of" in anchors.note and "swapped" not in anchors.note


def test_unrelated_images_are_named() -> None:
    anchors = anchors_of(replace(stereo_pair(), right=stereo_pair(seed=9).right))
    assert "matched only" in anchors.note


def test_sizes_must_agree() -> None:
    pair = stereo_pair()
    with pytest.raises(MessageError, match="left image is 520x300, right image 500x300"):
        anchors_of(replace(pair, right=pair.right[:, :500]))
    with pytest.raises(CalibrationError, match="right camera_info is for 260x150, but its image is 520x300"):
        anchors_of(replace(pair, right_camera=pair.right_camera.resized(150, 260)))
