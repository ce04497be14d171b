"""Crop and resize, K following; depth goes where its pixel goes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from depth_perception.camera import CameraModel
from depth_perception.errors import ConfigError
from training.preparation.options import DatasetOptions
from training.preparation.target_view import TargetView, splat, target_window

K = np.array([[100.0, 0, 70.0], [0, 90.0, 30.0], [0, 0, 1]])
CAMERA = CameraModel(80, 160, K)


def test_k_after_crop_and_resize_by_hand() -> None:
    """Window 20 … 60 x 10 … 90, shrunk to half: c' = 0.5 (c + 0.5) - 0.5."""
    view = TargetView(CAMERA, None, DatasetOptions(crop="20,10,40,80", size="20x40"))
    assert view.window == (20, 10, 40, 80)
    expected = [[50.0, 0, 0.5 * (60 + 0.5) - 0.5], [0, 45.0, 0.5 * (10 + 0.5) - 0.5], [0, 0, 1]]
    np.testing.assert_allclose(view.camera.K, expected)  # plain multiplication would say cx 30, cy 5
    assert (view.camera.height, view.camera.width) == (20, 40)


def test_window_is_the_largest_of_the_aspect_in_the_middle() -> None:
    assert target_window(375, 1242, DatasetOptions(size="192x640")) == (1, 0, 373, 1242)
    assert target_window(480, 640, DatasetOptions(size="192x640")) == (144, 0, 192, 640)
    assert target_window(80, 160, DatasetOptions(size="80x80")) == (0, 40, 80, 80)
    assert target_window(375, 1242, DatasetOptions(size="192x640", fit="stretch")) == (0, 0, 375, 1242)
    assert target_window(80, 160, DatasetOptions(size="10x40", crop="40,20,40,80")) == (50, 20, 20, 80)
    assert target_window(80, 160, DatasetOptions()) == (0, 0, 80, 160)


@pytest.mark.parametrize("crop", ["0,0,81,160", "-1,0,10,10", "70,0,20,10", "0,0,0,10"])
def test_refuses_a_window_outside_of_the_image(crop: str) -> None:
    with pytest.raises(ConfigError, match=crop):
        target_window(80, 160, DatasetOptions(crop=crop))


@pytest.mark.parametrize(("size", "fit"), [("40x80", "crop"), ("60x40", "stretch"), ("100x200", "crop")])
def test_a_point_is_where_the_image_shows_it(size: str, fit: str) -> None:
    """A bright blob around a point, carried by the image, is found where K and `moved` put the point."""
    view = TargetView(CAMERA, None, DatasetOptions(crop="10,20,60,120", size=size, fit=fit))
    xyz = np.array([0.13, 0.21, 2.0])
    u, v = (K @ xyz)[:2] / xyz[2]
    rows, columns = np.mgrid[:80, :160]
    blob = np.exp(-((columns - u) ** 2 + (rows - v) ** 2) / 18.0)
    image = view((255 * blob).astype(np.uint8)).astype(float)
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    centre = [(columns * image).sum() / image.sum(), (rows * image).sum() / image.sum()]
    projected = (view.camera.K @ xyz)[:2] / xyz[2]
    np.testing.assert_allclose(centre, projected, atol=0.05)
    np.testing.assert_allclose(view.moved(np.array([[u, v]], np.float32))[0], projected, atol=1e-4)


def test_grey_and_colour_of_any_size() -> None:
    view = TargetView(CAMERA, None, DatasetOptions(size="40x60"))
    assert view(np.zeros((80, 160), np.uint8)).shape == (40, 60)
    assert view(np.zeros((80, 160, 3), np.uint8)).shape == (40, 60, 3)
    same = TargetView(CAMERA, None, DatasetOptions())
    image = np.random.default_rng(0).integers(0, 255, (80, 160, 3), np.uint8)
    assert np.array_equal(same(image), image) and same.camera == CAMERA


def test_distortion_is_gone_and_the_uncovered_share_is_told() -> None:
    lens = CameraModel(80, 160, K, np.array([0.3, 0.05, 0, 0]), "plumb_bob")  # pincushion: black corners
    view = TargetView(lens.rectified(), lens, DatasetOptions())
    assert not view.camera.is_distorted and 0.5 < view.covered < 1.0
    assert TargetView(CAMERA, None, DatasetOptions()).covered == 1.0


