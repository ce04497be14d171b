"""Message types: definitions that the recording holds, ones that we know, ROS 1's layout, and damaged messages."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mcap.writer import Writer

from depth_perception.bags import Topic, open_bag
from depth_perception.errors import MessageError

from . import recordings as rec
from .recordings import JAZZY, T0, image


def test_ros1_message_becomes_the_bytes_that_ros2_would_have_recorded(tmp_path: Path) -> None:
    info = rec.NOETIC.types["sensor_msgs/msg/CameraInfo"]
    roi = rec.NOETIC.types["sensor_msgs/msg/RegionOfInterest"](1, 2, 3, 4, True)
    K, R, P = np.arange(9.0), np.arange(9.0) + 10, np.arange(12.0) + 20
    message = info(rec.header(rec.NOETIC, T0), 480, 640, "plumb_bob", np.arange(5.0), K, R, P, 2, 3, roi)
    with open_bag(rec.rosbag1(tmp_path / "a.bag", [("/info", T0, message)])) as bag:
        raw = next(bag.raw())
        np.testing.assert_array_equal(bag.decode(raw).K, K)  # ROS 1 spells it so
        ours = JAZZY.deserialize_cdr(bag.to_cdr(raw), "sensor_msgs/msg/CameraInfo")
        assert (ours.header.frame_id, ours.height, ours.width, ours.binning_y) == ("camera", 480, 640, 3)
        np.testing.assert_array_equal(ours.p, P)
        assert ours.roi.do_rectify
        channel = bag.ros2_channel("/info")
        assert (
            channel is not None
            and channel.definition == JAZZY.generate_msgdef("sensor_msgs/msg/CameraInfo", ros_version=2)[0]
        )


def test_type_that_only_the_recording_knows(tmp_path: Path) -> None:
    definition = "float32 volts\nstd_msgs/Header header\n" + "=" * 80 + "\nMSG: std_msgs/Header\n"
    definition += "builtin_interfaces/Time stamp\nstring frame_id\n"
    with (tmp_path / "a.mcap").open("wb") as file:
        writer = Writer(file)
        writer.start(profile="ros2")
        schema = writer.register_schema("robot/msg/Battery", "ros2msg", definition.encode())
        known = writer.register_channel("/battery", "cdr", schema)
        nameless = writer.register_channel("/odd", "protobuf", writer.register_schema("Odd", "protobuf", b""))
        data = b"\0\1\0\0" + np.float32(12.5).tobytes() + bytes(8) + b"\2\0\0\0c\0"
        writer.add_message(known, T0, data, T0)
        writer.add_message(nameless, T0 + 1, b"?", T0 + 1)
        writer.finish()
    with open_bag(tmp_path / "a.mcap") as bag:
        battery = next(bag.messages(["/battery"])).message
        assert (battery.volts, battery.header.frame_id) == (12.5, "c")
        with pytest.raises(MessageError, match="'protobuf' encoding"):
            next(bag.messages(["/odd"]))


def test_definitions_in_idl(tmp_path: Path) -> None:
    rule = "=" * 80 + "\n"
    idl = f"{rule}IDL: robot/msg/Battery\nmodule robot {{ module msg {{ struct Battery {{ float volts; }}; }}; }};\n"
    with (tmp_path / "a.mcap").open("wb") as file:
        writer = Writer(file)
        writer.start(profile="ros2")
        channel = writer.register_channel(
            "/battery", "cdr", writer.register_schema("robot/msg/Battery", "ros2idl", idl.encode())
        )
        writer.add_message(channel, T0, b"\0\1\0\0" + np.float32(3.5).tobytes(), T0)
        writer.finish()
    assert next(open_bag(tmp_path / "a.mcap").messages()).message.volts == 3.5


def test_recording_without_definitions_falls_back_on_those_of_ros2(tmp_path: Path) -> None:
    with (tmp_path / "a.mcap").open("wb") as file:
        writer = Writer(file)
        writer.start(profile="ros2")
        channel = writer.register_channel("/image", "cdr", writer.register_schema(rec.IMAGE, "", b""))
        writer.add_message(channel, T0, bytes(JAZZY.serialize_cdr(image(9), rec.IMAGE)), T0)
        writer.finish()
    assert rec.values(open_bag(tmp_path / "a.mcap")) == [9]


def test_ros1_messages_inside_mcap(tmp_path: Path) -> None:
    definition, _ = rec.NOETIC.generate_msgdef(rec.IMAGE)
    with (tmp_path / "a.mcap").open("wb") as file:
        writer = Writer(file)
        writer.start(profile="ros1")
        channel = writer.register_channel(
            "/image", "ros1", writer.register_schema("sensor_msgs/Image", "ros1msg", definition.encode())
        )
        writer.add_message(channel, T0, bytes(rec.NOETIC.serialize_ros1(image(9, T0, rec.NOETIC), rec.IMAGE)), T0)
        writer.finish()
    with open_bag(tmp_path / "a.mcap") as bag:
        assert bag.topics == {"/image": Topic(rec.IMAGE, 1)}
        assert rec.values(bag) == [9]


def test_one_damaged_message_does_not_end_the_reading(tmp_path: Path) -> None:
    good = bytes(JAZZY.serialize_cdr(image(1), rec.IMAGE))
    definition, _ = JAZZY.generate_msgdef(rec.IMAGE, ros_version=2)
    with (tmp_path / "a.mcap").open("wb") as file:
        writer = Writer(file)
        writer.start(profile="ros2")
        channel = writer.register_channel(
            "/image", "cdr", writer.register_schema(rec.IMAGE, "ros2msg", definition.encode())
        )
        for i, data in enumerate([good, good[:50], b"", good]):
            writer.add_message(channel, T0 + i, data, T0 + i)
        writer.finish()
    with open_bag(tmp_path / "a.mcap") as bag:
        outcomes = []
        for raw in bag.raw(["/image"]):
            try:
                outcomes.append(int(bag.decode(raw).data[0]))
            except MessageError as error:
                assert "/image" in str(error)
                outcomes.append(-1)
        assert outcomes == [1, -1, -1, 1]
