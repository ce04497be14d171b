"""Real messages of every family: rclpy's, and rosbags' for ROS 2 and ROS 1, each once through its own wire format."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

STAMP = {"sec": 1_700_000_000, "nanosec": 123_456_789}


class Live:
    """rclpy messages, serialised and read back by the ROS middleware."""

    name = "live"

    def __init__(self) -> None:
        pytest.importorskip("sensor_msgs.msg", reason="ROS message packages are not installed")

    def new(self, name: str, /, **fields: Any) -> Any:
        import importlib

        package, _, kind = name.split("/")
        return getattr(importlib.import_module(f"{package}.msg"), kind)(**fields)

    def bytes(self, data: bytes) -> Any:
        import array

        return array.array("B", data)

    def header(self) -> Any:
        stamp = self.new("builtin_interfaces/msg/Time", **STAMP)
        return self.new("std_msgs/msg/Header", stamp=stamp, frame_id="camera_optical")

    def info(self, **fields: Any) -> Any:
        return self.new("sensor_msgs/msg/CameraInfo", **fields)

    def sent(self, message: Any) -> Any:
        serialization = pytest.importorskip("rclpy.serialization", reason="rclpy is not installed")
        return serialization.deserialize_message(serialization.serialize_message(message), type(message))


class Recorded(Live):
    """rosbags messages of ROS 2, serialised and read back as from a bag."""

    name = "recorded"

    def __init__(self) -> None:
        from rosbags.typesys import Stores, get_typestore

        self.store = get_typestore(Stores.ROS2_HUMBLE)

    def new(self, name: str, /, **fields: Any) -> Any:
        return self.store.types[name](**fields)

    def bytes(self, data: bytes) -> Any:
        return np.frombuffer(data, np.uint8)

    def sent(self, message: Any) -> Any:
        raw = self.store.serialize_cdr(message, message.__msgtype__)
        return self.store.deserialize_cdr(bytes(raw), message.__msgtype__)


class Ros1(Recorded):
    """rosbags messages of ROS 1: CameraInfo's fields are K D R P, headers have `seq`."""

    name = "ros1"

    def __init__(self) -> None:
        from rosbags.typesys import Stores, get_typestore

        self.store = get_typestore(Stores.ROS1_NOETIC)

    def header(self) -> Any:
        stamp = self.new("builtin_interfaces/msg/Time", **STAMP)
        return self.new("std_msgs/msg/Header", seq=1, stamp=stamp, frame_id="camera_optical")

    def info(self, **fields: Any) -> Any:
        renamed = {k.upper() if k in "dkrp" else k: v for k, v in fields.items()}
        return self.new("sensor_msgs/msg/CameraInfo", **renamed)

    def sent(self, message: Any) -> Any:
        raw = self.store.serialize_ros1(message, message.__msgtype__)
        return self.store.deserialize_ros1(bytes(raw), message.__msgtype__)


@pytest.fixture(params=[Live, Recorded, Ros1], ids=lambda cls: cls.name)
def family(request: pytest.FixtureRequest) -> Live:
    return request.param()


@pytest.fixture
def image_msg(family: Live) -> Callable[..., Any]:
    """Makes an Image of this family out of its raw fields."""

    def make(encoding: str, height: int, width: int, step: int, data: bytes, is_bigendian: int = 0) -> Any:
        return family.sent(
            family.new(
                "sensor_msgs/msg/Image",
                header=family.header(),
                height=height,
                width=width,
                encoding=encoding,
                is_bigendian=is_bigendian,
                step=step,
                data=family.bytes(data),
            )
        )

    return make


@pytest.fixture(scope="session")
def padded() -> Callable[..., tuple[int, bytes]]:
    """`step` and bytes of an array whose rows are followed by `padding` bytes of 0xEE."""

    def make(rows: np.ndarray, padding: int) -> tuple[int, bytes]:
        flat = np.ascontiguousarray(rows).reshape(rows.shape[0], -1).view(np.uint8)
        filler = np.full((len(flat), padding), 0xEE, np.uint8)
        return flat.shape[1] + padding, np.hstack([flat, filler]).tobytes()

    return make
