"""Truth on the pixels of a rectified image, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from depth_perception.camera import CameraModel, Rectifier
from depth_perception.view.truth import rectified_depth

H, W = 120, 160
K = np.array([[150.0, 0, 85.0], [0, 140.0, 55.0], [0, 0, 1]])
D = np.array([-0.25, 0.05, 0.001, -0.002, 0.0])


def rotation_about_x(angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[1.0, 0, 0], [0, c, -s], [0, s, c]])


def plane_depth(camera: CameraModel, normal: np.ndarray, offset: float, undistorted: np.ndarray) -> np.ndarray:
    """Depth (H, W) of the plane normal · p = offset on pixels whose rays at depth 1 m are (H, W, 3)."""
    return (offset / (undistorted @ normal)).astype(np.float32).reshape(camera.height, camera.width)


def distorted_rays(camera: CameraModel) -> np.ndarray:
    """Rays of the pixels of the distorted image, by OpenCV's own inversion."""
    import cv2

    rows, columns = np.mgrid[:H, :W]
    uv = np.stack([columns.ravel(), rows.ravel()], axis=1).astype(np.float64)
    xy = cv2.undistortPoints(uv[:, None], camera.K, camera.D).reshape(H, W, 2)
    return np.concatenate([xy, np.ones((H, W, 1))], axis=2)


@pytest.mark.parametrize("angle", [0.0, 0.15])
def test_a_slanted_plane_keeps_its_place_in_the_rectified_image(angle: float) -> None:
    """Convention: p_rect = R @ p, and depth is along z of the rectified frame: 0.15 rad change it by up to 8 %."""
    source = CameraModel(H, W, K, D, "plumb_bob", rotation_about_x(angle))
    normal, offset = np.array([0.1, -0.2, 1.0]), 5.0
    truth = plane_depth(source, normal, offset, distorted_rays(source))
    expected = plane_depth(source, source.R @ normal, offset, source.rectified().rays())
    got = rectified_depth(truth, source)
    covered = Rectifier(source).covered
    assert np.isfinite(got)[5:-5, 5:-5].mean() == pytest.approx(covered[5:-5, 5:-5].mean(), abs=0.02)
    known = np.isfinite(got)
    assert np.abs(got[known] / expected[known] - 1).max() < 0.006  # of half a pixel
    if angle:
        unrotated = plane_depth(source, normal, offset, source.rectified().rays())
        assert np.abs(got[known] / unrotated[known] - 1).max() > 0.03


def test_holes_stay_holes_and_nothing_is_mixed_across_edges() -> None:
    source = CameraModel(H, W, K, D, "plumb_bob")
    truth = np.full((H, W), 2.0, np.float32)
    truth[:, 80:], truth[40:50, 20:40] = 7.0, np.nan
    got = rectified_depth(truth, source)
    assert set(np.unique(got[np.isfinite(got)]).tolist()) == {2.0, 7.0}
    assert np.isnan(got[45, 30])
