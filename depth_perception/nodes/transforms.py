"""Where a sensor is mounted, from tf2 where tf2 is installed (a full ROS; plain pip has none)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.time import Time

from depth_perception.errors import CalibrationError
from depth_perception.extrinsics import transform_from_message


class TransformListener:
    """Listens to /tf and /tf_static on the node's executor; any thread may look up."""

    def __init__(self, node: Node) -> None:
        self._buffer: Any = None
        self._missing: type[Exception] = Exception
        try:
            import tf2_ros
        except ImportError:
            node.get_logger().info(
                "tf2_ros isn't installed: mountings come from parameters (lidar.T_cam_lidar and the like)"
            )
            return
        self._missing = tf2_ros.TransformException
        self._buffer = tf2_ros.Buffer()
        self._listener: Any = tf2_ros.TransformListener(self._buffer, node)

    def lookup(self, target: str, source: str) -> NDArray[np.float64]:
        """T_target_source (4, 4), the newest known.

        Convention: p_target = T_target_source @ p_source, tf2's `lookup_transform(target, source)`.

        Raises:
            CalibrationError: tf doesn't say, or isn't installed.
        """
        if self._buffer is None:
            raise CalibrationError(f"no transform from {source!r} to {target!r}: tf2_ros isn't installed")
        try:
            return transform_from_message(self._buffer.lookup_transform(target, source, Time()).transform)
        except self._missing as error:
            raise CalibrationError(f"no transform from {source!r} to {target!r}: {error}") from error

    def destroy(self) -> None:
        """Stop listening."""
        if self._buffer is not None:
            self._listener.unregister()
