"""Points that the LiDAR sees past an edge and the camera doesn't."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from depth_perception.camera import CameraModel
from depth_perception.records import Float32, Int32

_REACH = 2  # cells along a beam in which a nearer point is looked for: one lost return doesn't open a hole
_MARGIN = 0.05  # nearer by this share of depth is noise
_SLACK = 1.3  # cells are larger than the spacing, so that each holds a point of a closed surface


@dataclass(frozen=True)
class Spacing:
    """Distance between neighbouring points, pixels."""

    u: float
    v: float


def occluded(uv: Float32, depth: Float32, spacing: Spacing, camera: CameraModel) -> NDArray[np.bool_]:
    """True (N,) for points that nearer points enclose in the image: left, right, above and below.

    On an even surface, however steep, at least one side is farther away, for inverse depth is linear in the image; so a
    road keeps its far points although near ones lie just below them. Beyond an edge, the points that the camera can't
    see fall among those of what hides them, which then lie on every side. "Nearer" is by more than 5 % of depth plus
    what a right-angled concave corner makes of the cells looked at.

    Points in the gap between an edge and the first beam on it can't be told from what is seen above that edge.
    """
    if len(depth) == 0:
        return np.zeros(0, bool)
    columns = int(camera.width / spacing.u) + 1
    rows = int(camera.height / spacing.v) + 1
    pad = _REACH + 1
    column = ((uv[:, 0] + np.float32(0.5)) * np.float32(1.0 / spacing.u)).astype(np.int32) + pad
    row = ((uv[:, 1] + np.float32(0.5)) * np.float32(1.0 / spacing.v)).astype(np.int32) + pad
    width = columns + 2 * pad
    cell = row * np.int32(width) + column
    nearest = np.full((rows + 2 * pad) * width, np.inf, np.float32)
    np.minimum.at(nearest, cell, depth)
    enclosing = _enclosing_depth(nearest.reshape(-1, width), along_rows=spacing.u <= spacing.v)
    angle = max(spacing.u / camera.fx, spacing.v / camera.fy)
    limit = np.float32(1.0 / (1.0 + _MARGIN + 2.0 * angle))
    return enclosing.reshape(-1)[cell] < depth * limit


def _enclosing_depth(nearest: Float32, along_rows: bool) -> Float32:
    """For each cell the farthest of the four depths that are nearest on its left, on its right, above and below."""
    grid = nearest if along_rows else nearest.T
    three_rows, three_columns = np.full_like(grid, np.inf), np.full_like(grid, np.inf)
    three_rows[1:-1] = np.minimum(np.minimum(grid[:-2], grid[1:-1]), grid[2:])
    three_columns[:, 1:-1] = np.minimum(np.minimum(grid[:, :-2], grid[:, 1:-1]), grid[:, 2:])
    enclosing = np.full_like(grid, np.inf)
    k, columns = _REACH, grid.shape[1]
    middle = slice(k, columns - k)
    left = np.minimum.reduce([three_rows[:, k - i : columns - k - i] for i in range(1, k + 1)])
    right = np.minimum.reduce([three_rows[:, k + i : columns - k + i] for i in range(1, k + 1)])
    sides = np.maximum(left, right)
    above, below = three_columns[:-2, middle], three_columns[2:, middle]
    enclosing[1:-1, middle] = np.maximum(np.maximum(above, below), sides[1:-1])
    return enclosing if along_rows else enclosing.T


def point_spacing(uv: Float32, beam: Int32, camera: CameraModel) -> Spacing:
    """Sizes of the cells for `occluded`: along a beam and from beam to beam, where the beams are known.

    Otherwise, or where beams run neither along rows nor along columns, both are the side of the square that a point
    has for itself on average.
    """
    if len(uv) == 0:
        return Spacing(float(camera.width), float(camera.height))
    if (beam < 0).any():
        return _even_spacing(uv, camera)
    count = np.bincount(beam)
    crossing = count >= 8
    if np.count_nonzero(crossing) < 2:
        return _even_spacing(uv, camera)
    count = count[crossing]
    centre, spread = np.empty((2, len(count))), np.empty((2, len(count)))
    for axis in range(2):
        values = uv[:, axis].astype(np.float64)
        centre[axis] = np.bincount(beam, values)[crossing] / count
        squares = np.bincount(beam, values * values)[crossing] / count
        spread[axis] = np.sqrt(np.maximum(squares - centre[axis] ** 2, 0.0))
    along = int(np.median(spread[1]) > np.median(spread[0]))
    if np.median(spread[along]) < 2.0 * np.median(spread[1 - along]):
        return _even_spacing(uv, camera)
    step = float(np.median(np.sqrt(12.0) * spread[along] / count))  # an even row of length L has std L / sqrt(12)
    gap = float(np.percentile(np.diff(np.sort(centre[1 - along])), 80))
    sizes = _clamped(_SLACK * step, camera), _clamped(_SLACK * gap, camera)
    return Spacing(*sizes) if along == 0 else Spacing(*sizes[::-1])


def _even_spacing(uv: Float32, camera: CameraModel) -> Spacing:
    covered = float(np.ptp(uv[:, 0]) + 1.0) * float(np.ptp(uv[:, 1]) + 1.0)
    side = _clamped(_SLACK * np.sqrt(covered / len(uv)), camera)
    return Spacing(side, side)


def _clamped(size: float, camera: CameraModel) -> float:
    """At least two pixels (finer cells cost time and tell nothing), at most a quarter of the image."""
    return float(np.clip(size, 2.0, max(2.0, 0.25 * min(camera.height, camera.width))))
