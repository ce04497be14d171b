"""A structured numpy array → `sensor_msgs/PointCloud2` with the same fields, for rclpy and for rosbags."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from depth_perception.errors import MessageError
from depth_perception.messages.header import header_message
from depth_perception.messages.ros_types import RosTypes

_DATATYPES = {"|i1": 1, "|u1": 2, "<i2": 3, "<u2": 4, "<i4": 5, "<u4": 6, "<f4": 7, "<f8": 8}  # sensor_msgs/PointField


def points_message(types: RosTypes, points: NDArray[np.void], stamp_ns: int, frame_id: str) -> Any:
    """An unorganised cloud of (N,) structured points, one PointField per named field; N may be 0.

    `is_dense` is True: the caller leaves out points that aren't finite.

    Raises:
        MessageError: a field's type is none of PointField's.
    """
    fields: Any = points.dtype.fields or {}
    unknown = {name: item[0].str for name, item in fields.items() if item[0].str not in _DATATYPES}
    if points.ndim != 1 or not fields or unknown:
        raise MessageError(
            f"points {points.shape} of {points.dtype} are no (N,) array of PointField's types; {unknown!r}"
        )
    return types.new(
        "sensor_msgs/msg/PointCloud2",
        header=header_message(types, stamp_ns, frame_id),
        height=1,
        width=len(points),
        fields=[
            types.new(
                "sensor_msgs/msg/PointField", name=name, offset=item[1], datatype=_DATATYPES[item[0].str], count=1
            )
            for name, item in fields.items()
        ],
        is_bigendian=False,  # x86-64 and arm64
        point_step=points.dtype.itemsize,
        row_step=points.nbytes,
        data=np.ascontiguousarray(points).view(np.uint8),
        is_dense=True,
    )
