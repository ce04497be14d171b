"""A LiDAR's or laser scanner's sweep → anchors in the image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from depth_perception.anchors.occlusion import occluded, point_grid
from depth_perception.anchors.projection import project_points
from depth_perception.camera import CameraModel
from depth_perception.records import Anchors, Float32, Int32, PointSweep

_MOST_ANCHORS = 20_000  # the fit needs no more
_BLOCKS = (6, 8)  # rows, columns of image blocks that group points whose beam isn't known
_SCAN_BLOCKS = 16  # columns, where all points are one beam
_NEAREST = 1e-3  # m; what some drivers write as (0, 0, 0) for no return is no point
_FOOTPRINT = 0.003  # rad: a usual divergence of the beam


def point_anchors(
    sweep: PointSweep, camera: CameraModel, *, sigma: float, min_range: float, max_range: float
) -> Anchors:
    """What of a sweep the camera sees, as anchors at its pixels; at most 20 000.

    Dropped are NaN, Inf and zero points, those nearer to the sensor than `min_range` or farther than `max_range` (m),
    behind the camera or outside its image, and those that something nearer hides from the camera.

    Convention: as `project_points`. `depth` is z in the camera's optical frame, not range. Its standard deviation is
    that of the range (`sigma`, m) as far as it points along z, and 3 mrad of depth for the width of the beam: what
    depth changes within the footprint on a surface seen at 45°. `group` is the beam; where that isn't known the block
    of an 8 x 6 grid over the image, and for a scan one of 16 blocks of columns.

    Raises:
        CalibrationError: the camera is uncalibrated.
    """
    seen = project_points(sweep.xyz, sweep.T_camera_sensor, camera)
    origin = (camera.R.T @ sweep.T_camera_sensor[:3, 3]).astype(np.float32)
    rays = seen.xyz - origin[:, None]
    range_squared = rays[0] * rays[0] + rays[1] * rays[1] + rays[2] * rays[2]
    low, high = np.float32(max(min_range, _NEAREST) ** 2), np.float32(max_range**2)
    near = np.flatnonzero((range_squared >= low) & (range_squared <= high))
    uv, depth, beam = seen.uv[near], seen.xyz[2, near], sweep.beam[seen.index[near]]
    visible = _thinned(_visible(uv, depth, beam, sweep.source, camera), beam)
    uv, depth, beam, near = uv[visible], depth[visible], beam[visible], near[visible]
    along_z = rays[2, near] ** 2 / range_squared[near]
    std = np.sqrt(np.float32(sigma**2) * along_z + (np.float32(_FOOTPRINT) * depth) ** 2)
    note = "" if len(depth) else _why_none(sweep, len(seen.index), min_range, max_range)
    return Anchors(uv, depth, std, _groups(uv, beam, sweep.source, camera), sweep.source, sweep.stamp_ns, note)


def _visible(uv: Float32, depth: Float32, beam: Int32, source: str, camera: CameraModel) -> NDArray[np.intp]:
    """Indices of the points that nothing hides. One beam has no above and below, so a scan's are never enclosed."""
    if source == "scan":
        return np.arange(len(depth))
    return np.flatnonzero(~occluded(uv, depth, point_grid(uv, beam, camera), camera))


def _thinned(index: NDArray[np.intp], beam: Int32) -> NDArray[np.intp]:
    """Of these points every k-th of each beam, so that no more than 20 000 are left."""
    if len(index) <= _MOST_ANCHORS:
        return index
    by_beam = index[np.argsort(beam[index], kind="stable")]
    return by_beam[:: -(-len(index) // _MOST_ANCHORS)]


def _groups(uv: Float32, beam: Int32, source: str, camera: CameraModel) -> Int32:
    """What is left out together: see `point_anchors`."""
    rows, columns = (1, _SCAN_BLOCKS) if source == "scan" else _BLOCKS
    if source != "scan" and (beam >= 0).all():
        return beam
    column = ((uv[:, 0] + np.float32(0.5)) * np.float32(columns / camera.width)).astype(np.int32)
    row = ((uv[:, 1] + np.float32(0.5)) * np.float32(rows / camera.height)).astype(np.int32)
    blocks = np.minimum(row, rows - 1) * np.int32(columns) + np.minimum(column, columns - 1)
    return blocks if source == "scan" else np.where(beam >= 0, beam, blocks)


def _why_none(sweep: PointSweep, in_image: int, min_range: float, max_range: float) -> str:
    """What a person should check when a sweep gives no anchor."""
    count = len(sweep.xyz)
    if count == 0:
        return f"the {sweep.source} sent no points"
    if not np.isfinite(sweep.xyz).all(axis=1).any():
        return f"none of {count} points is finite"
    if in_image == 0:
        return f"none of {count} points lies in the camera's image: check the transform from {sweep.source} to camera"
    return f"all {in_image} points in the image are nearer than {min_range!r} m or farther than {max_range!r} m"
