"""`convert` with sensors that measure the scale: which measurement an image gets, and what is said in the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import camera_bags as cam
import numpy as np
import pytest
from bags import recordings as rec
from bags.recordings import T0
from tiny_model import tiny_model

from depth_perception import messages
from depth_perception.bags import StaticTransform, open_bag
from depth_perception.bags.camera_topics import CameraTopics
from depth_perception.bags.transforms import tf_static_message, transform_tree
from depth_perception.bags.types import jazzy
from depth_perception.cli import main
from depth_perception.config import DepthConfig, from_flat
from depth_perception.convert import convert
from depth_perception.errors import BagError
from depth_perception.recorded_frames import RecordedFrame, RecordedFrames
from depth_perception.recorded_sensors import RecordedSensors, find_sensors, with_sensors

TYPES = messages.recorded(jazzy())
IMAGE = "/cam/image_rect"
MS = 1_000_000
WALL_M = 2.0  # the model says 1.0 of red 16
R_LENS_LIDAR = np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]])


def cloud(stamp_ns: int, distance: float = WALL_M) -> Any:
    """A wall ahead of a LiDAR (x forward, y left, z up)."""
    y, z = np.meshgrid(np.linspace(-1.2, 1.2, 60), np.linspace(-0.9, 0.9, 30))
    points = np.zeros(y.size, [("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("ring", "<u2")])
    points["x"], points["y"], points["z"] = distance, y.ravel(), z.ravel()
    points["ring"] = np.repeat(np.arange(30), 60)
    return messages.points_message(TYPES, points, stamp_ns, "lidar")


def chain() -> Any:
    """lens ← base ← lidar: the wall stands `distance` - 0.5 + 0.3 m from the lens if it is 0.3 m behind base_link."""
    T_base_lens, T_base_lidar = np.eye(4), np.eye(4)
    T_base_lens[:3, :3] = R_LENS_LIDAR.T
    T_base_lens[0, 3], T_base_lidar[0, 3] = -0.3, -0.5
    return tf_static_message(
        [StaticTransform("base_link", "lens", T_base_lens), StaticTransform("base_link", "lidar", T_base_lidar)]
    )


def recording(path: Path, reds: list[int], clouds_ms: list[int], delay_ms: int = 60, tf: bool = True) -> Path:
    """Images every 33 ms; clouds at these times, logged late, after younger images."""
    extra = [("/tf_static", T0, chain())] if tf else []
    extra += [("/velodyne", T0 + (at + delay_ms) * MS, cloud(T0 + at * MS)) for at in clouds_ms]
    return rec.rosbag2(path, sorted([*extra, *cam.camera_messages(reds)], key=lambda item: item[1]))


def config(tmp_path: Path, **more: Any) -> DepthConfig:
    model = tmp_path / "m.onnx"
    return from_flat({"model.path": str(tiny_model(model)), "engine.backend": "onnxruntime", **more})


def selections(bag: Path, config: DepthConfig) -> list[RecordedFrame]:
    with open_bag(bag) as opened:
        found = find_sensors(opened, {"lidar/points": "/velodyne"}, IMAGE)
        config = with_sensors(config, found)
        sensors = RecordedSensors(opened, found, config, transform_tree(opened).lookup, IMAGE)
        frames = RecordedFrames(opened, CameraTopics(IMAGE, "/cam/camera_info"), config, (), sensors)
        return [item for item in frames if isinstance(item, RecordedFrame)]


def test_each_image_gets_the_nearest_cloud_even_if_it_was_logged_later(tmp_path: Path) -> None:
    # Images at 0, 33, … 231 ms; clouds at 0, 100, 200 ms, logged 60 ms late. 49.5 ms would be the middle.
    frames = selections(recording(tmp_path / "in", [16] * 8, [0, 100, 200]), DepthConfig())
    at_ms = [(frame.selection.measurements[0].stamp_ns - T0) // MS for frame in frames]
    assert at_ms == [0, 0, 100, 100, 100, 200, 200, 200]
    stamps = [frame.frame.stamp_ns for frame in frames if frame.frame]
    assert stamps == [T0 + i * cam.STEP_NS for i in range(8)]


def test_images_are_not_held_for_a_sensor_that_is_gone(tmp_path: Path) -> None:
    frames = selections(recording(tmp_path / "in", [16] * 30, [0]), DepthConfig())
    used = [len(frame.selection.measurements) for frame in frames]
    assert used == [1] * 5 + [0] * 25  # 132 ms is within lidar.max_age_s = 0.15, 165 ms isn't
    assert "0.165 s older than the image" in frames[5].selection.warnings[0]


def test_the_wall_is_where_the_lidar_and_the_chain_of_transforms_say(tmp_path: Path) -> None:
    bag = recording(tmp_path / "in", [16, 32, 16], [0, 50, 100])
    outputs = ("depth/image", "depth/std", "depth/quality", "depth/anchors")
    summary = convert(
        bag, tmp_path / "out", config=config(tmp_path), sensors={"lidar/points": "/velodyne"}, outputs=outputs
    )
    assert summary.measured == {"lidar": 3} and summary.depth_images == 3 and len(summary.abs_rels) == 3
    assert summary.describe_scale().startswith("scale: lidar in 3 of 3 depth images; AbsRel 0.00")
    with open_bag(tmp_path / "out") as out:
        assert {name.lstrip("/") for name in out.topics} == {*outputs, "tf_static"}
        for _, _, message in out.messages(["/depth/image"]):
            np.testing.assert_allclose(messages.decode_image(message), WALL_M - 0.5 + 0.3, rtol=0.02)
        [*_, quality] = (message for _, _, message in out.messages(["/depth/quality"]))
    values = {pair.key: pair.value for pair in quality.status[0].values}
    assert quality.status[0].level == 0 and values["source"] == "lidar" and float(values["abs_rel"]) < 0.02


def test_the_command_line_wins_over_the_recordings_transforms(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bag, model = recording(tmp_path / "in", [16, 16], [0, 50]), str(tiny_model(tmp_path / "m.onnx"))
    common = ["convert", str(bag), "--model", model, "--backend", "onnxruntime", "--lidar", "/velodyne"]
    mounted = "-0.1 0 0.75 0.5 -0.5 0.5 0.5"
    assert main([*common, str(tmp_path / "a"), "--T-cam-lidar", mounted, "--std", "--anchors"]) == 0
    assert "scale: lidar in 2 of 2 depth images" in capsys.readouterr().out
    with open_bag(tmp_path / "a") as out:
        [first, *_] = (message for _, _, message in out.messages(["/depth/image"]))
        assert {"/depth/std", "/depth/quality", "/depth/anchors"} <= set(out.topics)
    np.testing.assert_allclose(messages.decode_image(first), WALL_M + 0.75, rtol=0.02)


def test_without_a_transform_there_are_no_metres_and_the_parameter_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bag, model = recording(tmp_path / "in", [16, 16], [0, 50], tf=False), str(tiny_model(tmp_path / "m.onnx"))
    assert main(["convert", str(bag), str(tmp_path / "out"), "--model", model, "--lidar", "/velodyne"]) == 1
    out = capsys.readouterr().out
    assert "warning: 2 × lidar: no transform from 'lidar' to 'lens'" in out and "lidar.T_cam_lidar" in out
    assert "without depth: 2 × no metric depth" in out


def test_sensors_topics_are_checked(tmp_path: Path) -> None:
    with open_bag(recording(tmp_path / "in", [16], [0])) as bag:
        with pytest.raises(BagError, match=r"'/nope' is nothing .* as lidar/points it must be one of \['/velodyne'\]"):
            find_sensors(bag, {"lidar/points": "/nope"}, IMAGE)
        with pytest.raises(BagError, match=r"is sensor_msgs/msg/PointCloud2 .* as lidar/scan"):
            find_sensors(bag, {"lidar/scan": "/velodyne"}, IMAGE)
        right = {"right/image": IMAGE, "right/camera_info": "/cam/camera_info"}
        assert find_sensors(bag, {"left/image": "/other", "right/image": IMAGE}, "/other") == right
        assert find_sensors(bag, {"left/image": IMAGE}, "/other")["left/camera_info"] == "/cam/camera_info"
        for eyes in ({"right/image": IMAGE}, {"left/image": IMAGE, "right/image": IMAGE}):
            with pytest.raises(BagError, match="'/cam/image_rect' can't be both eyes"):
                find_sensors(bag, eyes, IMAGE)


def test_exactly_the_sensors_with_a_topic_are_in_use() -> None:
    asked = from_flat({"laser.enabled": True, "lidar.max_age_s": 0.3})
    used = with_sensors(asked, {"lidar/points": "a", "right/image": "b", "odom": "c"})
    switches = (used.lidar, used.laser, used.stereo, used.odometry, used.imu)
    assert [group.enabled for group in switches] == [True, False, True, True, False]
    assert used.lidar.max_age_s == 0.3 and not used.stereo.separate_left


def test_warnings_that_differ_in_numbers_are_one(tmp_path: Path) -> None:
    bag = recording(tmp_path / "in", [16] * 30, [0])
    summary = convert(
        bag, tmp_path / "out", config=config(tmp_path, **{"scale.hold_s": 0.3}), sensors={"lidar/points": "/velodyne"}
    )
    stale = [loss for loss in summary.warned.values() if "older than the image" in loss.example]
    assert [loss.count for loss in stale] == [25] and "0.165 s" in stale[0].example
    assert summary.held > 0 and summary.lost["no metric depth"].count + summary.depth_images == 30
