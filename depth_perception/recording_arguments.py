"""Command-line arguments of everything that runs a recording through the pipeline."""

from __future__ import annotations

import argparse
from typing import Any

from depth_perception.config import DepthConfig, Value, from_flat, read_parameters

SENSORS = {  # flag → the node's topic, and what it is
    "lidar": ("lidar/points", "a LiDAR that measures (PointCloud2)"),
    "scan": ("lidar/scan", "a laser scanner that measures (LaserScan)"),
    "left": ("left/image", "the left eye of a stereo pair; default: the image that depth is made for"),
    "right": ("right/image", "the right eye of a stereo pair"),
    "right-info": ("right/camera_info", "its calibration; default: the right image's neighbour"),
    "left-info": ("left/camera_info", "the left eye's calibration; default: the left image's neighbour"),
    "odom": ("odom", "odometry, to deskew the LiDAR"),
    "imu": ("imu", "an IMU, whose gravity tells the camera's pitch and roll"),
}
MOUNTINGS = {  # flag → the parameter that it sets
    "T-cam-lidar": "lidar.T_cam_lidar",
    "T-cam-laser": "laser.T_cam_laser",
    "T-left-right": "stereo.T_left_right",
    "T-cam-left": "stereo.T_cam_left",
    "T-cam-base": "odometry.T_cam_base",
    "T-cam-imu": "imu.T_cam_imu",
}


def add_reading(parser: argparse.ArgumentParser) -> None:
    """The camera's topics, the pipeline's parameters, and what measures the scale."""
    parser.add_argument("--image", metavar="TOPIC", help="image topic; default: the only one")
    parser.add_argument("--camera-info", metavar="TOPIC", help="calibration; default: the image's neighbour")
    parser.add_argument("--model", metavar="FILE", help="ONNX file that keeps the model contract, or 'default'")
    parser.add_argument("--backend", help="inference backend: auto, onnxruntime, openvino, …")
    parser.add_argument("--rectify", choices=("auto", "always", "never"), help="rectify the image before the network")
    parser.add_argument("--params-file", metavar="FILE", help="ROS parameter file of the depth node")
    measuring = parser.add_argument_group(
        "what measures the scale",
        "topics of the recording, and where the sensors sit: 'x y z qx qy qz qw' (m, quaternion) or 'x y z roll pitch "
        "yaw' (m, rad), the sensor in the camera's optical frame",
    )
    for flag, (_, text) in SENSORS.items():
        measuring.add_argument(f"--{flag}", metavar="TOPIC", help=text)
    measuring.add_argument(
        "--camera-height", metavar="M", type=float, help="height of the camera above the ground, m, which it then sees"
    )
    for flag, parameter in MOUNTINGS.items():
        measuring.add_argument(
            f"--{flag}", metavar="'X Y Z QX QY QZ QW'", help=f"{parameter}; default: as the recording's transforms say"
        )


def configuration(args: argparse.Namespace) -> DepthConfig:
    """The parameter file, then the command line. Raises ConfigError."""
    values: dict[str, Value] = read_parameters(args.params_file) if args.params_file else {}
    said = {"model.path": args.model, "engine.backend": args.backend, "rectify": args.rectify}
    said |= {parameter: given(args, flag) for flag, parameter in MOUNTINGS.items()}
    if args.camera_height is not None:
        said |= {"scan.camera_height": args.camera_height, "ground.enabled": True}
    values |= {name: value for name, value in said.items() if value is not None}
    return from_flat(values)  # type: ignore[no-any-return]


def wanted_sensors(args: argparse.Namespace) -> dict[str, str]:
    """The node's topic (`lidar/points`) → the recording's, of the sensors asked for."""
    return {topic: value for flag, (topic, _) in SENSORS.items() if (value := given(args, flag))}


def given(args: argparse.Namespace, flag: str) -> Any:
    """What a flag was given, by its name without dashes in front."""
    return getattr(args, flag.replace("-", "_"))