@pytest.mark.parametrize("size", ["48x96", "40x80", "18x36", "13x26"])
@pytest.mark.parametrize("kind", ["plumb_bob", "equidistant"])
def test_what_a_lens_bends_is_where_k_says_at_any_size(size: str, kind: str) -> None:
    """Rectified straight to the target; 13x26 from 80x160 at three times the target's size, then averaged."""
    D = np.array([-0.2, 0.03, 0.001, -0.002]) if kind == "plumb_bob" else np.array([-0.03, 0.004, 0.0, 0.0])
    lens = CameraModel(80, 160, K, D, kind)
    view = TargetView(lens.rectified(), lens, DatasetOptions(crop="10,20,60,120", size=size))
    xyz = np.array([[0.53, 0.31, 2.0]])
    u, v = lens.project(xyz)[0]
    rows, columns = np.mgrid[:80, :160]
    blob = np.exp(-((columns - u) ** 2 + (rows - v) ** 2) / 40.0)
    image = view((255 * blob).astype(np.uint8)).astype(float) ** 2  # the peak counts: the lens stretches the sides
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    centre = [(columns * image).sum() / image.sum(), (rows * image).sum() / image.sum()]
    np.testing.assert_allclose(centre, (view.camera.K @ xyz[0])[:2] / 2.0, atol=0.15)


@pytest.mark.parametrize(("size", "most"), [("40x80", 3), ("20x40", 3), ("31x62", 40)])
def test_rectifying_averages_when_shrinking(size: str, most: int) -> None:
    """Columns of 0 and 200 become grey: of the one nearest to each target's centre they would stay 0 or 200."""
    image = np.zeros((80, 160), np.uint8)
    image[:, ::2] = 200
    lens = CameraModel(80, 160, K, np.array([1e-6, 0, 0, 0]), "plumb_bob")
    shrunk = TargetView(lens.rectified(), lens, DatasetOptions(size=size))(image)[2:-2, 2:-2].astype(int)
    assert np.abs(shrunk - 100).max() <= most


def test_splat_rounds_to_the_pixel_and_keeps_the_nearest() -> None:
    camera = CameraModel(3, 4, np.eye(3))
    uv = np.array([[0.49, -0.49], [0.51, 0.0], [1.4, 0.3], [3.49, 2.49], [3.51, 0.0], [-0.51, 0.0]], np.float32)
    depth = splat(uv, np.array([5.0, 7.0, 3.0, 9.0, 1.0, 1.0], np.float32), camera)
    expected = np.full((3, 4), np.nan, np.float32)
    expected[0, 0], expected[0, 1], expected[2, 3] = 5.0, 3.0, 9.0
    np.testing.assert_array_equal(depth, expected)


def test_sparse_depth_is_carried_and_never_interpolated() -> None:
    view = TargetView(CAMERA, None, DatasetOptions(size="40x80"))
    depth = np.full((80, 160), np.nan, np.float32)
    depth[10, 20], depth[11, 21], depth[40, 100] = 8.0, 4.0, 2.5
    carried = view.carried(depth)
    assert np.nanmax(carried) == 4.0 and np.isfinite(carried).sum() == 2
    assert carried[5, 10] == 4.0 and carried[20, 50] == 2.5


def test_dense_depth_is_taken_at_pixel_centres() -> None:
    view = TargetView(CAMERA, None, DatasetOptions(crop="0,0,80,80", size="40x40"))
    dense = np.arange(80 * 160, dtype=np.float32).reshape(80, 160)
    assert view.sampled(dense)[0, :3].tolist() == [
        161.0,
        163.0,
        165.0,
    ]  # row 1, columns 1, 3, 5: (i + 0.5) * 2 = 2 i + 1
    same = TargetView(CAMERA, None, DatasetOptions())
    assert np.array_equal(same.sampled(dense), dense)


@given(st.integers(20, 300), st.integers(20, 300), st.integers(8, 200), st.integers(8, 200))
def test_window_lies_inside_and_has_the_aspect(height: int, width: int, rows: int, columns: int) -> None:
    top, left, h, w = target_window(height, width, DatasetOptions(size=f"{rows}x{columns}"))
    assert top >= 0 and left >= 0 and top + h <= height and left + w <= width
    assert abs(h - w * rows / columns) <= 1 or abs(w - h * columns / rows) <= 1
    assert h == height or w == width or abs(h - height) <= 1 or abs(w - width) <= 1


def test_area_averages_when_shrinking() -> None:
    image = np.zeros((80, 160), np.uint8)
    image[:, ::2] = 200
    shrunk = TargetView(CAMERA, None, DatasetOptions(size="40x80"))(image)
    assert np.array_equal(shrunk, np.full((40, 80), 100))
