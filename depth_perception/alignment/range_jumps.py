"""Where a LiDAR's range jumps from one point to the next of its beam: there the image should show an edge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from depth_perception.anchors.projection import project_points
from depth_perception.camera import CameraModel
from depth_perception.records import Float32, PointSweep

FEWEST_BEAMS = 4  # with a point in the image
ENOUGH_BEAMS = 16  # of the whole LiDAR; of twice as many, every other one is looked at
LEAST_JUMP = 0.1  # of log range
MOST_WEIGHT = 0.5  # of log range: beyond, a jump is as sure as any
WIDEST_GAP = 0.021  # rad between two points that count as neighbours
FARTHEST = 40.0  # m: beyond, a translation moves no pixel
MOST_JUMPS = 1500  # the watch needs no more
_NEAREST = 1e-3  # m; what some drivers write as (0, 0, 0) for no return is no point
_STEP = 1e-3  # of depth: for the derivative of a projection


@dataclass(frozen=True)
class RangeJumps:
    """Points of silhouettes. The arrays are parallel."""

    uv: Float32  # (M, 2) pixels
    flow: Float32  # (2, 6, M) how the pixels move: d(u, v) / d(wx, wy, wz, tx, ty, tz), px/rad and px/m
    weight: Float32  # (M,) height of the jump in log range, at most 0.5


def range_jumps(sweep: PointSweep, camera: CameraModel, min_range: float) -> RangeJumps | None:
    """Silhouettes that a sweep shows within the camera's image; None if it has too few beams there.

    Points nearer to the LiDAR than `min_range` (m) are its own robot and left out. The edge lies somewhere between the
    two rays of a jump, at the range of the nearer point; half way is the best guess. (The nearer point itself lies
    always inside of what it belongs to, by half a step of the LiDAR on average.)

    Convention: `flow` is that of p' = p + w x p + t with p in the camera's optical frame: points that are turned by
    w (rad) and moved by t (m) there. Neighbours are points that follow each other in the sweep on the same beam.

    Raises:
        CalibrationError: the camera is uncalibrated.
    """
    some = _of_enough_beams(sweep)
    seen = some[project_points(sweep.xyz[some], sweep.T_camera_sensor, camera).index]
    beam = sweep.beam[seen].astype(np.int16)
    if np.count_nonzero(np.bincount(beam)) < FEWEST_BEAMS:
        return None
    order = np.argsort(beam, kind="stable")  # of 16-bit integers: a radix sort
    edge, weight = _silhouette(sweep.xyz[seen[order]], beam[order], max(min_range, _NEAREST))
    if len(weight) > MOST_JUMPS:
        step = -(-len(weight) // MOST_JUMPS)
        edge, weight = edge[::step], weight[::step]
    at = project_points(edge, sweep.T_camera_sensor, camera)
    near = np.flatnonzero(at.xyz[2] < FARTHEST)
    return RangeJumps(at.uv[near], _flow(at.xyz[:, near], camera), weight[at.index[near]])


def _of_enough_beams(sweep: PointSweep) -> NDArray[np.intp]:
    """Indices of the points whose beam is known, of every k-th beam if there are more than enough."""
    known = sweep.beam >= 0
    present = np.flatnonzero(np.bincount(sweep.beam if known.all() else sweep.beam[known]))
    chosen = np.zeros(int(present.max(initial=0)) + 2, bool)
    chosen[present[:: max(len(present) // ENOUGH_BEAMS, 1)]] = True
    return np.flatnonzero(chosen[sweep.beam])  # beam -1 is the last, which is none


def _silhouette(xyz: Float32, beam: NDArray[np.int16], min_range: float) -> tuple[Float32, Float32]:
    """(M, 3) m in the LiDAR's frame and (M,) log range: of points (N, 3) in the order of their beams."""
    range_m = np.sqrt(np.einsum("nc,nc->n", xyz, xyz))
    far = np.flatnonzero(range_m >= min_range)
    xyz, beam, range_m = xyz[far], beam[far], range_m[far]
    log_range = np.log(range_m)
    step = np.diff(log_range)
    first = np.flatnonzero((np.abs(step) > LEAST_JUMP) & (beam[1:] == beam[:-1]))
    one, other = (xyz[i] / range_m[i, None] for i in (first, first + 1))
    beside = np.square(one - other).sum(axis=1) < WIDEST_GAP**2
    first = first[beside]
    nearer = np.minimum(range_m[first], range_m[first + 1])
    edge = 0.5 * (one[beside] + other[beside]) * nearer[:, None]
    return edge, np.minimum(np.abs(step[first]), np.float32(MOST_WEIGHT))


def _flow(points: Float32, camera: CameraModel) -> Float32:
    """(2, 6, M) of points (3, M) in the frame in which K and D apply; see `range_jumps`."""
    p = points.astype(np.float64)
    here = camera.project(p.T).T
    by_point = np.empty((2, 3, p.shape[1]))
    for axis in range(3):
        moved = p.copy()
        moved[axis] += _STEP * p[2]
        by_point[:, axis] = (camera.project(moved.T).T - here) / (_STEP * p[2])
    # The hypotheses turn about the axes of the optical frame that CameraInfo names, before R^T.
    optical = camera.R @ p
    x, y, z = optical
    zero = np.zeros_like(x)
    moves = np.empty((3, 6, p.shape[1]))
    moves[:, 0], moves[:, 1], moves[:, 2] = (zero, -z, y), (z, zero, -x), (-y, x, zero)
    moves[:, 3:] = np.eye(3)[:, :, None]
    return np.einsum("abm,bc,ckm->akm", by_point, camera.R.T, moves, optimize=True).astype(np.float32)
