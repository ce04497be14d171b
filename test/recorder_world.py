"""A robot for the recorder: topics and messages made without ROS, and what others read of the files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from mcap.reader import make_reader
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_typestore

from depth_perception.recording.records import Message, Topic

JAZZY = get_typestore(Stores.ROS2_JAZZY)
T0 = 1_700_000_000_000_000_000
IMAGE, INFO, TF = "sensor_msgs/msg/Image", "sensor_msgs/msg/CameraInfo", "tf2_msgs/msg/TFMessage"
QUALITY, ODOMETRY, CLOUD = "diagnostic_msgs/msg/DiagnosticArray", "nav_msgs/msg/Odometry", "sensor_msgs/msg/PointCloud2"
MS = 1_000_000


def topic(name: str, type: str, role: str = "", latched: bool = False) -> Topic:
    return Topic(name, type, JAZZY.generate_msgdef(type, ros_version=2)[0], JAZZY.hash_rihs01(type), latched, role)


CAMERA = topic("/lens/image", IMAGE, "image")
CALIBRATION = topic("/lens/camera_info", INFO, "camera_info")
STATIC = topic("/tf_static", TF, "/tf_static", latched=True)
DEPTH_QUALITY = topic("/depth/quality", QUALITY, "depth/quality")


def header(frame: str, stamp_ns: int = T0) -> Any:
    stamp = JAZZY.types["builtin_interfaces/msg/Time"](sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
    return JAZZY.types["std_msgs/msg/Header"](stamp=stamp, frame_id=frame)


def image(number: int, at_ns: int, pixels: int = 1000, on: Topic = CAMERA, frame: str = "lens") -> Message:
    """An image of random bytes (so that no compression makes chunks small), its height the number."""
    data = np.random.default_rng(number).integers(0, 256, pixels, np.uint8)
    content = JAZZY.types[IMAGE](
        header=header(frame, at_ns), height=number, width=1, encoding="mono8", is_bigendian=0, step=1, data=data
    )
    return message(on, at_ns, content)


def message(on: Topic, at_ns: int, content: Any) -> Message:
    """Received a millisecond after it was published."""
    return Message(on, at_ns, at_ns - MS, bytes(JAZZY.serialize_cdr(content, on.type)))


def calibration(fx: float, at_ns: int) -> Message:
    roi = JAZZY.types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
    k = np.array([fx, 0, 3, 0, fx, 2, 0, 0, 1.0])
    content = JAZZY.types[INFO](
        header=header("lens", at_ns), height=4, width=6, distortion_model="plumb_bob", d=np.zeros(5), k=k,
        r=np.eye(3).ravel(), p=np.zeros(12), binning_x=0, binning_y=0, roi=roi,
    )  # fmt: skip
    return message(CALIBRATION, at_ns, content)


def static(child: str, at_ns: int) -> Message:
    """base → child, a metre ahead."""
    vector, turn = JAZZY.types["geometry_msgs/msg/Vector3"], JAZZY.types["geometry_msgs/msg/Quaternion"]
    transform = JAZZY.types["geometry_msgs/msg/Transform"](translation=vector(1.0, 0, 0), rotation=turn(0, 0, 0, 1.0))
    stamped = JAZZY.types["geometry_msgs/msg/TransformStamped"](
        header=header("base", at_ns), child_frame_id=child, transform=transform
    )
    return message(STATIC, at_ns, JAZZY.types[TF](transforms=[stamped]))


def quality(at_ns: int, **values: float) -> Message:
    types = JAZZY.types
    pairs = [types["diagnostic_msgs/msg/KeyValue"](key=key, value=f"{value:g}") for key, value in values.items()]
    status = types["diagnostic_msgs/msg/DiagnosticStatus"](
        level=0, name="depth: quality", message="", hardware_id="camera", values=pairs
    )
    return message(DEPTH_QUALITY, at_ns, types[QUALITY](header=header("lens", at_ns), status=[status]))


def read(path: Path) -> list[tuple[str, int, Any]]:
    """(topic, log time − T0, message) in log order, by rosbags' reader, which wants every end and index to be there."""
    with Reader(path) as reader:
        return [(c.topic, t - T0, JAZZY.deserialize_cdr(data, c.msgtype)) for c, t, data in reader.messages()]


def numbers(path: Path) -> list[int]:
    """Which images are in a recording, by rosbags."""
    return [message.height for name, _, message in read(path) if name == CAMERA.name]


def numbers_in_file(path: Path) -> list[int]:
    """Which images are in one file, by mcap's reader, every checksum compared."""
    with path.open("rb") as file:
        found = make_reader(file, validate_crcs=True).iter_messages([CAMERA.name])
        return [JAZZY.deserialize_cdr(message.data, IMAGE).height for _, _, message in found]


def names_in_file(path: Path) -> list[str]:
    """Topics of a file's messages in log order, by mcap's reader."""
    with path.open("rb") as file:
        return [channel.topic for _, channel, _ in make_reader(file, validate_crcs=True).iter_messages()]


def drive(count: int, pixels: int = 1000, every_ns: int = 33 * MS, first: int = 0) -> Iterable[Message]:
    """Images, numbered."""
    return (image(number, T0 + number * every_ns, pixels) for number in range(first, first + count))
