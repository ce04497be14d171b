"""Sensor points → pixels, by hand and against OpenCV."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from lidar_scene import CAMERA, mounted

from depth_perception.anchors.projection import project_points
from depth_perception.camera import CameraModel, Rectifier
from depth_perception.errors import CalibrationError
from depth_perception.extrinsics import parse_transform

# Folds back at r^2 = 1 / (3 * 0.28) = 1.19: a ray 60° off the axis (r 1.73) lands where one at 14° does (0.28).
FOLDING = CameraModel(400, 640, CAMERA.K, np.array([-0.28, 0.0, 0.0, 0.0, 0.0]), "plumb_bob")
RATIONAL_D = np.array([0.4, -0.1, 0.001, -0.002, 0.01, 0.7, 0.05, 0.0])
RATIONAL = CameraModel(400, 640, CAMERA.K, RATIONAL_D, "rational_polynomial")
FISHEYE_K = np.array([[1176.93, 0, 962.275], [0, 1177.72, 612.725], [0, 0, 1]])
FISHEYE = CameraModel(1208, 1920, FISHEYE_K, np.array([-0.054, -0.0784, 0.096, -0.0515]), "equidistant")


def test_a_pixel_by_hand() -> None:
    """Camera at (0.2, 0, -0.5) in the LiDAR's frame, level: (10, 1, 0.5) is x = -1, y = -(0.5 + 0.5), z = 9.8.

    u = 420 * -1 / 9.8 + 350 = 307.143, v = 450 * -1 / 9.8 + 170 = 124.082.
    """
    seen = project_points(np.float32([[10, 1, 0.5]]), mounted(0.2, 0, -0.5), CAMERA)
    np.testing.assert_allclose(seen.uv, [[307.143, 124.082]], atol=2e-3)
    np.testing.assert_allclose(seen.xyz[:, 0], [-1.0, -1.0, 9.8], atol=1e-5)


def test_the_transform_is_not_inverted() -> None:
    """T_camera_sensor maps into the camera: with its inverse this point would be behind (z = -4 m) and dropped."""
    T = parse_transform("0 0 5 0 0 0")
    seen = project_points(np.float32([[0, 0, 1]]), T, CAMERA)
    np.testing.assert_allclose(seen.xyz[:, 0], [0, 0, 6])
    np.testing.assert_allclose(seen.uv, [[350, 170]])
    assert len(project_points(np.float32([[0, 0, 1]]), np.linalg.inv(T), CAMERA).index) == 0


def test_what_cannot_be_seen_is_dropped() -> None:
    inf, nan = np.inf, np.nan
    xyz = np.float32(
        [[nan, 0, 5], [0, inf, 5], [0, 0, inf], [0, 0, -5], [0, 0, 0], [-inf, nan, 1], [100, 0, 5], [0, 0, 5]]
    )
    assert project_points(xyz, np.eye(4), CAMERA).index.tolist() == [7]
    assert project_points(np.zeros((0, 3), np.float32), np.eye(4), CAMERA).uv.shape == (0, 2)


def test_the_image_ends_half_a_pixel_beyond_the_last_centre() -> None:
    u = np.array([-0.51, -0.49, 639.49, 639.51])
    xyz = np.column_stack([(u - 350.0) / 420.0, np.zeros(4), np.ones(4)]).astype(np.float32)
    assert project_points(xyz, np.eye(4), CAMERA).index.tolist() == [1, 2]


@pytest.mark.parametrize("camera", [CAMERA, FOLDING, RATIONAL, FISHEYE])
def test_same_pixels_as_opencv(camera: CameraModel) -> None:
    rng = np.random.default_rng(3)
    xyz = rng.uniform([-4, -2, -1], [4, 2, 8], (4000, 3)).astype(np.float32)
    T = parse_transform("0.1 -0.2 0.3 0.05 -0.1 0.2")
    seen = project_points(xyz, T, camera)
    assert len(seen.index) > 500
    args = (cv2.Rodrigues(T[:3, :3])[0], T[:3, 3], camera.K)
    chosen = xyz[seen.index].astype(np.float64)[:, None]
    if camera.distortion_model == "equidistant":
        expected, _ = cv2.fisheye.projectPoints(chosen, *args, camera.D)
    else:
        expected, _ = cv2.projectPoints(chosen, *args, camera.D if camera.D.size else np.zeros(5))
    np.testing.assert_allclose(seen.uv, expected[:, 0], atol=0.02)


def test_rays_that_the_polynomial_folds_back_are_dropped() -> None:
    angle = np.deg2rad([0.0, 20.0, 60.0, 62.0])
    xyz = np.column_stack([np.sin(angle), np.zeros(4), np.cos(angle)]).astype(np.float32)
    folded = FOLDING.project(xyz)
    assert ((folded[2:] >= 0) & (folded[2:] <= [639, 399])).all()  # what a naive projection takes for visible
    assert project_points(xyz, np.eye(4), FOLDING).index.tolist() == [0, 1]


@pytest.mark.parametrize("camera", [FOLDING, RATIONAL, FISHEYE])
def test_whatever_is_seen_is_found_by_undistorting_its_pixel(camera: CameraModel) -> None:
    """OpenCV's inverse of every pixel, at 3 m depth, is a visible point: the guard cuts no real field of view."""
    v, u = np.mgrid[0 : camera.height : 20, 0 : camera.width : 20]
    pixels = np.column_stack([u.ravel(), v.ravel()]).astype(np.float64)[:, None]
    if camera.distortion_model == "equidistant":
        rays = cv2.fisheye.undistortPoints(pixels, camera.K, camera.D)[:, 0]
    else:
        rays = cv2.undistortPointsIter(pixels, camera.K, camera.D, None, None, (3, 200, 1e-12))[:, 0]
    again = camera.project(np.column_stack([rays, np.ones(len(rays))]))
    solved = np.abs(again - pixels[:, 0]).max(axis=1) < 0.05  # of some corners OpenCV finds no ray
    xyz = (3.0 * np.column_stack([rays, np.ones(len(rays))])[solved]).astype(np.float32)
    seen = project_points(xyz, np.eye(4), camera)
    assert len(xyz) > 0.8 * len(pixels)
    inside = (again[solved] > 0).all(axis=1)  # the grid's first row and column lie where rounding may lose them
    assert np.isin(np.flatnonzero(inside), seen.index).all()


