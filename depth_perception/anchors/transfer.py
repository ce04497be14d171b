"""Anchors of one camera seen by another: a stereo pair beside the camera that depth is made for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from depth_perception.anchors.blocks import image_blocks
from depth_perception.camera import CameraModel
from depth_perception.records import Anchors, Float64


def back_project(anchors: Anchors, camera: CameraModel) -> Float64:
    """(N, 3) metres in the camera's optical frame. `camera` has no distortion."""
    pixels = np.column_stack([anchors.uv, np.ones(len(anchors))]).astype(np.float64)
    return np.asarray(np.linalg.solve(camera.K, pixels.T).T * anchors.depth[:, None], np.float64)


def carried_over(anchors: Anchors, from_camera: CameraModel, T_camera_from: Float64, camera: CameraModel) -> Anchors:
    """Anchors measured in `from_camera`'s image, as `camera` sees them; those outside its image are dropped.

    Convention: `from_camera` is free of distortion (`StereoMatcher.camera` is); `camera` may have some.
    `T_camera_from` (4, 4) maps p_camera = T_camera_from @ p_from, both optical frames, metres. Depth stays depth along
    the optical axis, now of the other camera. Sigma keeps its share of depth: a point moves along the ray on which it
    is uncertain. The groups are the blocks of the new image.
    """
    points = back_project(anchors, from_camera) @ T_camera_from[:3, :3].T + T_camera_from[:3, 3]
    uv = camera.project(points)
    inside = (uv > -0.5).all(axis=1) & (uv[:, 0] < camera.width - 0.5) & (uv[:, 1] < camera.height - 0.5)
    depth, seen = points[inside, 2].astype(np.float32), uv[inside].astype(np.float32)
    return replace(
        anchors,
        uv=seen,
        depth=depth,
        sigma=anchors.sigma[inside] * depth / anchors.depth[inside],
        group=image_blocks(seen, camera.height, camera.width),
    )
