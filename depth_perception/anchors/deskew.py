"""Undo the robot's motion while a LiDAR turned, and between its turn and the image."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from depth_perception.bags.transforms import quaternion
from depth_perception.extrinsics import inverse, rotation_from_quaternion
from depth_perception.records import PointSweep

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

_KNOTS = 32  # of a turn: 3 ms of a 0.1 s turn, in which no robot leaves the straight line between two knots
_EXTRAPOLATE_NS = 50_000_000  # odometry at 20 Hz or more never lags farther
_GAP_NS = 500_000_000  # samples farther apart say nothing about the time between them


class OdometryTrack:
    """The last poses of the robot's body, from odometry. May be fed and asked from different threads.

    Convention: `T_odom_body` maps body points into the odometry frame (nav_msgs/Odometry: pose of child_frame_id in
    header.frame_id). Between samples position is linear and rotation slerped (Shoemake, SIGGRAPH 1985).
    """

    def __init__(self, capacity: int = 400) -> None:
        self._samples: deque[tuple[int, Float64, Float64]] = deque(maxlen=capacity)  # ns, position, quaternion
        self._lock = threading.Lock()

    def add(self, stamp_ns: int, T_odom_body: Float64) -> None:
        """Take a sample. A stamp that isn't later than the last one starts anew: the clock was reset, a bag loops."""
        T = np.asarray(T_odom_body, np.float64)
        sample = (stamp_ns, T[:3, 3].copy(), np.array(quaternion(T[:3, :3])))
        with self._lock:
            if self._samples and stamp_ns == self._samples[-1][0]:
                return
            if self._samples and stamp_ns < self._samples[-1][0]:
                self._samples.clear()
            self._samples.append(sample)

    def poses(self, times_ns: NDArray[np.int64]) -> Float64 | None:
        """T_odom_body (K, 4, 4) at these times; None if one lies over 50 ms outside of what is known, or in a gap."""
        with self._lock:
            samples = list(self._samples)
        if len(samples) < 2 or len(times_ns) == 0:
            return None
        stamps = np.array([stamp for stamp, _, _ in samples], np.int64)
        if times_ns.min() < stamps[0] - _EXTRAPOLATE_NS or times_ns.max() > stamps[-1] + _EXTRAPOLATE_NS:
            return None
        before = np.clip(np.searchsorted(stamps, times_ns, side="right") - 1, 0, len(stamps) - 2)
        step = stamps[before + 1] - stamps[before]
        if (step > _GAP_NS).any():
            return None
        share = (times_ns - stamps[before]) / step
        first, last = int(before.min()), int(before.max()) + 2
        position = np.array([p for _, p, _ in samples[first:last]])
        rotation = np.array([q for _, _, q in samples[first:last]])
        a, b = before - first, before - first + 1
        T = np.tile(np.eye(4), (len(times_ns), 1, 1))
        T[:, :3, 3] = position[a] + share[:, None] * (position[b] - position[a])
        T[:, :3, :3] = rotation_from_quaternion(slerp(rotation[a], rotation[b], share))
        return T

    def motion(self, from_ns: int, to_ns: int) -> Float64 | None:
        """T_bodyto_bodyfrom (4, 4): where the body's points of one moment are, seen from the body at another.

        Convention: p_to = T @ p_from for a point that stands still in the world. None as for `poses`.
        """
        poses = self.poses(np.array([from_ns, to_ns], np.int64))
        return None if poses is None else inverse(poses[1]) @ poses[0]


def slerp(a: Float64, b: Float64, share: Float64) -> Float64:
    """Unit quaternions (K, 4), a at share 0 and b at share 1, on the shorter way; shares outside 0-1 go on turning."""
    dot = np.sum(a * b, axis=1)
    b, dot = np.where(dot[:, None] < 0.0, -b, b), np.clip(np.abs(dot), 0.0, 1.0)
    angle = np.arccos(dot)
    small = angle < 1e-6
    sine = np.where(small, 1.0, np.sin(angle))
    weight_a = np.where(small, 1.0 - share, np.sin((1.0 - share) * angle) / sine)
    weight_b = np.where(small, share, np.sin(share * angle) / sine)
    return weight_a[:, None] * a + weight_b[:, None] * b


@dataclass(frozen=True)
class Motion:
    """What it takes to bring a sensor's points to one moment."""

    track: OdometryTrack
    T_body_sensor: Float64  # (4, 4)
    at_ns: int  # the moment wanted, mostly the image's stamp, on the clock of odometry


def deskew(xyz: Float32, times_s: Float32, stamp_ns: int, motion: Motion) -> Float32 | None:
    """Points (N, 3) as the sensor would have measured them all at `motion.at_ns`; None if odometry doesn't cover them.

    `times_s` (N,) are seconds after `stamp_ns`; a time that isn't finite makes its point NaN. The world is assumed to
    stand still: what moves by itself is shifted as if it had not.

    The sensor's motion is evaluated at up to 32 knots; between two of them a point is blended linearly between what
    the one and the other make of it.
    """
    known = np.isfinite(times_s)
    if not known.any():
        return np.full_like(xyz, np.nan)
    start, end = float(times_s[known].min()), float(times_s[known].max())
    knots = np.linspace(start, end, _KNOTS if end > start else 1)
    T = _sensor_motion(stamp_ns + np.round(knots * 1e9).astype(np.int64), motion)
    if T is None:
        return None
    if len(T) == 1:
        moved = _apply(T[0], xyz)
        moved[~known] = np.nan
        return moved
    position = (np.where(known, times_s, start) - np.float32(start)) * np.float32((len(knots) - 1) / (end - start))
    bucket = np.clip(position.astype(np.int32), 0, len(knots) - 2).astype(np.uint8)
    share = position - bucket
    order = np.argsort(bucket, kind="stable")  # radix sort: fast, and neighbours stay neighbours
    ends = np.cumsum(np.bincount(bucket, minlength=len(knots) - 1))
    xyz = np.ascontiguousarray(xyz)  # of a message's view, each `take` would copy all
    moved = np.empty((len(xyz), 3), np.float32)
    for k, (low, high) in enumerate(pairwise([0, *ends.tolist()])):
        points = order[low:high]
        there = np.take(xyz, points, axis=0)
        first, change = _apply(T[k], there), _apply(T[k + 1] - T[k], there)
        change *= share[points, None]
        first += change
        moved[points] = first
    moved[~known] = np.nan
    return moved


def moved(sweep: PointSweep, motion: Motion) -> PointSweep | None:
    """A sweep (of one moment) for a camera image taken at `motion.at_ns`: its points stay, their transform changes.

    None if odometry doesn't cover both times. The world is assumed to stand still.
    """
    T = _sensor_motion(np.array([sweep.stamp_ns], np.int64), motion)
    if T is None:
        return None
    return replace(sweep, stamp_ns=motion.at_ns, T_camera_sensor=sweep.T_camera_sensor @ T[0])


def _sensor_motion(times_ns: NDArray[np.int64], motion: Motion) -> Float64 | None:
    """T_sensorat_sensorthen (K, 4, 4) from each time to `motion.at_ns`."""
    poses = motion.track.poses(np.append(times_ns, motion.at_ns))
    if poses is None:
        return None
    T_odom_sensor = poses @ motion.T_body_sensor
    return inverse(T_odom_sensor[-1]) @ T_odom_sensor[:-1]


def _apply(T: Float64, xyz: Float32) -> Float32:
    with np.errstate(invalid="ignore"):  # NaN and Inf points stay what they are
        moved: Float32 = xyz @ T[:3, :3].T.astype(np.float32)
    moved += T[:3, 3].astype(np.float32)
    return moved
