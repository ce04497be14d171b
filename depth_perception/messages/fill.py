"""numpy → image, camera_info and scan messages, for rclpy and for rosbags (`RosTypes` says which)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from depth_perception.camera import CameraModel
from depth_perception.errors import MessageError
from depth_perception.messages.header import header_message
from depth_perception.messages.image import LAYOUTS
from depth_perception.messages.ros_types import RosTypes


def image_message(types: RosTypes, array: NDArray[Any], encoding: str, stamp_ns: int, frame_id: str) -> Any:
    """A `sensor_msgs/Image` of (H, W) or (H, W, C) pixels.

    Live messages get one copy of the pixels; recorded ones a view, where `array` is contiguous.

    Raises:
        MessageError: dtype or channels aren't those of `encoding`.
    """
    layout = LAYOUTS.get(encoding.lower())
    channels = array.shape[2] if array.ndim == 3 else 1
    if layout is None or layout.even_height or (np.dtype(layout.dtype), layout.channels) != (array.dtype, channels):
        raise MessageError(f"an array {array.shape} of {array.dtype} can't be sent with encoding {encoding!r}")
    array = np.ascontiguousarray(array)
    return types.new(
        "sensor_msgs/msg/Image",
        header=header_message(types, stamp_ns, frame_id),
        height=array.shape[0],
        width=array.shape[1],
        encoding=encoding,
        is_bigendian=0,  # x86-64 and arm64
        step=array.strides[0],
        data=array.reshape(-1).view(np.uint8),
    )


def compressed_image_message(
    types: RosTypes, image: NDArray[np.uint8], stamp_ns: int, frame_id: str, quality: int = 90
) -> Any:
    """A `sensor_msgs/CompressedImage` (JPEG) of (H, W, 3) uint8 RGB. `quality` is JPEG's, 1 to 100."""
    import cv2

    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return types.new(
        "sensor_msgs/msg/CompressedImage",
        header=header_message(types, stamp_ns, frame_id),
        format="rgb8; jpeg compressed bgr8",
        data=encoded.reshape(-1),
    )


def camera_info_message(types: RosTypes, camera: CameraModel, stamp_ns: int, frame_id: str) -> Any:
    """A `sensor_msgs/CameraInfo` for the image that `camera` describes: no ROI, no binning left to apply.

    A camera without distortion says `plumb_bob` with five zeros, which image_geometry needs to call it rectified.
    """
    undistorted = camera.distortion_model == "none"
    region = types.new("sensor_msgs/msg/RegionOfInterest", x_offset=0, y_offset=0, height=0, width=0, do_rectify=False)
    return types.new(
        "sensor_msgs/msg/CameraInfo",
        header=header_message(types, stamp_ns, frame_id),
        height=camera.height,
        width=camera.width,
        distortion_model="plumb_bob" if undistorted else camera.distortion_model,
        d=np.zeros(5) if undistorted else camera.D,
        k=camera.K.reshape(9).copy(),
        r=camera.R.reshape(9).copy(),
        p=camera.P.reshape(12).copy(),
        binning_x=0,
        binning_y=0,
        roi=region,
    )


def scan_message(
    types: RosTypes,
    ranges: NDArray[np.float32],
    angle_min: float,
    angle_increment: float,
    range_min: float,
    range_max: float,
    scan_time: float,
    stamp_ns: int,
    frame_id: str,
) -> Any:
    """A `sensor_msgs/LaserScan` of (N,) metres, all rays measured at once (a camera's: time_increment 0).

    Angles in rad, positive to the left, around the frame's z axis; `scan_time` is the time between scans, s.
    """
    ranges = np.ascontiguousarray(ranges, np.float32)
    return types.new(
        "sensor_msgs/msg/LaserScan",
        header=header_message(types, stamp_ns, frame_id),
        angle_min=float(angle_min),
        angle_max=float(angle_min + angle_increment * (len(ranges) - 1)),
        angle_increment=float(angle_increment),
        time_increment=0.0,
        scan_time=float(scan_time),
        range_min=float(range_min),
        range_max=float(range_max),
        ranges=ranges,
        intensities=np.zeros(0, np.float32),
    )
