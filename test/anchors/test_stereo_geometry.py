"""Row alignment against closed forms and OpenCV; every impossible rig is named with its remedy."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stereo_world import BASELINE, FX, HEIGHT, WIDTH, stereo_pair

from depth_perception.anchors.stereo_geometry import stereo_geometry
from depth_perception.camera import CameraModel
from depth_perception.errors import CalibrationError
from depth_perception.records import StereoPair

K_LEFT = np.array([[420.0, 0, 231], [0, 400, 137.5], [0, 0, 1]])
K_RIGHT = np.array([[411.0, 0, 262], [0, 395, 151.5], [0, 0, 1]])
D = np.array([-0.28, 0.07, 0.0002, 0.00002, 0.0])
EMPTY = np.zeros((HEIGHT, WIDTH), np.uint8)
angle = st.floats(-0.06, 0.06)


def transform(rotation: tuple[float, float, float], translation: tuple[float, float, float]) -> np.ndarray:
    T = np.eye(4)
    T[:3, :3] = cv2.Rodrigues(np.array(rotation, np.float64))[0]
    T[:3, 3] = translation
    return T


def unrectified(T: np.ndarray | None, model: str = "plumb_bob") -> StereoPair:
    coefficients = D if model == "plumb_bob" else np.array([0.01, -0.02, 0.003, 0.0])
    eyes = [CameraModel(HEIGHT, WIDTH, K, coefficients, model) for K in (K_LEFT, K_RIGHT)]
    return StereoPair(EMPTY, EMPTY, *eyes, 0, False, T)


@given(angle, angle, angle, st.floats(-0.02, 0.02), st.floats(-0.02, 0.02))
def test_aligned_rows_agree_and_disparity_is_depth(a: float, b: float, c: float, y: float, z: float) -> None:
    """Each line of the convention, on points that both eyes see."""
    T = transform((a, b, c), (0.12, y, z))
    geometry = stereo_geometry(unrectified(T))
    points = np.array([[0.3, 0.2, 2.0], [-0.4, -0.1, 1.5], [0.0, 0.0, 7.0]])  # left optical frame
    in_right = (points - T[:3, 3]) @ T[:3, :3]  # inverse of T_left_right
    assert geometry.rectifiers is not None
    left, right = (r.source for r in geometry.rectifiers)
    aligned = points @ left.R.T
    uv_left, uv_right = geometry.left.project(aligned), geometry.right.project(in_right @ right.R.T)
    np.testing.assert_allclose(uv_left[:, 1], uv_right[:, 1], atol=1e-9)
    disparity = uv_left[:, 0] - uv_right[:, 0]
    assert geometry.baseline == pytest.approx(np.sqrt(0.12**2 + y**2 + z**2))
    offset = geometry.left.cx - geometry.right.cx
    np.testing.assert_allclose(geometry.left.fx * geometry.baseline / (disparity - offset), aligned[:, 2])
    back = aligned @ geometry.R_camera_aligned.T
    np.testing.assert_allclose(back, points, atol=1e-12)  # the left camera's own R is identity
    for R in (left.R, right.R):
        np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(R) == pytest.approx(1.0)


def test_agrees_with_opencv_on_the_left_rotation() -> None:
    """Both turn x onto the baseline; how the rest is shared between the eyes may differ by a fraction of a degree."""
    T = transform((0.01, -0.02, 0.015), (0.11, 0.002, -0.003))
    geometry = stereo_geometry(unrectified(T))
    inverse = np.linalg.inv(T)  # OpenCV wants p_right = R p_left + t
    R_left = cv2.stereoRectify(K_LEFT, D, K_RIGHT, D, (WIDTH, HEIGHT), inverse[:3, :3], inverse[:3, 3])[0]
    assert geometry.rectifiers is not None
    difference = geometry.rectifiers[0].source.R @ R_left.T
    assert np.rad2deg(np.arccos((np.trace(difference) - 1) / 2)) < 0.1


def test_the_middle_stays_in_the_middle() -> None:
    """A pair that is turned by 10 degrees as a whole against its baseline loses no more than it must."""
    T = transform((0.0, 0.0, 0.0), (0.12, 0.0, 0.0212))
    geometry = stereo_geometry(unrectified(T))
    assert geometry.rectifiers is not None
    assert geometry.rectifiers[0].covered.mean() > 0.9
    assert abs(geometry.left.cx - 231) > 50  # a principal point that stayed would push 73 px out of the image


@pytest.mark.parametrize("model", ["plumb_bob", "equidistant"])
def test_both_kinds_of_lens(model: str) -> None:
    geometry = stereo_geometry(unrectified(transform((0, 0.01, 0), (0.1, 0, 0)), model))
    assert geometry.camera == unrectified(None, model).left_camera.rectified()
    assert geometry.camera.D.size == 0


def test_camera_info_of_an_unrectified_pair_says_how_to_rectify() -> None:
    """R and P of both eyes come from a calibration as a pair: they win over the transform."""
    R = cv2.Rodrigues(np.array([0.01, 0.02, 0.0]))[0]
    P = np.hstack([K_LEFT, np.zeros((3, 1))])
    P_right = P.copy()
    P_right[0, 3] = -420.0 * 0.2
    pair = replace(
        unrectified(transform((0, 0, 0), (0.5, 0, 0))),
        left_camera=CameraModel(HEIGHT, WIDTH, K_LEFT, D, "plumb_bob", R, P),
        right_camera=CameraModel(HEIGHT, WIDTH, K_RIGHT, D, "plumb_bob", R, P_right),
    )
    geometry = stereo_geometry(pair)
    assert geometry.baseline == pytest.approx(0.2)
    assert geometry.rectifiers is not None and geometry.rectifiers[0].source is pair.left_camera
    assert np.array_equal(geometry.R_camera_aligned, np.eye(3))


def rectified_with(P_right_03: float, T: np.ndarray | None = None) -> StereoPair:
    pair = stereo_pair()
    P = pair.right_camera.P.copy()
    P[0, 3] = P_right_03
    right = CameraModel(HEIGHT, WIDTH, pair.right_camera.K, P=P)
    return replace(pair, right_camera=right, T_left_right=T)


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        (rectified_with(0.0), "without a baseline: camera_info has .*T_left_right"),
        (rectified_with(1e-4), "baseline .*nothing to measure with"),
        (rectified_with(FX * BASELINE), r"baseline -0\.11.* m.*negative.*swap the left and right topics"),
        (
            rectified_with(0.0, transform((0, 0, 0), (-0.1, 0, 0))),
            r"baseline -0\.1 m, from x of T_left_right: negative",
        ),
        (unrectified(None), "no transform is known"),
        (unrectified(transform((0, 0, 0), (0, 0, 0))), r"translation \[0\.0, 0\.0, 0\.0\] m"),
        (unrectified(transform((0, 0, 0), (-0.1, 0, 0))), "negative.*invert the transform"),
        (unrectified(transform((0, 0, 0), (0.01, 0.1, 0))), "aren't side by side"),
        (unrectified(transform((0, 0, 0), (np.nan, 0, 0))), "without a baseline"),
    ],
)
def test_impossible_rigs_are_named(pair: StereoPair, words: str) -> None:
    with pytest.raises(CalibrationError, match=words):
        stereo_geometry(pair)


def test_rectified_eyes_must_share_focal_length_and_rows() -> None:
    pair = stereo_pair()
    for K, words in ((K_RIGHT, "focal lengths"), (K_LEFT + np.array([[0, 0, 0], [0, 0, 3], [0, 0, 0]]), "share cy")):
        right = CameraModel(HEIGHT, WIDTH, K, P=np.hstack([K, [[-FX * BASELINE], [0], [0]]]))
        with pytest.raises(CalibrationError, match=words):
            stereo_geometry(replace(pair, right_camera=right))


def test_an_uncalibrated_eye_is_named() -> None:
    with pytest.raises(CalibrationError, match=r"right camera has K = \[\[0\.0.*uncalibrated"):
        stereo_geometry(replace(stereo_pair(), right_camera=CameraModel(HEIGHT, WIDTH, np.zeros((3, 3)))))
