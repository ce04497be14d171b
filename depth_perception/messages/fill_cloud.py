"""numpy → `sensor_msgs/PointCloud2`, for rclpy and for rosbags."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from depth_perception.errors import MessageError
from depth_perception.messages.header import header_message
from depth_perception.messages.ros_types import RosTypes

_FLOAT32 = 7  # sensor_msgs/PointField.FLOAT32


def cloud_message(
    types: RosTypes,
    xyz: NDArray[np.float32],
    rgb: NDArray[np.uint8] | None,
    stamp_ns: int,
    frame_id: str,
    is_dense: bool = False,
) -> Any:
    """An organised cloud of (H, W, 3) metres (NaN unknown), with (H, W, 3) uint8 RGB colours unless `rgb` is None.

    `is_dense` promises that no point is NaN; points in no order are (1, N, 3), and N may be 0.

    Fields x y z [rgb], all float32; `rgb` is 0x00RRGGBB in the bits of a float, as PCL and RViz read it. Its top byte
    is zero on purpose: 255 there makes a NaN of every colour with red ≥ 128, and readers that skip NaN drop the point.

    Raises:
        MessageError: shapes or dtypes are others.
    """
    fits = xyz.ndim == 3 and xyz.shape[2] == 3 and xyz.dtype == np.float32 and (xyz.size > 0 or is_dense)
    if not fits or (rgb is not None and (rgb.shape != xyz.shape or rgb.dtype != np.uint8)):
        colours = "" if rgb is None else f" with colours {rgb.shape} of {rgb.dtype}"
        raise MessageError(f"points {xyz.shape} of {xyz.dtype}{colours} are no (H, W, 3) float32 [and uint8] arrays")
    height, width, _ = xyz.shape
    names = ("x", "y", "z") if rgb is None else ("x", "y", "z", "rgb")
    point_step = 4 * len(names)
    data = np.ascontiguousarray(xyz).reshape(-1).view(np.uint8) if rgb is None else np.zeros(0, np.uint8)
    message = types.new(
        "sensor_msgs/msg/PointCloud2",
        header=header_message(types, stamp_ns, frame_id),
        height=height,
        width=width,
        fields=[
            types.new("sensor_msgs/msg/PointField", name=name, offset=4 * i, datatype=_FLOAT32, count=1)
            for i, name in enumerate(names)
        ],
        is_bigendian=False,  # x86-64 and arm64
        point_step=point_step,
        row_step=point_step * width,
        data=data,
        is_dense=is_dense,
    )
    if rgb is not None and xyz.size:
        _interleave(types.resize(message, "data", point_step * width * height), xyz, rgb)
    return message


def _interleave(memory: NDArray[np.uint8], xyz: NDArray[np.float32], rgb: NDArray[np.uint8]) -> None:
    """Write x y z rgb of every point straight into the message."""
    import cv2

    points = memory.view(np.float32).reshape(*xyz.shape[:2], 4)
    cv2.cvtColor(xyz, cv2.COLOR_RGB2RGBA, dst=points)  # x y z 1: six times faster than numpy's strided assignment
    packed = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGRA).view(np.uint32)[..., 0]  # little-endian 0xFFRRGGBB
    np.bitwise_and(packed, np.uint32(0x00FFFFFF), out=points.view(np.uint32)[..., 3])
