"""Small recordings written by rosbags' and mcap's own writers, so that ours isn't tested against itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from mcap.writer import CompressionType, IndexType
from mcap.writer import Writer as McapWriter
from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime
from rosbags.rosbag1 import Writer as Ros1Writer
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin
from rosbags.rosbag2 import Writer as Ros2Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

JAZZY = get_typestore(Stores.ROS2_JAZZY)
NOETIC = get_typestore(Stores.ROS1_NOETIC)
NOETIC.register(get_types_from_msg("geometry_msgs/TransformStamped[] transforms", "tf2_msgs/msg/TFMessage"))
T0 = 1_700_000_000 * 10**9
IMAGE = "sensor_msgs/msg/Image"
LATCHED = Qos(
    QosHistory.KEEP_LAST, 1, QosReliability.RELIABLE, QosDurability.TRANSIENT_LOCAL, QosTime(0, 0), QosTime(0, 0),
    QosLiveliness.AUTOMATIC, QosTime(0, 0), False,
)  # fmt: skip


def header(store: Any, stamp_ns: int, frame: str = "camera") -> Any:
    stamp = store.types["builtin_interfaces/msg/Time"](sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
    extra = {"seq": 7} if store is NOETIC else {}
    return store.types["std_msgs/msg/Header"](stamp=stamp, frame_id=frame, **extra)


def image(
    value: int, stamp_ns: int = T0, store: Any = JAZZY, size: tuple[int, int] = (6, 8), encoding: str = "rgb8"
) -> Any:
    """An image whose every byte is `value`."""
    height, width = size
    return store.types[IMAGE](
        header=header(store, stamp_ns), height=height, width=width, encoding=encoding, is_bigendian=0, step=3 * width,
        data=np.full(3 * height * width, value, np.uint8),
    )  # fmt: skip


def tf_static(store: Any = JAZZY) -> Any:
    types = store.types
    transform = types["geometry_msgs/msg/Transform"](
        translation=types["geometry_msgs/msg/Vector3"](1.0, 2.0, 3.0),
        rotation=types["geometry_msgs/msg/Quaternion"](0.0, 0.0, 0.0, 1.0),
    )
    stamped = types["geometry_msgs/msg/TransformStamped"](
        header=header(store, T0, "base"), child_frame_id="camera", transform=transform
    )
    return types["tf2_msgs/msg/TFMessage"](transforms=[stamped])


def rosbag2(
    path: Path,
    messages: list[tuple[str, int, Any]],
    plugin: StoragePlugin = StoragePlugin.MCAP,
    mode: CompressionMode = CompressionMode.NONE,
) -> Path:
    """(topic, log time, Jazzy message) → a rosbag2 folder. `/tf_static` is latched."""
    writer = Ros2Writer(path, version=9, storage_plugin=plugin)
    if mode is not CompressionMode.NONE:
        writer.set_compression(mode, CompressionFormat.ZSTD)
    connections: dict[str, Any] = {}
    with writer:
        for topic, log_time_ns, message in messages:
            name = message.__msgtype__
            if topic not in connections:
                qos = [LATCHED] if topic == "/tf_static" else []
                connections[topic] = writer.add_connection(topic, name, typestore=JAZZY, offered_qos_profiles=qos)
            writer.write(connections[topic], log_time_ns, JAZZY.serialize_cdr(message, name))
    return path


def rosbag1(path: Path, messages: list[tuple[str, int, Any]]) -> Path:
    """(topic, log time, Noetic message) → a ROS 1 bag. `/tf_static` is latched."""
    connections: dict[str, Any] = {}
    with Ros1Writer(path) as writer:
        for topic, log_time_ns, message in messages:
            name = message.__msgtype__
            if topic not in connections:
                latching = 1 if topic == "/tf_static" else None
                connections[topic] = writer.add_connection(topic, name, typestore=NOETIC, latching=latching)
            writer.write(connections[topic], log_time_ns, NOETIC.serialize_ros1(message, name))
    return path


def mcap(
    path: Path,
    images: list[tuple[int, int]],
    compression: CompressionType = CompressionType.NONE,
    chunk_size: int = 400,
    chunked: bool = True,
    index: IndexType = IndexType.ALL,
    **options: Any,
) -> Path:
    """(log time, value) → a bare MCAP file with one image of `value` each on /image; two images fit into a chunk."""
    definition, _ = JAZZY.generate_msgdef(IMAGE, ros_version=2)
    with path.open("wb") as file:
        writer = McapWriter(file, chunk_size, compression, index, use_chunking=chunked, **options)
        writer.start(profile="ros2")
        schema = writer.register_schema(IMAGE, "ros2msg", definition.encode())
        channel = writer.register_channel("/image", "cdr", schema)
        for log_time_ns, value in images:
            data = bytes(JAZZY.serialize_cdr(image(value, log_time_ns), IMAGE))
            writer.add_message(channel, log_time_ns, data, log_time_ns)
        writer.finish()
    return path


def values(bag: Any, topics: list[str] | None = None) -> list[int]:
    """The first byte of every image, in the order read."""
    return [int(message.message.data[0]) for message in bag.messages(topics)]
