"""The simulated robot as a process: what its topics carry, and that they belong together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from nav_msgs.msg import Odometry
from ros_harness import Process, Robot, running
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image, LaserScan, PointCloud2

from depth_perception import messages
from depth_perception.sim.parameters import SimulatorConfig
from depth_perception.sim.sensor_messages import static_transforms

pytest.importorskip("mujoco", reason="mujoco is not installed: pip install 'depth_perception[sim]'")
NODE = "depth_perception.nodes.simulator_node"
SMALL = {"seed": 3, "kind": "room", "drive_s": 1.0, "rate": 5.0, "height": 96, "width": 128, "lidar_beams": 8}


def test_every_sensor_of_the_robot_is_heard_and_agrees(robot: Robot) -> None:
    kinds = {
        "camera/image": Image, "camera/camera_info": CameraInfo, "right/image": Image, "right/camera_info": CameraInfo,
        "truth/depth": Image, "lidar/points": PointCloud2, "lidar/scan": LaserScan, "odom": Odometry, "/clock": Clock,
    }  # fmt: skip
    heard = {topic: robot.listen(kind, topic, 50) for topic, kind in kinds.items()}
    with running(NODE, SMALL) as node:
        robot.until(lambda: all(heard.values()), "every topic", 120.0)
        robot.until(lambda: len(heard["camera/image"]) > 12, "more than one way of the drive")
        code, output = node.finish()
    assert code == 0 and "Traceback" not in output, output
    stamps = [messages.stamp_ns(m.header) for m in heard["camera/image"]]
    assert stamps == sorted(set(stamps)) and np.allclose(np.diff(stamps), 2e8)
    truth = {messages.stamp_ns(m.header): m for m in heard["truth/depth"]}
    image = next(m for m in heard["camera/image"] if messages.stamp_ns(m.header) in truth)
    depth = messages.decode_depth(truth[messages.stamp_ns(image.header)])
    assert depth.shape == (96, 128) and np.nanmin(depth) > 0.05
    camera = messages.decode_camera_info(heard["camera/camera_info"][0])
    right = messages.decode_camera_info(heard["right/camera_info"][0])
    assert camera.fx == pytest.approx(64 / np.tan(np.deg2rad(34.5)))
    assert right.P[0, 3] == pytest.approx(-camera.fx * 0.12)
    assert heard["odom"][0].header.frame_id == "odom" and heard["odom"][0].child_frame_id == "base_link"


def test_lidar_points_lie_on_the_true_depth(robot: Robot) -> None:
    clouds, truth = robot.listen(PointCloud2, "lidar/points", 50), robot.listen(Image, "truth/depth", 50)
    infos = robot.listen(CameraInfo, "camera/camera_info", 50)
    with running(NODE, SMALL):
        robot.until(lambda: len(clouds) > 4 and len(truth) > 4 and infos, "LiDAR and truth", 120.0)
    T = {t.child: t.T_parent_child for t in static_transforms(SimulatorConfig(**SMALL).sim_config())}
    T_camera_lidar = np.linalg.inv(T["left_optical"]) @ T["lidar"]
    camera = messages.decode_camera_info(infos[0])
    errors = []
    for image in truth:
        stamp = messages.stamp_ns(image.header)
        cloud = min(clouds, key=lambda c: abs(messages.stamp_ns(c.header) - stamp))
        points = messages.cloud_xyz(cloud) @ T_camera_lidar[:3, :3].T + T_camera_lidar[:3, 3]
        uv = camera.project(points)
        with np.errstate(invalid="ignore"):
            inside = (uv[:, 0] >= 0) & (uv[:, 0] <= 127) & (uv[:, 1] >= 0) & (uv[:, 1] <= 95)
        u, v = np.rint(uv[inside]).astype(int).T
        errors.append(np.abs(messages.decode_depth(image)[v, u] / points[inside, 2] - 1))
    share = np.mean(np.concatenate(errors) < 0.1)
    assert share > 0.7, f"only {share:.2f} of the LiDAR points lie within 10 % of the depth image"


def test_a_wrong_kind_of_world_ends_with_the_reason(tmp_path: Path) -> None:
    code, output = Process(NODE, {**SMALL, "kind": "moon"}).wait()
    assert code == 1 and "moon" in output and "Traceback" not in output, output
