"""Points that the LiDAR sees past an edge and the camera doesn't."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from depth_perception.camera import CameraModel
from depth_perception.records import Float32, Int32

_MARGIN = 0.05  # nearer by this share of depth is noise
_SLACK = 1.3  # what is looked at is larger than the spacing, so that it holds a point of a closed surface
_FINE = 3  # cells to the larger spacing: a point is told from one just above it
_EVEN = 0.6  # on a road, a row's own change of inverse depth is at most half of that to the next beam
_ALONG = 3  # cells along a beam in which a nearer point is looked for: one lost return doesn't open a hole


@dataclass(frozen=True)
class Grid:
    """Cells over the image, and how many of them away from a point its neighbours are looked for."""

    u: float  # pixels
    v: float
    reach_u: int  # cells
    reach_v: int
    beams_in_columns: bool = False


def occluded(uv: Float32, depth: Float32, grid: Grid, camera: CameraModel) -> NDArray[np.bool_]:
    """True (N,) for points that nearer points enclose in the image.

    On an even surface, however steep, at least one side is farther away, for inverse depth is linear in the image; so a
    road keeps its far points although near ones lie just below them. Beyond an edge, the points that the camera can't
    see fall among those of what hides them. A point is hidden if

    - nearer points lie on its left, on its right, above and below; or
    - nearer points lie on both sides in its own row of cells, and those above or below aren't much nearer still, as
      they would be on a road, whose depth changes from row to row more than within one.

    "Nearer" is by more than 5 % of depth plus what a right-angled concave corner makes of the cells looked at. Points
    in the gap between an edge and the first beam on it can't be told from what is seen past that edge.
    """
    if len(depth) == 0:
        return np.zeros(0, bool)
    rows, columns = int(camera.height / grid.v) + 1, int(camera.width / grid.u) + 1
    column = ((uv[:, 0] + np.float32(0.5)) * np.float32(1.0 / grid.u)).astype(np.int32)
    row = ((uv[:, 1] + np.float32(0.5)) * np.float32(1.0 / grid.v)).astype(np.int32)
    if grid.beams_in_columns:
        cell, shape = column * np.int32(rows) + row, (columns, rows)
        along, across = grid.reach_v, grid.reach_u
    else:
        cell, shape = row * np.int32(columns) + column, (rows, columns)
        along, across = grid.reach_u, grid.reach_v
    nearest = np.full(rows * columns, np.inf, np.float32)
    np.minimum.at(nearest, cell, depth)
    around, in_row, across_rows = (d.reshape(-1)[cell] for d in _neighbours(nearest.reshape(shape), along, across))
    angle = max(grid.u * grid.reach_u / camera.fx, grid.v * grid.reach_v / camera.fy)
    limit = depth * np.float32(1.0 / (1.0 + _MARGIN + angle))
    inverse = 1.0 / depth
    even = 1.0 / in_row - inverse > _EVEN * (1.0 / across_rows - inverse)
    return (around < limit) | ((in_row < limit) & even)


def _neighbours(nearest: Float32, along: int, across: int) -> tuple[Float32, Float32, Float32]:
    """For each cell: the depth by which it is enclosed on four sides; on two sides in its row; the nearest across.

    "Enclosed" is the farthest of the depths that are nearest on each side. A side begins in the next cell: on a road
    seen at a grazing angle, the cell itself holds nearer points.
    """
    import cv2

    left, above = np.zeros((1, 2 * along + 1), np.uint8), np.zeros((2 * across + 1, 1), np.uint8)
    left[0, :along], above[:across] = 1, 1
    right, below = left[:, ::-1], above[::-1]
    beside = cv2.erode(nearest, np.ones((2 * across + 1, 1), np.uint8))  # erosion is the minimum; outside counts as Inf
    near = cv2.erode(nearest, np.ones((1, 2 * (along // 2) + 1), np.uint8))
    over, under = cv2.erode(near, above), cv2.erode(near, below)
    around = cv2.max(cv2.max(cv2.erode(beside, left), cv2.erode(beside, right)), cv2.max(over, under))
    in_row = cv2.max(cv2.erode(nearest, left), cv2.erode(nearest, right))
    return around, in_row, cv2.min(over, under)  # type: ignore[return-value]


def point_grid(uv: Float32, beam: Int32, camera: CameraModel) -> Grid:
    """Cells for `occluded` by the distance between points along a beam and from beam to beam, where beams are known.

    Otherwise, or where beams run neither along rows nor along columns, by the square that a point has for itself on
    average.
    """
    if len(uv) == 0 or (beam < 0).any():
        return _even_grid(uv, camera)
    count = np.bincount(beam)
    crossing = count >= 8
    if np.count_nonzero(crossing) < 2:
        return _even_grid(uv, camera)
    count = count[crossing]
    centre, spread = np.empty((2, len(count))), np.empty((2, len(count)))
    for axis in range(2):
        values = uv[:, axis].astype(np.float64)
        centre[axis] = np.bincount(beam, values)[crossing] / count
        squares = np.bincount(beam, values * values)[crossing] / count
        spread[axis] = np.sqrt(np.maximum(squares - centre[axis] ** 2, 0.0))
    along = int(np.median(spread[1]) > np.median(spread[0]))
    if np.median(spread[along]) < 2.0 * np.median(spread[1 - along]):
        return _even_grid(uv, camera)
    step = float(np.median(np.sqrt(12.0) * spread[along] / count))  # an even row of length L has std L / sqrt(12)
    gap = float(np.percentile(np.diff(np.sort(centre[1 - along])), 80))
    fine, (coarse, reach) = _clamped(step, camera), _divided(gap, camera)
    if along == 1:
        return Grid(coarse, fine, reach, _ALONG, beams_in_columns=True)
    return Grid(fine, coarse, _ALONG, reach)


def _even_grid(uv: Float32, camera: CameraModel) -> Grid:
    if len(uv) == 0:
        return Grid(float(camera.width), float(camera.height), 1, 1)
    covered = float(np.ptp(uv[:, 0]) + 1.0) * float(np.ptp(uv[:, 1]) + 1.0)
    size, reach = _divided(np.sqrt(covered / len(uv)), camera)
    return Grid(size, size, reach, reach)


def _divided(spacing: float, camera: CameraModel) -> tuple[float, int]:
    """Cells finer than `spacing`, and how many of them reach across it."""
    size = _clamped(spacing / _FINE, camera)
    return size, int(np.ceil(_SLACK * spacing / size))


def _clamped(size: float, camera: CameraModel) -> float:
    """At least a pixel (finer cells cost time and tell nothing), at most an eighth of the image."""
    return float(np.clip(size, 1.0, max(1.0, 0.125 * min(camera.height, camera.width))))
