"""Camera geometry against hand-computed numbers; fx ≠ fy, W ≠ H, off-centre principal point throughout."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from depth_perception.camera import CameraModel, Rectifier
from depth_perception.errors import CalibrationError

K = np.array([[400.0, 0, 330.0], [0, 420.0, 200.0], [0, 0, 1]])
PLUMB = np.array([-0.28, 0.07, 0.0002, 0.00002, 0.0])


def test_pinhole_has_its_field_of_view() -> None:
    camera = CameraModel.pinhole(480, 640, 90.0)
    assert camera.fx == pytest.approx(320.0)
    assert (camera.cx, camera.cy) == (319.5, 239.5)


def test_resize_follows_the_half_pixel_rule() -> None:
    half = CameraModel(480, 640, K).resized(240, 320)
    assert (half.fx, half.fy) == (200.0, 210.0)
    assert half.cx == pytest.approx(164.75)  # 0.5 * 330.5 - 0.5; plain scaling would say 165
    assert half.cy == pytest.approx(99.75)


def test_resize_agrees_with_opencv_resampling() -> None:
    """A bright dot seen at one ray stays at that ray after cv2 resizes the image."""
    camera = CameraModel(400, 600, np.array([[400.0, 0, 290], [0, 420, 210], [0, 0, 1]]))
    v, u = np.mgrid[0:400, 0:600]
    image = np.exp(-((u - 150.0) ** 2 + (v - 300.0) ** 2) / 200.0).astype(np.float32)
    small_image = cv2.resize(image, (200, 200), interpolation=cv2.INTER_AREA)
    small = camera.resized(200, 200)
    v, u = np.mgrid[0:200, 0:200]
    centre = [(small_image * w).sum() / small_image.sum() for w in (u, v)]
    ray = [(150.0 - camera.cx) / camera.fx, (300.0 - camera.cy) / camera.fy, 1.0]
    assert centre == pytest.approx(small.project(np.array([ray]))[0], abs=0.02)


def test_crop_moves_the_principal_point() -> None:
    cut = CameraModel(480, 640, K).cropped(30, 20, 100, 200)
    assert (cut.cx, cut.cy, cut.height, cut.width) == (300.0, 180.0, 100, 200)
    assert (cut.P[0, 2], cut.P[1, 2]) == (300.0, 180.0)


def test_baseline_in_P_scales_with_the_image() -> None:
    P = np.hstack([K, [[-40.0], [0], [0]]])
    assert CameraModel(480, 640, K, P=P).resized(240, 320).P[0, 3] == pytest.approx(-20.0)


@given(st.floats(-0.6, 0.6), st.floats(-0.4, 0.4), st.floats(0.3, 50.0))
def test_projecting_a_back_projected_pixel_returns_it(x: float, y: float, z: float) -> None:
    camera = CameraModel(480, 640, K)
    u, v = camera.project(np.array([[x * z, y * z, z]]))[0]
    assert (u, v) == pytest.approx((400 * x + 330, 420 * y + 200))


def test_rays_are_points_at_one_metre() -> None:
    camera = CameraModel(48, 64, np.array([[40.0, 0, 33], [0, 42, 20], [0, 0, 1]]))
    rays = camera.rays()
    assert rays.shape == (48, 64, 3)
    np.testing.assert_allclose(rays[41, 13], [(13 - 33) / 40, (41 - 20) / 42, 1.0], rtol=1e-6)


def test_points_behind_the_camera_project_nowhere() -> None:
    assert np.isnan(CameraModel(480, 640, K).project(np.array([[0.1, 0.1, -1.0], [0, 0, 0]]))).all()


def test_rectified_image_shows_each_point_where_the_new_pinhole_does() -> None:
    """A dot drawn at the distorted projection of a point is found at its undistorted projection."""
    for model, D in (("plumb_bob", PLUMB), ("equidistant", np.array([0.02, -0.01, 0.003, -0.001]))):
        camera = CameraModel(480, 640, K, D, model)
        point = np.array([[-0.35, 0.2, 1.0]])
        u0, v0 = camera.project(point)[0]
        v, u = np.mgrid[0:480, 0:640]
        image = (255 * np.exp(-((u - u0) ** 2 + (v - v0) ** 2) / 18.0)).astype(np.uint8)
        rectifier = Rectifier(camera)
        straight = rectifier(image).astype(float)
        found = [(straight * w).sum() / straight.sum() for w in (u, v)]
        expected = rectifier.camera.project(point)[0]
        assert np.linalg.norm(expected - (u0, v0)) > 3.0, "the lens must move the dot, or the test proves nothing"
        assert found == pytest.approx(expected, abs=0.3)
        assert not rectifier.camera.is_distorted


def test_rectifier_tells_which_pixels_have_no_source() -> None:
    camera = CameraModel(480, 640, K, np.array([0.3, 0.1, 0, 0, 0]), "plumb_bob")  # pincushion: corners fall outside
    rectifier = Rectifier(camera)
    assert not rectifier.all_covered and not rectifier.covered[0, 0] and rectifier.covered[200, 330]


def test_uncalibrated_camera_cannot_be_rectified() -> None:
    camera = CameraModel(480, 640, np.zeros((3, 3)))
    assert not camera.is_calibrated
    with pytest.raises(CalibrationError, match="uncalibrated"):
        Rectifier(camera)


def test_unknown_distortion_model_is_refused() -> None:
    with pytest.raises(CalibrationError, match="'magic'"):
        CameraModel(480, 640, K, distortion_model="magic")


def test_cameras_are_equal_by_value() -> None:
    assert CameraModel(480, 640, K) == CameraModel(480, 640, K.copy())
    assert CameraModel(480, 640, K) != CameraModel(480, 640, K + np.diag([1.0, 0, 0]))
