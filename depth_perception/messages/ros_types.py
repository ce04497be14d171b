"""Where message classes come from: ROS itself, or a rosbags typestore. The builders take either."""

from __future__ import annotations

import array
import functools
import importlib
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class RosTypes(Protocol):
    """Makes messages of one family. Numeric array fields are given as contiguous (N,) numpy arrays of their type."""

    def new(self, name: str, /, **fields: Any) -> Any:
        """A message of type `name` (`sensor_msgs/msg/Image`) with all of its fields."""

    def byte(self, value: int) -> Any:
        """A field of type `byte`, which is bytes of length 1 for ROS and a number for rosbags."""

    def resize(self, message: Any, field: str, size: int) -> NDArray[np.uint8]:
        """Give an empty uint8 field `size` bytes; the writable view that comes back is the message's own memory."""


class LiveTypes:
    """Message classes of the ROS installation. Needs `sensor_msgs`, not rclpy.

    A fresh message's own `array.array` is filled in place, at the price of one memcpy. Assigning to the field costs
    more: the generated setters check every element of a numpy array (65 ms at 640x480), and those of Kilted copy even
    an `array.array` once more unless ROS_PYTHON_CHECK_FIELDS is 1.
    """

    def new(self, name: str, /, **fields: Any) -> Any:
        arrays = {field: value for field, value in fields.items() if isinstance(value, np.ndarray)}
        message = _live_class(name)(**{field: value for field, value in fields.items() if field not in arrays})
        for field, values in arrays.items():
            own = getattr(message, field)
            if isinstance(own, array.array):
                own.frombytes(values.view(np.uint8).data)
            else:  # of fixed size, which is numpy here too
                setattr(message, field, values)
        return message

    def byte(self, value: int) -> Any:
        return bytes([value])

    def resize(self, message: Any, field: str, size: int) -> NDArray[np.uint8]:
        own = getattr(message, field)
        own.append(0)
        own *= size
        return np.frombuffer(own, np.uint8)


class RecordedTypes:
    """Message classes of a rosbags typestore of a ROS 2 distribution.

    Array fields are the arrays that were given, not copies: serialise the message before they change.
    """

    def __init__(self, typestore: Any) -> None:
        self._types = typestore.types

    def new(self, name: str, /, **fields: Any) -> Any:
        return self._types[name](**fields)

    def byte(self, value: int) -> Any:
        return value

    def resize(self, message: Any, field: str, size: int) -> NDArray[np.uint8]:
        memory = np.empty(size, np.uint8)
        setattr(message, field, memory)
        return memory


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
