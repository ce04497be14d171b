"""`/tf_static` of recordings of every kind."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from rosbags.rosbag1 import Writer as Ros1Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from depth_perception.bags import StaticTransform, open_bag, tf_static_message
from depth_perception.bags.transforms import transform_tree
from depth_perception.extrinsics import parse_transform

from .recordings import JAZZY, NOETIC, T0, image, rosbag1, rosbag2, tf_static


def test_ros2(tmp_path: Path) -> None:
    with open_bag(rosbag2(tmp_path / "bag", [("/tf_static", T0, tf_static()), ("/image", T0, image(1))])) as bag:
        np.testing.assert_allclose(transform_tree(bag).lookup("base", "camera")[:3, 3], [1, 2, 3])


def test_ros1(tmp_path: Path) -> None:
    path = rosbag1(tmp_path / "a.bag", [("/tf_static", T0, tf_static(NOETIC))])
    with open_bag(path) as bag:
        np.testing.assert_allclose(transform_tree(bag).lookup("base", "camera")[:3, 3], [1, 2, 3])


def test_the_type_of_old_ros1(tmp_path: Path) -> None:
    store = get_typestore(Stores.ROS1_NOETIC)
    store.register(get_types_from_msg("geometry_msgs/TransformStamped[] transforms", "tf/msg/tfMessage"))
    message = store.types["tf/msg/tfMessage"](transforms=tf_static(NOETIC).transforms)
    with Ros1Writer(tmp_path / "a.bag") as writer:
        connection = writer.add_connection("/tf_static", "tf/msg/tfMessage", typestore=store)
        writer.write(connection, T0, store.serialize_ros1(message, "tf/msg/tfMessage"))
    with open_bag(tmp_path / "a.bag") as bag:
        np.testing.assert_allclose(transform_tree(bag).lookup("base", "camera")[:3, 3], [1, 2, 3])


def test_several_messages_make_one_tree_with_rotations(tmp_path: Path) -> None:
    first, second = parse_transform("1 2 3 0.1 0.2 0.3"), parse_transform("0 0.5 0 -0.5 0.5 -0.5 0.5")
    messages = [
        ("/tf_static", T0 + i, tf_static_message([StaticTransform(*names, T)]))
        for i, (names, T) in enumerate([(("lidar", "camera"), second), (("base_link", "lidar"), first)])
    ]
    with open_bag(rosbag2(tmp_path / "bag", messages)) as bag:
        np.testing.assert_allclose(transform_tree(bag).lookup("base_link", "camera"), first @ second, atol=1e-12)


def test_without_the_topic_the_tree_is_empty(tmp_path: Path) -> None:
    with open_bag(rosbag2(tmp_path / "bag", [("/image", T0, image(1))])) as bag:
        assert transform_tree(bag).frames == ()


def test_a_transform_never_filled_in_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    message = tf_static_message([StaticTransform("base", a, np.eye(4)) for a in ("camera", "radar")])
    message.transforms[1].transform.rotation = JAZZY.types["geometry_msgs/msg/Quaternion"](0.0, 0.0, 0.0, 0.0)
    with open_bag(rosbag2(tmp_path / "bag", [("/tf_static", T0, message)])) as bag, caplog.at_level(logging.WARNING):
        assert transform_tree(bag).frames == ("base", "camera")
    assert "base -> radar on /tf_static is left out" in caplog.text
