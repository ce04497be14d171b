"""Where message classes come from: ROS itself, or a rosbags typestore. The builders take either."""

from __future__ import annotations

import array
import functools
import importlib
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

_TYPECODES = {np.dtype(np.uint8): "B", np.dtype(np.float32): "f", np.dtype(np.float64): "d"}


class RosTypes(Protocol):
    """Makes messages of one family."""

    def new(self, name: str, /, **fields: Any) -> Any:
        """A message of type `name` (`sensor_msgs/msg/Image`) with all of its fields given."""

    def sequence(self, values: NDArray[Any]) -> Any:
        """uint8, float32 or float64 values as an unbounded field of this family holds them, flattened."""

    def allocate(self, size: int) -> tuple[Any, NDArray[np.uint8]]:
        """A uint8 field of `size` bytes, and a writable view of it to fill in place."""


class LiveTypes:
    """Message classes of the ROS installation. Needs `sensor_msgs`, not rclpy."""

    def new(self, name: str, /, **fields: Any) -> Any:
        return _live_class(name)(**fields)

    def sequence(self, values: NDArray[Any]) -> array.array[Any]:
        # The generated setters take an array.array as it is, and check every element of anything else (65 ms at VGA).
        field = array.array(_TYPECODES[values.dtype])
        field.frombytes(_flat(values).view(np.uint8).data)
        return field

    def allocate(self, size: int) -> tuple[array.array[int], NDArray[np.uint8]]:
        field = array.array("B", (0,)) * size
        return field, np.frombuffer(field, np.uint8) if size else np.zeros(0, np.uint8)


class RecordedTypes:
    """Message classes of a rosbags typestore of a ROS 2 distribution."""

    def __init__(self, typestore: Any) -> None:
        self._types = typestore.types

    def new(self, name: str, /, **fields: Any) -> Any:
        return self._types[name](**fields)

    def sequence(self, values: NDArray[Any]) -> NDArray[Any]:
        """A view where `values` is contiguous: serialise the message before the array changes."""
        return _flat(values)

    def allocate(self, size: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        field = np.empty(size, np.uint8)
        return field, field


def _flat(values: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(values).reshape(-1)


@functools.cache
def _live_class(name: str) -> Any:
    package, _, kind = name.split("/")
    return getattr(importlib.import_module(f"{package}.msg"), kind)


def live() -> RosTypes:
    """Classes to publish with rclpy; their packages are imported when the first message is made."""
    return LiveTypes()


def recorded(typestore: Any) -> RosTypes:
    """Classes to write with rosbags, from `rosbags.typesys.get_typestore(Stores.ROS2_…)`."""
    return RecordedTypes(typestore)
