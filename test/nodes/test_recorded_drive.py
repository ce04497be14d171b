"""One pipeline, two doors: a recorded drive through the live node over DDS and through `convert` gives the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ros_harness import Robot, running
from sensor_msgs.msg import CameraInfo, Image, PointCloud2

from depth_perception import messages
from depth_perception.bags import open_bag
from depth_perception.bags.transforms import quaternion, transform_tree
from depth_perception.config import DepthConfig, EngineConfig, from_flat
from depth_perception.convert import convert

FRAMES = 6


@pytest.fixture(scope="module")
def drive(shared_tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The KITTI drive as a rosbag that our code didn't write."""
    folder = tmp_path_factory.mktemp("bags")
    script = [sys.executable, str(shared_tools / "make_bags.py"), str(folder), "kitti_lidar"]
    subprocess.run(script, check=True, capture_output=True)
    return folder / "kitti_lidar"


def depth_by_stamp(folder: Path) -> dict[int, np.ndarray]:
    with open_bag(folder) as bag:
        return {
            messages.stamp_ns(m.header): messages.decode_image(m).copy() for _, _, m in bag.messages(["/depth/image"])
        }


def test_live_node_and_convert_agree_on_a_real_drive(robot: Robot, drive: Path, tmp_path: Path) -> None:
    config = DepthConfig(engine=EngineConfig(backend="onnxruntime"))
    convert(drive, tmp_path / "out", config=config)
    recorded = depth_by_stamp(tmp_path / "out")
    with open_bag(drive) as bag:
        topics = ("/camera/image_rect", "/camera/camera_info")
        raw = {topic: [bytes(bag.to_cdr(m)) for m in bag.raw([topic])][:FRAMES] for topic in topics}
        stamps = [messages.stamp_ns(m.header) for _, _, m in bag.messages([topics[0]])][:FRAMES]

    depth = robot.listen(Image, "depth/image")
    images = robot.node.create_publisher(Image, "camera/image_rect", 5)
    infos = robot.node.create_publisher(CameraInfo, "camera/camera_info", 5)
    remap = ("-r", "image:=camera/image_rect", "-r", "camera_info:=camera/camera_info")
    with running("depth_perception.nodes.depth_node", {"engine.backend": "onnxruntime"}, remap):
        robot.until(lambda: images.get_subscription_count() and infos.get_subscription_count(), "subscription")
        robot.until(lambda: robot.node.count_publishers("depth/image"), "depth publisher")

        def has(stamp: int) -> bool:
            return any(messages.stamp_ns(m.header) == stamp for m in depth)

        for stamp, image, info in zip(stamps, raw[topics[0]], raw[topics[1]], strict=True):
            send = lambda info=info, image=image: (infos.publish(info), images.publish(image))  # noqa: E731
            robot.send_until(send, lambda stamp=stamp: has(stamp), f"depth of {stamp}")
    assert len(recorded) == 30 and len(stamps) == FRAMES
    for message in depth:
        stamp = messages.stamp_ns(message.header)
        assert message.header.frame_id == "camera_optical" and (message.height, message.width) == (375, 1242)
        np.testing.assert_array_equal(messages.decode_image(message), recorded[stamp])


def test_live_node_and_convert_agree_with_a_lidar(robot: Robot, drive: Path, tmp_path: Path) -> None:
    """Each image with its own cloud, and again until both have come; so no frame may remember an earlier one."""
    forgetful = {"scale.time_constant_s": 0.0, "scale.max_jump": 10.0, "scale.min_inlier_share": 0.1}
    forgetful |= {"scale.hold_s": 0.0, "lidar.max_age_s": 0.05}  # a cloud of the image before is 0.1 s old
    config = from_flat({"engine.backend": "onnxruntime", **forgetful})
    summary = convert(drive, tmp_path / "out", config=config, sensors={"lidar/points": "/lidar/points"})
    assert summary.measured == {"lidar": 30} and summary.held == 0
    recorded = depth_by_stamp(tmp_path / "out")
    topics = {
        "/camera/camera_info": robot.node.create_publisher(CameraInfo, "camera/camera_info", 5),  # the image goes last
        "/lidar/points": robot.node.create_publisher(PointCloud2, "velodyne/points", 5),
        "/camera/image_rect": robot.node.create_publisher(Image, "camera/image_rect", 5),
    }
    with open_bag(drive) as bag:
        T_cam_lidar = transform_tree(bag).lookup("camera_optical", "lidar")
        raw = {topic: [bytes(bag.to_cdr(m)) for m in bag.raw([topic])][:FRAMES] for topic in topics}
        stamps = [messages.stamp_ns(m.header) for _, _, m in bag.messages(["/camera/image_rect"])][:FRAMES]
    depth, text = robot.listen(Image, "depth/image"), " ".join(map(repr, T_cam_lidar[:3, 3].tolist()))
    text += " " + " ".join(map(repr, quaternion(T_cam_lidar[:3, :3])))
    given = {"engine.backend": "onnxruntime", "lidar.enabled": True, **forgetful}
    remap = ("-r", "image:=camera/image_rect", "-r", "camera_info:=camera/camera_info")
    remap += ("-r", "lidar/points:=velodyne/points")
    with running("depth_perception.nodes.depth_node", {**given, "lidar.T_cam_lidar": f'"{text}"'}, remap):
        robot.until(lambda: all(p.get_subscription_count() for p in topics.values()), "subscription")
        robot.until(lambda: robot.node.count_publishers("depth/image"), "depth publisher")

        def measured() -> dict[int, np.ndarray]:
            images = {messages.stamp_ns(m.header): messages.decode_image(m) for m in depth}
            return {stamp: image for stamp, image in images.items() if np.isfinite(image).any()}

        for number, stamp in enumerate(stamps):

            def send(number: int = number) -> None:
                for topic, publisher in topics.items():
                    publisher.publish(raw[topic][number])

            robot.send_until(send, lambda s=stamp: s in measured(), f"depth at {stamp}")
    compared = measured()
    assert set(compared) == set(stamps)
    for stamp, live in compared.items():
        np.testing.assert_allclose(live, recorded[stamp], rtol=1e-4)
