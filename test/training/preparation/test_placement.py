"""Unrectified pairs, fisheyes: images and points come into the same, rectified geometry."""

from __future__ import annotations

import numpy as np
import pytest
from lidar_scene import mounted

from depth_perception.camera import CameraModel
from depth_perception.errors import CalibrationError
from depth_perception.extrinsics import parse_transform
from depth_perception.records import StereoPair
from training.preparation.options import DatasetOptions
from training.preparation.placement import Placement, place
from training.preparation.source_frame import Rig, Turn
from training.preparation.sparse_depth import Thinning, annotated_depth, seen_points
from training.preparation.target_view import splat

K_LEFT = np.array([[100.0, 0, 82.0], [0, 105.0, 57.0], [0, 0, 1]])
K_RIGHT = np.array([[103.0, 0, 78.0], [0, 101.0, 62.0], [0, 0, 1]])
D = np.array([-0.2, 0.05, 1e-3, -5e-4, 0.0])
LEFT = CameraModel(120, 160, K_LEFT, D, "plumb_bob")
RIGHT = CameraModel(120, 160, K_RIGHT, -0.5 * D, "plumb_bob")
T_LEFT_RIGHT = parse_transform("0.25 0.004 -0.006 0.01 -0.02 0.015")
T_LEFT_LIDAR = mounted(0.1, -0.2, -0.15, 0.02, 0.1, -0.05)


def drawn(camera: CameraModel, xyz: np.ndarray) -> np.ndarray:
    """An image (H, W) with a soft dot where the lens shows a point."""
    u, v = camera.project(xyz[None])[0]
    rows, columns = np.mgrid[: camera.height, : camera.width]
    return (250 * np.exp(-((columns - u) ** 2 + (rows - v) ** 2) / 8.0)).astype(np.uint8)


def dot(image: np.ndarray) -> np.ndarray:
    """(u, v) of the dot."""
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    weight = image.astype(float)
    return np.array([(columns * weight).sum(), (rows * weight).sum()]) / weight.sum()


def projected(placement: Placement, camera: str, xyz_left: np.ndarray) -> np.ndarray:
    """(u, v, depth) in the dataset's image of a point in the rig's left frame."""
    T = placement.T_camera_left(camera)
    seen = T[:3, :3] @ xyz_left + T[:3, 3]
    return np.append((placement.views[camera].camera.K @ seen)[:2] / seen[2], seen[2])


@pytest.mark.parametrize("size", ["", "90x120"])
def test_an_unrectified_pair(size: str) -> None:
    """The dot that each lens shows lies where the point is projected; both on one row, apart by fx b / depth."""
    rig = Rig(LEFT, RIGHT, False, T_LEFT_RIGHT, T_LEFT_LIDAR)
    placement = place(rig, DatasetOptions(size=size))
    for xyz in np.array([[0.3, -0.2, 2.0], [-0.5, 0.4, 3.0], [0.1, 0.3, 1.5]]):
        in_right = np.linalg.inv(T_LEFT_RIGHT) @ np.append(xyz, 1.0)
        left = dot(placement.views["left"](drawn(LEFT, xyz)))
        right = dot(placement.views["right"](drawn(RIGHT, in_right[:3])))
        expected_left, expected_right = projected(placement, "left", xyz), projected(placement, "right", xyz)
        np.testing.assert_allclose(left, expected_left[:2], atol=0.15)
        np.testing.assert_allclose(right, expected_right[:2], atol=0.15)
        camera = placement.views["left"].camera
        baseline = np.linalg.norm(T_LEFT_RIGHT[:3, 3])
        offset = camera.cx - placement.views["right"].camera.cx
        assert left[1] == pytest.approx(right[1], abs=0.2)
        assert left[0] - right[0] - offset == pytest.approx(camera.fx * baseline / expected_left[2], abs=0.3)
    calibration = placement.calibration(rig, "jpg")
    np.testing.assert_allclose(calibration.T_left_right[:3, 3], [np.linalg.norm(T_LEFT_RIGHT[:3, 3]), 0, 0])
    np.testing.assert_allclose(calibration.T_left_right[:3, :3], np.eye(3))
    np.testing.assert_allclose(calibration.T_left_lidar, placement.T_aligned_left @ T_LEFT_LIDAR)


def test_a_distorted_single_camera_and_a_fisheye() -> None:
    fisheye = CameraModel(120, 160, K_LEFT, np.array([0.05, -0.02, 0.01, -0.002]), "equidistant")
    for lens in (LEFT, fisheye):
        placement = place(Rig(lens, rectified=False), DatasetOptions())
        xyz = np.array([0.5, -0.4, 1.2])
        found = dot(placement.views["left"](drawn(lens, xyz)))
        np.testing.assert_allclose(found, projected(placement, "left", xyz)[:2], atol=0.3)
        assert np.hypot(*(found - lens.project(xyz[None])[0])) > 1.0  # the lens had moved it
        untouched = place(Rig(lens, rectified=True), DatasetOptions())  # its topic said rect
        assert np.array_equal(untouched.views["left"](drawn(lens, xyz)), drawn(lens, xyz))


