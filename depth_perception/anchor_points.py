"""The anchors of a frame as points in space, for RViz and for those who want to know what the fit did."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from depth_perception.camera import CameraModel
from depth_perception.records import UsedAnchors

SOURCES = {"lidar": 1, "scan": 2, "stereo": 3, "ground": 4}  # the `source` field; 0 = another one
POINT = np.dtype(
    {
        "names": ["x", "y", "z", "u", "v", "sigma", "use", "source"],
        "formats": ["<f4", "<f4", "<f4", "<f4", "<f4", "<f4", "u1", "u1"],
        "offsets": [0, 4, 8, 12, 16, 20, 24, 25],
        "itemsize": 28,
    }
)


def anchor_points(used: tuple[UsedAnchors, ...], camera: CameraModel) -> NDArray[np.void]:
    """(N,) points of every source, those that aren't finite left out.

    Fields: x y z, metres in the optical frame of `camera` (undistorted); u v, the pixel; sigma, metres along z; use
    (`records.Use`); source (`SOURCES`).

    Convention: z is depth along the optical axis; x = (u - cx - s y') / fx * z with y' = (v - cy) / fy and skew s.
    """
    points = np.zeros(sum(len(item.anchors) for item in used), POINT)
    start = 0
    for item in used:
        part = points[start : start + len(item.anchors)]
        start += len(item.anchors)
        u, v = item.anchors.uv[:, 0], item.anchors.uv[:, 1]
        y = (v - camera.cy) / camera.fy
        part["x"] = ((u - camera.cx) - camera.K[0, 1] * y) / camera.fx * item.anchors.depth
        part["y"] = y * item.anchors.depth
        part["z"], part["u"], part["v"], part["sigma"] = item.anchors.depth, u, v, item.anchors.sigma
        part["use"], part["source"] = item.use, SOURCES.get(item.anchors.source, 0)
    finite = np.isfinite(np.stack([points[name] for name in ("x", "y", "z", "sigma")])).all(axis=0)
    return points[finite]