def test_an_unrectified_camera_sees_the_rectified_frame_turned() -> None:
    """The pixel found in the raw image is the one that the rectifying map fills the rectified pixel from."""
    R = parse_transform("0 0 0 0.02 -0.05 0.03")[:3, :3]
    P = np.array([[400.0, 0, 320, 0], [0, 430, 190, 0], [0, 0, 1, 0]])
    raw = CameraModel(400, 640, CAMERA.K, np.array([-0.1, 0.02, 0, 0, 0]), "plumb_bob", R, P)
    xyz = np.float32([[0.5, 0.3, 4.0], [-1.0, -0.6, 5.0]])
    in_raw, in_rect = project_points(xyz, np.eye(4), raw), project_points(xyz, np.eye(4), raw.rectified())
    np.testing.assert_allclose(in_rect.uv, [[370, 222.25], [240, 138.4]], atol=1e-3)  # P alone, no R
    map_x, map_y = cv2.initUndistortRectifyMap(raw.K, raw.D, raw.R, P[:, :3], (640, 400), cv2.CV_32FC1)
    at = np.ascontiguousarray(in_rect.uv[:, None])
    sampled = np.hstack([cv2.remap(m, at, None, cv2.INTER_LINEAR) for m in (map_x, map_y)])
    np.testing.assert_allclose(in_raw.uv, sampled, atol=0.05)
    assert np.abs(in_raw.uv - in_rect.uv).max() > 5.0
    assert Rectifier(raw).camera.K[0, 0] == 400.0


def test_an_uncalibrated_camera_is_refused() -> None:
    with pytest.raises(CalibrationError, match="uncalibrated"):
        project_points(np.ones((1, 3), np.float32), np.eye(4), CameraModel(4, 6, np.zeros((3, 3))))


@pytest.mark.parametrize("count", [0, 1, 16384, 16385, 40000])
def test_large_clouds_are_projected_in_pieces_that_join(count: int) -> None:
    """Every point of a wall before the camera, in order, wherever a piece ends; half of them behind."""
    camera = CameraModel(60, 100, np.array([[50.0, 0, 40.0], [0, 45.0, 20.0], [0, 0, 1]]))
    i = np.arange(count)
    xyz = np.stack([0.01 * (i % 7), 0.01 * (i % 5), np.where(i % 2 == 0, 2.0, -2.0)], axis=1).astype(np.float32)
    T = np.eye(4)
    T[:3, 3] = 0.1, -0.2, 0.5
    seen = project_points(xyz, T, camera)
    np.testing.assert_array_equal(seen.index, i[::2])
    np.testing.assert_allclose(seen.xyz, (xyz[::2] + T[:3, 3]).T, atol=1e-6)
    np.testing.assert_allclose(seen.uv[:, 0], 50.0 * (xyz[::2, 0] + 0.1) / 2.5 + 40.0, atol=1e-4)