def test_lidar_points_lie_on_what_both_eyes_see() -> None:
    """A point of the turn falls, in each eye's depth map, on the dot that the lens shows, with its depth."""
    rig = Rig(LEFT, RIGHT, False, T_LEFT_RIGHT, T_LEFT_LIDAR)
    options = DatasetOptions()
    placement = place(rig, options)
    xyz = np.array([0.2, 0.1, 2.5])
    in_lidar = (np.linalg.inv(T_LEFT_LIDAR) @ np.append(xyz, 1.0))[:3]
    turn = Thinning(options)(Turn(in_lidar[None].astype(np.float32), np.zeros(1, np.int32), T_LEFT_LIDAR), [0])
    images = {"left": drawn(LEFT, xyz), "right": drawn(RIGHT, (np.linalg.inv(T_LEFT_RIGHT) @ np.append(xyz, 1))[:3])}
    for name, view in placement.views.items():
        seen = seen_points(turn, placement.T_camera_left(name) @ T_LEFT_LIDAR, view.camera, options)
        depth = splat(seen.uv, seen.depth, view.camera)
        ((row, column),) = np.argwhere(np.isfinite(depth))
        np.testing.assert_allclose([column, row], dot(view(images[name])), atol=0.7)
        assert depth[row, column] == pytest.approx(projected(placement, name, xyz)[2], abs=1e-4)


def test_a_partner_that_cannot_be_used_is_left_out_with_the_reason() -> None:
    for rig, words in (
        (Rig(LEFT, RIGHT, False, None), "stereo without a baseline"),
        (Rig(LEFT, RIGHT, False, np.linalg.inv(T_LEFT_RIGHT)), "swap the left and right topics"),
        (Rig(LEFT, CameraModel(60, 80, K_RIGHT), False, T_LEFT_RIGHT), "differ in size"),
    ):
        placement = place(rig, DatasetOptions())
        assert list(placement.views) == ["left"] and words in placement.note
        assert placement.calibration(rig, "jpg").T_left_right is None


def test_an_uncalibrated_camera_is_refused() -> None:
    with pytest.raises(CalibrationError, match="--intrinsics"):
        place(Rig(CameraModel(120, 160, np.zeros((3, 3)))), DatasetOptions())


def test_annotated_values_at_the_raw_beams_pixels_at_original_size() -> None:
    camera = CameraModel(120, 160, K_LEFT)
    view = place(Rig(camera), DatasetOptions(size="60x80")).views["left"]
    xyz = np.array([[0.2, 0.1, 2.0], [-0.3, 0.2, 3.0], [0.1, -0.3, 2.5]], np.float32)
    turn = Thinning(DatasetOptions())(Turn(xyz, np.zeros(3, np.int32), np.eye(4)), [0])
    pixels = np.rint((xyz @ K_LEFT.T)[:, :2] / xyz[:, 2:]).astype(int)
    annotated = np.full((120, 160), np.nan, np.float32)
    annotated[pixels[0, 1], pixels[0, 0]], annotated[pixels[1, 1], pixels[1, 0]] = 2.25, 3.25
    annotated[5, 5] = 9.0  # annotated, but no beam fell there
    depth = annotated_depth(turn, np.eye(4), view, annotated)
    assert sorted(depth[np.isfinite(depth)].tolist()) == [2.25, 3.25]
    column, row = np.rint((pixels[0] + 0.5) * 0.5 - 0.5 - 1e-6).astype(int)
    assert depth[row, column] == 2.25


def test_the_range_is_the_lidar_s_own() -> None:
    options = DatasetOptions(min_range_m=1.0, max_range_m=3.0)
    xyz = np.array([[0, 0, 0.9], [0, 0, 2.0], [0.05, 0, 3.1], [np.nan, 0, 2], [np.inf, 0, 2]], np.float32)
    turn = Thinning(options)(Turn(xyz, np.arange(5, dtype=np.int32), np.eye(4)), [0])
    seen = seen_points(turn, np.eye(4), CameraModel(120, 160, K_LEFT), options)
    assert seen.index.tolist() == [1] and seen.depth.tolist() == [2.0]


def test_the_geometry_is_that_of_the_stereo_anchors() -> None:
    from depth_perception.anchors.stereo_geometry import stereo_geometry

    pair = StereoPair(np.zeros((0, 0), np.uint8), np.zeros((0, 0), np.uint8), LEFT, RIGHT, 0, False, T_LEFT_RIGHT)
    geometry = stereo_geometry(pair)
    placement = place(Rig(LEFT, RIGHT, False, T_LEFT_RIGHT), DatasetOptions())
    np.testing.assert_allclose(placement.T_aligned_left[:3, :3].T, geometry.R_camera_aligned)
    assert placement.views["left"].camera == geometry.left and placement.baseline_m == geometry.baseline
