"""Depth image → organised points in the optical frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from depth_perception.camera import CameraModel
from depth_perception.errors import CalibrationError


class PointCloudBuilder:
    """Points of every n-th pixel; the rays are computed once per camera and stride."""

    def __init__(self) -> None:
        self._key: tuple[CameraModel, int] | None = None
        self._rays: NDArray[np.float32] = np.zeros((0, 0, 3), np.float32)

    def __call__(self, depth: NDArray[np.float32], camera: CameraModel, stride: int = 1) -> NDArray[np.float32]:
        """(H, W) metres → (h, w, 3) x y z metres, h = ceil(H / stride).

        Points whose depth is NaN or infinite are NaN, as `depth_image_proc` has them.

        Raises:
            CalibrationError: K = 0.
        """
        if not camera.is_calibrated:
            raise CalibrationError("camera_info has K = 0 (uncalibrated): no points; calibrate the camera")
        if self._key is None or self._key[1] != stride or self._key[0] != camera:
            self._rays = np.ascontiguousarray(camera.rays()[::stride, ::stride])
            self._key = (camera, stride)
        z = depth[::stride, ::stride]
        z = np.where(np.isfinite(z), z, np.float32(np.nan))
        return self._rays * z[..., None]
