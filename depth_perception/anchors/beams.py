"""Which beam of the LiDAR measured each point of a cloud."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from depth_perception.records import Float32, Int32

_BEAM_FIELDS = ("ring", "channel", "laser_id", "laser_number", "beam")
_MOST_BEAMS = 512
_SAMPLE = 4096  # points that a guess is judged on
_WITHIN = 0.03  # share of the variance of elevation that may lie within a beam
_BINS = 4096  # of the histogram of sin(elevation) over [-1, 1]: 0.03°


def beams_of(points: NDArray[np.void], xyz: Float32) -> Int32:
    """Beam (N,) of each point of a decoded cloud (H, W) with positions (N, 3); -1 where nothing tells.

    The first that holds: a field `ring` (or as other drivers name it); the rows or columns of an organised cloud; the
    turns of one written beam after beam (KITTI's files); clusters of elevation. Rows, columns and turns count only if
    elevation varies little along them, for a depth camera's cloud is organised too.
    """
    field = _from_field(points)
    if field is not None:
        return field
    height, width = points.shape
    guesses = []
    if 1 < height <= _MOST_BEAMS and width > 1:
        guesses.append(np.repeat(np.arange(height, dtype=np.int32), width))
    if 1 < width <= _MOST_BEAMS and height > 1:
        guesses.append(np.tile(np.arange(width, dtype=np.int32), height))
    turns = _from_order(xyz)
    if turns is not None:
        guesses.append(turns)
    sample = slice(None, None, max(1, len(xyz) // _SAMPLE))
    elevation = sine_of_elevation(xyz[sample])
    for beam in guesses:
        if _is_level(elevation, beam[sample]):
            return beam
    return _from_elevation(sine_of_elevation(xyz))


def sine_of_elevation(xyz: Float32) -> Float32:
    """z / range (N,): grows with the elevation angle, costs no arctangent; NaN where there is no point."""
    x, y, z = xyz[:, 0], xyz[:, 1], xyz[:, 2]
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        return z / np.sqrt(x * x + y * y + z * z)


def _from_field(points: NDArray[np.void]) -> Int32 | None:
    """The number that the driver wrote; None if there is none, or if all have the same."""
    fields: Any = points.dtype.fields or {}
    for name in _BEAM_FIELDS:
        if name not in fields or fields[name][0].shape:
            continue
        numbers = points[name].reshape(-1)
        if numbers.dtype.kind == "f":
            known = np.isfinite(numbers) & (np.abs(numbers) < _MOST_BEAMS)
            numbers = np.where(known, numbers, -1.0)
        beam = numbers.astype(np.int32)
        if beam.min() < beam.max() < _MOST_BEAMS:
            return np.maximum(beam, -1)
    return None


def _from_order(xyz: Float32) -> Int32 | None:
    """Turns about z, counted where the azimuth passes that of the first point; None if these are no beams.

    A few points around the seam may be out of order, so a turn of less than a thousandth of the points isn't one.
    """
    x0, y0 = float(xyz[0, 0]), float(xyz[0, 1])
    if not np.isfinite([x0, y0]).all() or (x0 == 0.0 and y0 == 0.0):
        return None
    x, y = xyz[:, 0], xyz[:, 1]
    with np.errstate(invalid="ignore", over="ignore"):
        left = (y * np.float32(x0) - x * np.float32(y0)) >= 0.0  # of the first point's direction
        ahead = (x * np.float32(x0) + y * np.float32(y0)) > 0.0
    seam = np.flatnonzero((left[1:] != left[:-1]) & ahead[1:] & ahead[:-1]) + 1
    counter_clockwise = left[seam]
    for forward in (counter_clockwise, ~counter_clockwise):  # the way in which the sensor turns isn't known
        starts = seam[forward]
        starts = starts[np.diff(starts, prepend=0) > len(xyz) // 1000]
        if not 1 <= len(starts) < _MOST_BEAMS:
            continue
        turns = np.zeros(len(xyz), np.int32)
        turns[starts] = 1
        return np.cumsum(turns, dtype=np.int32)
    return None


def _is_level(elevation: Float32, beam: Int32) -> bool:
    """True if nearly all of the variance of elevation lies between beams, not within them."""
    known = np.isfinite(elevation)
    if np.count_nonzero(known) < 2:
        return False
    values, numbers = elevation[known].astype(np.float64), beam[known]
    count = np.bincount(numbers)
    mean = np.bincount(numbers, values) / np.maximum(count, 1)
    level = np.var(values - mean[numbers]) < _WITHIN * np.var(values)
    return bool(level and np.count_nonzero(count) > 1)


def _from_elevation(elevation: Float32) -> Int32:
    """Clusters of elevation that gaps set apart; all -1 if there are none (smeared, or a sensor without beams)."""
    known = np.isfinite(elevation)
    with np.errstate(invalid="ignore"):
        index = ((elevation + np.float32(1.0)) * np.float32(0.5 * (_BINS - 1))).astype(np.int32)
    index[~known] = 0
    count = np.bincount(index, weights=known, minlength=_BINS)
    occupied = count > 0.1 * count.max(initial=1.0)
    start = occupied & ~np.roll(occupied, 1)
    beams, span = int(start.sum()), np.flatnonzero(occupied)
    full = len(span) / max(int(np.ptp(span)), 1) if len(span) else 1.0
    if not 2 <= beams <= _MOST_BEAMS or full > 0.5:
        return np.full(len(elevation), -1, np.int32)
    begin = np.flatnonzero(start)
    end = np.flatnonzero(occupied & ~np.roll(occupied, -1))
    middle = 0.5 * (end[:-1] + begin[1:])  # of each gap: what lies in it goes to the nearer beam
    label = np.searchsorted(middle, np.arange(_BINS)).astype(np.int32)
    return np.where(known, label[index], np.int32(-1))
