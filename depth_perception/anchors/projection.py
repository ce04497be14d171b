"""Which points of a sensor a camera can see, and at which pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from depth_perception.camera import CameraModel
from depth_perception.errors import CalibrationError
from depth_perception.records import Float32, Float64

_WIDEST = np.deg2rad(88.0)  # from the optical axis; beyond, depth along the axis says nothing of the range
_SAMPLES = 1024


@dataclass(frozen=True)
class Projection:
    """Points in the image. The arrays are parallel."""

    index: NDArray[np.intp]  # (M,) of the points that came
    uv: Float32  # (M, 2) pixels
    xyz: Float32  # (3, M) metres in the camera's optical frame


def project_points(xyz: Float32, T_camera_sensor: Float64, camera: CameraModel) -> Projection:
    """The points (N, 3) that fall into the camera's image, lens distortion included; NaN and Inf never do.

    Convention: p_camera = T_camera_sensor @ p_sensor in the optical frame that CameraInfo names. In that frame P
    projects into the rectified image without R (sensor_msgs/CameraInfo), so of a camera whose image isn't rectified
    the points are turned by R^T before K and D apply. P[0, 3] is left out: the frame's origin is this camera.
    Pixel centres are integers, so the image is [-0.5, W - 0.5) x [-0.5, H - 0.5).

    Raises:
        CalibrationError: the camera is uncalibrated.
    """
    if not camera.is_calibrated:
        raise CalibrationError(f"K = {camera.K.tolist()!r} is uncalibrated: points can't be projected without it")
    distorted = bool(np.any(camera.D != 0.0))
    T = T_camera_sensor.copy()
    T[:3] = camera.R.T @ T[:3]
    if xyz.strides[0] % 4:  # BLAS reads whole steps of an element only
        xyz = np.ascontiguousarray(xyz)
    with np.errstate(invalid="ignore", over="ignore"):
        points = T[:3, :3].astype(np.float32) @ xyz.T
        points += T[:3, 3:].astype(np.float32)
        x, y, z = points
        reach = z * np.float32(_steepest(camera))
        # One comparison removes what is behind, too: |x| is never below a negative number.
        index = np.flatnonzero((np.abs(x) < reach) & (np.abs(y) < reach) & (z < np.inf))
    points = points[:, index]
    if distorted:
        radius_squared = points[0] ** 2 + points[1] ** 2
        inside = np.flatnonzero(radius_squared < (np.float32(_steepest(camera)) * points[2]) ** 2)
        index, points = index[inside], points[:, inside]
        uv = camera.project(points.T).astype(np.float32)
    else:
        scale = 1.0 / points[2]
        right, down = points[0] * scale, points[1] * scale
        uv = np.empty((len(index), 2), np.float32)
        uv[:, 0] = np.float32(camera.fx) * right + np.float32(camera.K[0, 1]) * down + np.float32(camera.cx)
        uv[:, 1] = np.float32(camera.fy) * down + np.float32(camera.cy)
    u, v = uv[:, 0], uv[:, 1]
    seen = np.flatnonzero((u >= -0.5) & (u < camera.width - 0.5) & (v >= -0.5) & (v < camera.height - 0.5))
    return Projection(index[seen], uv[seen], points[:, seen])


def _steepest(camera: CameraModel) -> float:
    """The largest tangent of the angle from the optical axis at which a ray can reach the image.

    A fitted distortion polynomial turns back somewhere outside the field of view, and then sends rays from the side
    into the image: the limit is where it turns, or where it leaves the farthest corner. Tangential terms are small
    and get a tenth of margin.
    """
    corners = np.array([[u, v, 1.0] for u in (-0.5, camera.width - 0.5) for v in (-0.5, camera.height - 0.5)])
    farthest = float(np.linalg.norm((corners @ np.linalg.inv(camera.K).T)[:, :2], axis=1).max())
    if not np.any(camera.D != 0.0):
        return 1.001 * farthest
    angle = np.linspace(0.0, _WIDEST, _SAMPLES)
    radius = _distorted_radius(camera, angle)
    turning = np.flatnonzero(~(np.diff(radius) > 0.0))
    monotone = radius[: turning[0] + 1] if len(turning) else radius
    last = min(int(np.searchsorted(monotone, 1.1 * farthest)), len(monotone) - 1)
    return float(np.tan(angle[last]))


def _distorted_radius(camera: CameraModel, angle: Float64) -> Float64:
    """Distance from the principal point, in focal lengths, of rays at these angles from the axis (OpenCV's models)."""
    if camera.distortion_model == "equidistant":
        a2 = angle * angle
        k1, k2, k3, k4 = camera.D[:4]
        return angle * (1 + a2 * (k1 + a2 * (k2 + a2 * (k3 + a2 * k4))))
    D = np.zeros(14)
    D[: min(camera.D.size, 14)] = camera.D[:14]
    r = np.tan(angle)
    r2 = r * r
    above = 1 + r2 * (D[0] + r2 * (D[1] + r2 * D[4]))
    below = 1 + r2 * (D[5] + r2 * (D[6] + r2 * D[7]))
    with np.errstate(divide="ignore", invalid="ignore"):
        return r * above / below
