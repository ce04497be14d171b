"""The simulated robot's sensors as the pipeline takes them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from depth_perception.anchors.deskew import Motion, OdometryTrack, deskew
from depth_perception.anchors.sweep import scan_points
from depth_perception.extrinsics import inverse
from depth_perception.messages import ScanRays
from depth_perception.records import Measurement, PointSweep, StereoPair
from depth_perception.sim.frames import SimFrame

FOUR_BEAMS = (2, 6, 9, 13)  # of the simulated LiDAR's 16


def follow(track: OdometryTrack, frame: SimFrame) -> None:
    """Tell the track what odometry said since the frame before."""
    for sample in frame.odometry:
        track.add(sample.stamp_ns, sample.T_odom_body)


def sensors(frame: SimFrame, track: OdometryTrack) -> dict[str, Measurement | None]:
    """Name of the row → what its sensor measured; None: ground, which is seen in the prediction.

    There are LiDAR and scan once the first turn is over, which the first frame of a drive doesn't know.
    """
    assert frame.T_body_lidar is not None and frame.T_body_scan is not None
    assert frame.right_image is not None and frame.right_camera is not None
    turn, scan = frame.lidar[-1], frame.scans[-1]
    T_camera_lidar = inverse(frame.T_body_camera) @ frame.T_body_lidar
    motion = Motion(track, frame.T_body_lidar, frame.stamp_ns)
    xyz = deskew(turn.points[:, :3], turn.points[:, 5], turn.stamp_ns, motion)
    assert xyz is not None
    lidar = PointSweep("lidar", xyz, turn.points[:, 4].astype(np.int32), frame.stamp_ns, T_camera_lidar)
    four = np.isin(lidar.beam, FOUR_BEAMS)
    angles = scan.angle_min + scan.angle_increment * np.arange(len(scan.ranges), dtype=np.float64)
    none = np.zeros(0, np.float32)
    rays = ScanRays(angles, scan.ranges, none, np.zeros(len(angles)), scan.range_min_m, scan.range_max_m)
    points = scan_points(rays)
    T_camera_scan = inverse(frame.T_body_camera) @ frame.T_body_scan
    return {
        "16 beams": lidar,
        "4 beams": replace(lidar, xyz=lidar.xyz[four], beam=lidar.beam[four]),
        "laser scan": PointSweep("scan", points.xyz, points.beam, scan.stamp_ns, T_camera_scan),
        "stereo": StereoPair(frame.image, frame.right_image, frame.camera, frame.right_camera, frame.stamp_ns, True),
        "ground": None,
    }
