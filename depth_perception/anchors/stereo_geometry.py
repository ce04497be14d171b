"""Two cameras → the row-aligned pair in which matching is a search along a row, and the way back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from depth_perception.camera import CameraModel, Rectifier
from depth_perception.errors import CalibrationError
from depth_perception.records import Float64, StereoPair

_SMALLEST_BASELINE = 1e-4  # metres
_REMEDY = "calibrate both cameras as a stereo pair, or give the transform in tf or in stereo.T_left_right"


@dataclass(frozen=True, eq=False)
class StereoGeometry:
    """Where things are. 'Aligned' is the left frame turned so that x points along the baseline.

    Convention: depth = fx * baseline / (disparity - offset) with disparity = u_left - u_right in pixels of the aligned
    images and offset = cx_left - cx_right; fx, cy of both aligned cameras are equal. p_aligned = R @ p_optical of each
    eye; p_camera = R_camera_aligned @ p_aligned, the frame of the left camera's own rectified image, which `camera`
    describes.
    """

    camera: CameraModel
    left: CameraModel  # aligned, no distortion
    right: CameraModel
    baseline: float  # metres, positive
    R_camera_aligned: Float64
    rectifiers: tuple[Rectifier, Rectifier] | None  # None: the images that arrive are aligned


def stereo_geometry(pair: StereoPair) -> StereoGeometry:
    """The geometry of a pair that is rectified already, or whose camera_info says how to, or whose cameras' relative
    pose says how to: in this order.

    Raises:
        CalibrationError: no calibration, no baseline, a negative one, eyes that aren't side by side, or a 'rectified'
            pair whose rows don't agree.
    """
    for side, camera in (("left", pair.left_camera), ("right", pair.right_camera)):
        if not camera.is_calibrated:
            raise CalibrationError(f"the {side} camera has K = {camera.K.tolist()!r}: uncalibrated; {_REMEDY}")
    left, right = pair.left_camera.rectified(), pair.right_camera.rectified()
    stated = float(left.P[0, 3] - right.P[0, 3]) / left.fx
    if stated == 0.0 and not pair.rectified:
        return _aligned(pair, left)
    _check_rows(left, right)
    if stated == 0.0:
        baseline = float(_side_by_side(pair)[0][0])
    else:
        baseline = _positive(stated, "P[0, 3] of the right and left camera_info")
    maps = None if pair.rectified else (Rectifier(pair.left_camera), Rectifier(pair.right_camera))
    return StereoGeometry(left, left, right, baseline, np.eye(3), maps)


def _aligned(pair: StereoPair, left: CameraModel) -> StereoGeometry:
    """Align the rows of two cameras that were calibrated one by one.

    Convention: x of the aligned frame is the direction from the left eye to the right one; z is as near as it can be
    to the mean of the two optical axes. Both aligned cameras share K: the focal lengths of the left one, and the
    principal point that keeps the middle of what both eyes see in the middle of the image.
    """
    translation, R_left_right = _side_by_side(pair)
    baseline = float(np.linalg.norm(translation))
    x = translation / baseline
    y = np.cross(np.array([0.0, 0.0, 1.0]) + R_left_right[:, 2], x)
    y /= np.linalg.norm(y)
    R_left = np.stack([x, y, np.cross(x, y)])
    eyes = ((pair.left_camera, R_left), (pair.right_camera, R_left @ R_left_right))
    K = np.diag([left.fx, left.fy, 1.0])
    middle = np.mean([_middle(camera, R) for camera, R in eyes], axis=0)
    K[:2, 2] = [(left.width - 1) / 2 - K[0, 0] * middle[0], (left.height - 1) / 2 - K[1, 1] * middle[1]]
    P = np.hstack([K, np.zeros((3, 1))])
    maps = [Rectifier(CameraModel(c.height, c.width, c.K, c.D, c.distortion_model, R, P)) for c, R in eyes]
    R_camera_aligned = pair.left_camera.R @ R_left.T
    return StereoGeometry(left, maps[0].camera, maps[1].camera, baseline, R_camera_aligned, (maps[0], maps[1]))


def _middle(camera: CameraModel, R_aligned_optical: Float64) -> Float64:
    """x/z, y/z in the aligned frame of the middle of an eye's rectified image."""
    pixel = np.array([(camera.width - 1) / 2, (camera.height - 1) / 2, 1.0])
    ray: Float64 = R_aligned_optical @ camera.R.T @ np.linalg.solve(camera.rectified().K, pixel)
    return ray[:2] / ray[2]


def _check_rows(left: CameraModel, right: CameraModel) -> None:
    """Half a pixel between the rows is where matching begins to suffer."""
    if abs(left.fx - right.fx) > 1e-3 * left.fx or abs(left.fy - right.fy) > 1e-3 * left.fy:
        raise CalibrationError(
            f"a rectified pair must share its focal lengths, but P says {(left.fx, left.fy)!r} on the left and "
            f"{(right.fx, right.fy)!r} on the right; {_REMEDY}, and use the images that aren't rectified"
        )
    if abs(left.cy - right.cy) > 0.5:
        raise CalibrationError(
            f"a rectified pair must share cy, but P says {left.cy!r} on the left and {right.cy!r} on the right; "
            f"{_REMEDY}, and use the images that aren't rectified"
        )


def _side_by_side(pair: StereoPair) -> tuple[Float64, Float64]:
    """Translation (3,) m and rotation (3, 3) of T_left_right, if the right eye is where a right eye is."""
    P = f"P[0, 3] = {float(pair.left_camera.P[0, 3])!r} (left), {float(pair.right_camera.P[0, 3])!r} (right)"
    if pair.T_left_right is None:
        raise CalibrationError(f"stereo without a baseline: camera_info has {P}, no transform is known; {_REMEDY}")
    T = np.asarray(pair.T_left_right, np.float64)
    x, y, z = T[:3, 3].tolist()
    if not np.isfinite(T).all() or np.linalg.norm(T[:3, 3]) < _SMALLEST_BASELINE:
        raise CalibrationError(f"stereo without a baseline: T_left_right has translation {[x, y, z]!r} m; {_REMEDY}")
    if abs(x) < 2.0 * max(abs(y), abs(z)):
        raise CalibrationError(
            f"the eyes aren't side by side: T_left_right has translation {[x, y, z]!r} m (x right, y down, z forward "
            "in the left optical frame); only side-by-side pairs are matched"
        )
    _positive(x, "x of T_left_right")
    return T[:3, 3], T[:3, :3]


def _positive(baseline: float, origin: str) -> float:
    if abs(baseline) < _SMALLEST_BASELINE or not np.isfinite(baseline):
        raise CalibrationError(
            f"stereo with baseline {baseline!r} m, from {origin}: nothing to measure with; {_REMEDY}"
        )
    if baseline < 0.0:
        raise CalibrationError(
            f"stereo with baseline {baseline!r} m, from {origin}: negative, so the right camera would be on the left; "
            "swap the left and right topics, or invert the transform"
        )
    return baseline
