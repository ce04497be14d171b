"""Depth image → points in the optical frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from depth_perception.camera import CameraModel
from depth_perception.errors import CalibrationError

Float32 = NDArray[np.float32]


class PointCloudBuilder:
    """Points of every n-th pixel; the rays are computed once per camera and stride."""

    def __init__(self) -> None:
        self._key: tuple[CameraModel, int] | None = None
        self._rays: Float32 = np.zeros((0, 0, 3), np.float32)

    def __call__(self, depth: Float32, camera: CameraModel, stride: int = 1) -> Float32:
        """(h, w) metres of every `stride`-th row and column of the camera's image → (h, w, 3) x y z metres.

        Points whose depth is NaN or infinite are NaN, as `depth_image_proc` has them.

        Raises:
            CalibrationError: K = 0.
        """
        if not camera.is_calibrated:
            raise CalibrationError("camera_info has K = 0 (uncalibrated): no points; calibrate the camera")
        if self._key is None or self._key[1] != stride or self._key[0] != camera:
            self._rays = np.ascontiguousarray(camera.rays()[::stride, ::stride])
            self._key = (camera, stride)
        z = np.where(np.isfinite(depth), depth, np.float32(np.nan))
        return self._rays * z[..., None]


def without_uncertain(depth: Float32, std: Float32, max_relative_std: float) -> Float32:
    """Metres, NaN where the standard deviation (metres, of the same shape) is more than that share of the depth.

    What has no standard deviation (NaN beside an infinite depth) stays.
    """
    return np.where(std > np.float32(max_relative_std) * depth, np.float32(np.nan), depth)


def one_per_voxel(xyz: Float32, voxel_m: float) -> NDArray[np.int64]:
    """Indices (M,) of the first finite point of (N, 3) metres in each cube of that side.

    Cubes are numbered along x, y, z within the cloud's bounds. Number and index are packed into one integer, because
    sorting plain integers is several times faster than `np.unique` with indices. The number has about 44 bits beside
    the index of 500 000 points; a cloud of more cubes than that wraps around, and of two cubes that meet by this (a
    chance below one in a hundred per cloud) one loses its point.
    """
    known = np.flatnonzero(np.isfinite(xyz[:, 2]))
    if known.size == 0:
        return known
    cube = np.floor(xyz[known] * np.float32(1.0 / voxel_m)).astype(np.int64)
    cube -= cube.min(axis=0)
    _, size_y, size_z = cube.max(axis=0) + 1
    bits = len(xyz).bit_length()
    packed = (((cube[:, 0] * size_y + cube[:, 1]) * size_z + cube[:, 2]) << bits) | known
    packed.sort()
    first = np.ones(len(packed), np.bool_)
    np.not_equal(packed[1:] >> bits, packed[:-1] >> bits, out=first[1:])
    return packed[first] & ((1 << bits) - 1)
