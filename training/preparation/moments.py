"""A LiDAR's points and the robot's pose at the time of an image."""

from __future__ import annotations

import numpy as np

from depth_perception.anchors.deskew import Motion, OdometryTrack, deskew
from depth_perception.anchors.sweep import SensorPoints
from depth_perception.extrinsics import Float64, inverse
from training.preparation.source_frame import Turn


def turn_at(
    points: SensorPoints, stamp_ns: int, T_left_lidar: Float64, T_left_body: Float64 | None,
    track: OdometryTrack | None, image_ns: int,
) -> Turn:  # fmt: skip
    """A turn stamped `stamp_ns` as the LiDAR would have measured it all at `image_ns`; stamps on odometry's clock.

    With times of the points, each is moved from its own time (deskewed); without, all from the turn's stamp. Where
    odometry doesn't cover these times, or nobody knows where its body sits, the points stay as they came.

    Convention: T_left_lidar of the result is that of the rigid mount; motion is in it where points have no times.
    """
    if track is None or T_left_body is None:
        return Turn(points.xyz, points.beam, T_left_lidar)
    motion = Motion(track, inverse(T_left_body) @ T_left_lidar, image_ns)
    if points.times_s is not None:
        straight = deskew(points.xyz, points.times_s, stamp_ns, motion)
        if straight is not None:
            return Turn(straight, points.beam, T_left_lidar)
    T_bodyimage_bodyturn = track.motion(stamp_ns, image_ns)
    if T_bodyimage_bodyturn is None:
        return Turn(points.xyz, points.beam, T_left_lidar)
    return Turn(points.xyz, points.beam, T_left_body @ T_bodyimage_bodyturn @ inverse(T_left_body) @ T_left_lidar)


def pose_at(track: OdometryTrack | None, stamp_ns: int) -> Float64 | None:
    """T_odom_body (4, 4) at this time; None: odometry doesn't cover it."""
    if track is None:
        return None
    poses = track.poses(np.array([stamp_ns], np.int64))
    return None if poses is None else poses[0]
