"""Which topics are the camera, and when to ask rather than guess."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from depth_perception.bags import open_bag
from depth_perception.bags.camera_topics import CameraTopics, find_camera
from depth_perception.errors import BagError

from . import recordings as rec
from .recordings import JAZZY, T0, image

INFO = "sensor_msgs/msg/CameraInfo"


def info() -> Any:
    roi = JAZZY.types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
    zeros = np.zeros
    return JAZZY.types[INFO](
        rec.header(JAZZY, T0), 6, 8, "plumb_bob", zeros(5), zeros(9), zeros(9), zeros(12), 0, 0, roi
    )


def compressed(text: str = "rgb8; jpeg compressed bgr8") -> Any:
    return JAZZY.types["sensor_msgs/msg/CompressedImage"](rec.header(JAZZY, T0), text, np.zeros(4, np.uint8))


def find(tmp_path: Path, topics: dict[str, Any], **asked: Any) -> CameraTopics:
    with open_bag(rec.rosbag2(tmp_path / "bag", [(name, T0, message) for name, message in topics.items()])) as bag:
        return find_camera(bag, **asked)


def test_the_only_picture_and_its_neighbour(tmp_path: Path) -> None:
    topics = {
        "/cam/image_raw": image(0), "/cam/camera_info": info(), "/other/camera_info": info(),
        "/cam/depth": image(0, encoding="16UC1"), "/cam/disparity": image(0, encoding="32FC1"),
        "/tf_static": rec.tf_static(),
        "/cam/depth/compressed": compressed("16UC1; compressedDepth"), "/depth/preview": image(0),
    }  # fmt: skip
    assert find(tmp_path, topics) == CameraTopics("/cam/image_raw", "/cam/camera_info", ())


def test_compressed_picture_has_its_neighbour_one_level_up(tmp_path: Path) -> None:
    topics = {"/cam/image/compressed": compressed(), "/cam/camera_info": info(), "/b/camera_info": info()}
    assert find(tmp_path, topics) == CameraTopics("/cam/image/compressed", "/cam/camera_info", ())


def test_raw_is_preferred_to_its_compressed_copy(tmp_path: Path) -> None:
    found = find(tmp_path, {"/image": image(0), "/image/compressed": compressed(), "/camera_info": info()})
    assert (found.image, found.camera_info) == ("/image", "/camera_info")
    assert found.notes == ("raw image preferred to /image/compressed",)


def test_left_of_a_stereo_pair(tmp_path: Path) -> None:
    topics = {
        f"/stereo/{s}/{t}": image(0) if t == "image" else info()
        for s in ("right", "left")
        for t in ("image", "camera_info")
    }
    found = find(tmp_path, topics)
    assert (found.image, found.camera_info) == ("/stereo/left/image", "/stereo/left/camera_info")
    assert found.notes == ("stereo pair: /stereo/left/image taken, /stereo/right/image left out",)


def test_a_right_eye_in_use_is_no_candidate_and_not_said_to_be_left_out(tmp_path: Path) -> None:
    topics = {f"/stereo/{s}/{t}": image(0) if t == "image" else info() for s in ("right", "left")
              for t in ("image", "camera_info")}  # fmt: skip
    found = find(tmp_path / "two", topics, others=["/stereo/right/image"])
    assert found == CameraTopics("/stereo/left/image", "/stereo/left/camera_info", ())
    odd = {"/front": image(0), "/left": image(0), "/right": image(0), "/camera_info": info()}
    assert find(tmp_path / "three", odd, others=["/left", "/right"]).image == "/front"
    with pytest.raises(BagError, match=r"no camera image beside \['/front'\]; its topics"):
        find(tmp_path / "one", {"/front": image(0)}, others=["/front"])


def test_lone_camera_info_elsewhere_is_taken_and_said(tmp_path: Path) -> None:
    found = find(tmp_path, {"/a/image": image(0), "/calibration": info()})
    assert found.camera_info == "/calibration" and "only camera_info" in found.notes[0]


def test_no_camera_info(tmp_path: Path) -> None:
    found = find(tmp_path, {"/image": image(0)})
    assert found.camera_info is None and found.notes == ("no camera_info in the recording",)


@pytest.mark.parametrize(
    ("topics", "message"),
    [
        ({"/a": image(0), "/b": image(0)}, r"several image topics, \['/a', '/b'\]: choose one \(--image TOPIC\)"),
        (
            {"/a/i": image(0), "/b/camera_info": info(), "/c/camera_info": info()},
            r"'/b/camera_info', '/c/camera_info'.*--camera-info",
        ),
        ({"/d": image(0, encoding="16UC1")}, r"no camera image \(depth only: \['/d'\]\)"),
        ({"/tf_static": rec.tf_static()}, r"no camera image; its topics: /tf_static \(tf2_msgs/msg/TFMessage, 1\)"),
    ],
)
def test_what_can_not_be_told_is_asked(tmp_path: Path, topics: dict[str, Any], message: str) -> None:
    with pytest.raises(BagError, match=message):
        find(tmp_path, topics)


def test_asking_settles_it(tmp_path: Path) -> None:
    topics = {"/a": image(0), "/b": image(0), "/x/camera_info": info(), "/y/camera_info": info()}
    assert find(tmp_path, topics, image="/b", camera_info="/y/camera_info") == CameraTopics("/b", "/y/camera_info")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"image": "/c"}, r"'/c' isn't there.*it holds \['/a'\]"),
        ({"image": "/camera_info"}, r"'/camera_info' is sensor_msgs/msg/CameraInfo with 1 messages.*it holds \['/a'\]"),
        ({"camera_info": "/a"}, r"'/a' is sensor_msgs/msg/Image.*it holds \['/camera_info'\]"),
    ],
)
def test_asking_for_the_wrong_thing(tmp_path: Path, asked: dict[str, str], message: str) -> None:
    with pytest.raises(BagError, match=message):
        find(tmp_path, {"/a": image(0), "/camera_info": info()}, **asked)
