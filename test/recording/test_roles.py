"""Which topics are recorded."""

from __future__ import annotations

import pytest

from depth_perception.errors import ConfigError
from depth_perception.recording.config import HardConfig, RecorderConfig
from depth_perception.recording.roles import Selection

REMAPPED = {"image": "/cam/image_raw", "right/image": "/pair/right", "lidar/points": "/velodyne"}
IMAGE, INFO = ["sensor_msgs/msg/Image"], ["sensor_msgs/msg/CameraInfo"]


def resolve(name: str) -> str:
    return name if name.startswith("/") else REMAPPED.get(name, f"/robot/{name}")


def test_roles_are_the_nodes_own_topics_remapped() -> None:
    selection = Selection("camera lidar tf", "", "", False, resolve)
    existing = {"/cam/image_raw": IMAGE, "/velodyne": ["x/msg/Y"], "/tf_static": ["t"], "/robot/odom": ["o"]}
    found = {wanted.name: wanted.role for wanted in selection.among(existing)}
    assert found == {"/cam/image_raw": "image", "/velodyne": "lidar/points", "/tf_static": "/tf_static"}
    assert selection.missing(existing) == ["/robot/camera_info", "/robot/lidar/scan", "/tf"]


def test_a_picture_takes_its_calibration_along() -> None:
    existing = {
        "/cam/image_raw": IMAGE, "/cam/camera_info": INFO, "/other/camera_info": INFO,
        "/pair/left/compressed": ["sensor_msgs/msg/CompressedImage"], "/pair/camera_info": INFO, "/pair/left": ["text"],
    }  # fmt: skip
    names = [w.name for w in Selection("camera", "/pair/*/compressed", "", False, resolve).among(existing)]
    assert names == ["/cam/camera_info", "/cam/image_raw", "/pair/camera_info", "/pair/left/compressed"]


def test_compressed_images_instead() -> None:
    selection = Selection("camera", "", "", True, lambda name: f"/{name}")
    existing = {"/image": IMAGE, "/image/compressed": ["sensor_msgs/msg/CompressedImage"], "/camera_info": INFO}
    assert [(w.name, w.role) for w in selection.among(existing)] == [
        ("/camera_info", "camera_info"),
        ("/image/compressed", "image/compressed"),
    ]


def test_lists_patterns_and_exclusions() -> None:
    existing = {"/a/x": ["s"], "/a/y": ["s"], "/robot/b": ["s"], "/c": ["s", "t"]}
    selection = Selection("", "/a/* b, /c /d", "*/y", False, resolve)
    assert [(w.name, w.types) for w in selection.among(existing)] == [
        ("/a/x", ("s",)), ("/c", ("s", "t")), ("/robot/b", ("s",)),
    ]  # fmt: skip
    assert selection.missing(existing) == ["/d"]  # a pattern waits for nothing in particular


def test_options_that_cannot_be_meant() -> None:
    with pytest.raises(ConfigError, match=r"roles names \['radar'\]; roles are camera stereo"):
        RecorderConfig(roles="camera radar")
    with pytest.raises(ConfigError, match="name = 'a/b' can't be a folder's name"):
        RecorderConfig(name="a/b")
    with pytest.raises(ConfigError, match=r"hard\.enabled needs snapshot\.enabled"):
        RecorderConfig(hard=HardConfig(enabled=True))
