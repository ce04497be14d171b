"""ROS messages ↔ numpy, without cv_bridge or sensor_msgs_py.

One set of functions takes live messages (rclpy: `data` is an `array.array`) and recorded ones (rosbags: `data` is
numpy, and ROS 1's CameraInfo has K D R P). Nothing here imports rclpy, and OpenCV only where a conversion needs it.
"""

from depth_perception.messages.camera_info import decode_camera_info
from depth_perception.messages.cloud import cloud_xyz, decode_cloud
from depth_perception.messages.colour import decode_rgb
from depth_perception.messages.compressed import decode_compressed
from depth_perception.messages.depth import decode_depth
from depth_perception.messages.fill import (
    camera_info_message,
    compressed_image_message,
    image_message,
    scan_message,
)
from depth_perception.messages.fill_cloud import cloud_message
from depth_perception.messages.fill_diagnostics import diagnostics_message
from depth_perception.messages.fill_points import points_message
from depth_perception.messages.header import header_message, stamp_ns, to_stamp
from depth_perception.messages.image import decode_image
from depth_perception.messages.ros_types import RosTypes, live, recorded
from depth_perception.messages.scan import ScanRays, decode_scan

__all__ = [
    "RosTypes",
    "ScanRays",
    "camera_info_message",
    "cloud_message",
    "cloud_xyz",
    "compressed_image_message",
    "decode_camera_info",
    "decode_cloud",
    "decode_compressed",
    "decode_depth",
    "decode_image",
    "decode_rgb",
    "decode_scan",
    "diagnostics_message",
    "header_message",
    "image_message",
    "live",
    "points_message",
    "recorded",
    "scan_message",
    "stamp_ns",
    "to_stamp",
]
