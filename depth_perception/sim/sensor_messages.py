"""SimFrame → the ROS messages of a robot's drivers, for rclpy and for rosbags."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import numpy as np

from depth_perception import messages
from depth_perception.bags import StaticTransform
from depth_perception.bags.transforms import quaternion
from depth_perception.messages.header import header_message
from depth_perception.sim.frames import SimFrame
from depth_perception.sim.lidar import LidarSample, ScanSample
from depth_perception.sim.odometry import OdometrySample
from depth_perception.sim.setup import SimConfig

BODY, ODOM, LEFT, RIGHT, LIDAR, LASER = "base_link", "odom", "left_optical", "right_optical", "lidar", "laser"
LEVEL = "camera_scan"  # the depth node's default scan.output_frame: at the left camera, level, x forward
POINT = np.dtype(
    {
        "names": ["x", "y", "z", "intensity", "ring", "time"],
        "formats": ["<f4", "<f4", "<f4", "<f4", "<u2", "<f4"],
        "offsets": [0, 4, 8, 12, 16, 20],
        "itemsize": 24,
    }
)

TOPICS = {
    "camera/image": "sensor_msgs/msg/Image",
    "camera/camera_info": "sensor_msgs/msg/CameraInfo",
    "right/image": "sensor_msgs/msg/Image",
    "right/camera_info": "sensor_msgs/msg/CameraInfo",
    "truth/depth": "sensor_msgs/msg/Image",
    "lidar/points": "sensor_msgs/msg/PointCloud2",
    "lidar/scan": "sensor_msgs/msg/LaserScan",
    "odom": "nav_msgs/msg/Odometry",
}


def sensor_messages(types: messages.RosTypes, frame: SimFrame, wanted: Collection[str]) -> Iterator[tuple[str, Any]]:
    """(topic, message) of every wanted sensor of a frame, oldest samples first. The right image is `right/image`."""
    stamp = frame.stamp_ns
    for odometry in frame.odometry if "odom" in wanted else ():
        yield "odom", odometry_message(types, odometry)
    for turn in frame.lidar if "lidar/points" in wanted else ():
        yield "lidar/points", lidar_message(types, turn)
    for scan in frame.scans if "lidar/scan" in wanted else ():
        yield "lidar/scan", laser_message(types, scan)
    if "truth/depth" in wanted:
        yield "truth/depth", messages.image_message(types, frame.depth, "32FC1", stamp, LEFT)
    if frame.right_image is not None and frame.right_camera is not None:
        if "right/camera_info" in wanted:
            yield "right/camera_info", messages.camera_info_message(types, frame.right_camera, stamp, RIGHT)
        if "right/image" in wanted:
            yield "right/image", messages.image_message(types, frame.right_image, "rgb8", stamp, RIGHT)
    if "camera/camera_info" in wanted:
        yield "camera/camera_info", messages.camera_info_message(types, frame.camera, stamp, LEFT)
    if "camera/image" in wanted:
        yield "camera/image", messages.image_message(types, frame.image, "rgb8", stamp, LEFT)


def lidar_message(types: messages.RosTypes, turn: LidarSample) -> Any:
    """PointCloud2 with x y z intensity (float32), ring (uint16) and time (float32, s since the stamp)."""
    points = np.zeros(len(turn.points), POINT)
    assert POINT.names is not None
    for i, name in enumerate(POINT.names):
        points[name] = turn.points[:, i]
    return messages.points_message(types, points, turn.stamp_ns, LIDAR)


def laser_message(types: messages.RosTypes, scan: ScanSample) -> Any:
    """LaserScan of the 2-D scanner."""
    return messages.scan_message(
        types, scan.ranges, scan.angle_min, scan.angle_increment, scan.range_min_m, scan.range_max_m,
        scan_time=0.0, stamp_ns=scan.stamp_ns, frame_id=LASER,
    )  # fmt: skip


def odometry_message(types: messages.RosTypes, sample: OdometrySample) -> Any:
    """Odometry of base_link in odom. Covariances are zero: the simulator doesn't model them."""
    T = sample.T_odom_body
    x, y, z, w = quaternion(T[:3, :3])
    vector, none = "geometry_msgs/msg/Vector3", np.zeros(36)
    pose = types.new(
        "geometry_msgs/msg/Pose",
        position=types.new("geometry_msgs/msg/Point", x=float(T[0, 3]), y=float(T[1, 3]), z=float(T[2, 3])),
        orientation=types.new("geometry_msgs/msg/Quaternion", x=x, y=y, z=z, w=w),
    )
    twist = types.new(
        "geometry_msgs/msg/Twist",
        linear=types.new(vector, x=float(sample.forward_mps), y=0.0, z=0.0),
        angular=types.new(vector, x=0.0, y=0.0, z=float(sample.turning_rps)),
    )
    return types.new(
        "nav_msgs/msg/Odometry",
        header=header_message(types, sample.stamp_ns, ODOM),
        child_frame_id=BODY,
        pose=types.new("geometry_msgs/msg/PoseWithCovariance", pose=pose, covariance=none),
        twist=types.new("geometry_msgs/msg/TwistWithCovariance", twist=twist, covariance=none),
    )


def static_transforms(config: SimConfig) -> list[StaticTransform]:
    """Where every sensor sits on the robot, and the level frame of the depth node's scan."""
    transforms = []
    if config.camera is not None:
        T_body_left = config.camera.T_body_camera()
        shift = np.eye(4)
        shift[0, 3] = config.camera.baseline_m
        # Level at the camera: the body's axes (x forward, z up), since the robot drives on level ground.
        T_body_level = np.eye(4)
        T_body_level[:3, 3] = T_body_left[:3, 3]
        transforms += [StaticTransform(BODY, LEFT, T_body_left), StaticTransform(BODY, LEVEL, T_body_level)]
        if config.camera.right:
            transforms.append(StaticTransform(BODY, RIGHT, T_body_left @ shift))
    if config.lidar is not None:
        transforms.append(StaticTransform(BODY, LIDAR, config.lidar.T_body_lidar()))
    if config.scan is not None:
        transforms.append(StaticTransform(BODY, LASER, config.scan.T_body_scan()))
    return transforms
