"""The seven real recordings: read as rosbags reads them, and converted with nothing lost."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rosbags.highlevel import AnyReader
from tiny_model import tiny_model

from depth_perception import messages
from depth_perception.bags import open_bag
from depth_perception.config import DepthConfig, EngineConfig, ModelConfig
from depth_perception.convert import convert
from depth_perception.pipeline import Pipeline
from depth_perception.recorded_frames import RecordedFrame, RecordedFrames

CAMERAS = {
    "kitti_lidar": ("/camera/image_rect", 30),
    "kitti_lidar_compressed": ("/camera/image_rect/compressed", 30),
    "kitti_lidar_ros1.bag": ("/camera/image_rect", 10),
    "kitti_stereo": ("/stereo/left/image_rect", 51),
    "kitchen_rgbd": ("/camera/image", 40),
    "euroc_stereo": ("/stereo/left/image_raw", 8),
    "fisheye_vlp16": ("/camera/image", 3),
}


@pytest.fixture(scope="module")
def real_bags(shared_tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("real")
    script = shared_tools / "make_bags.py"
    subprocess.run([sys.executable, script, folder], check=True, stdout=subprocess.DEVNULL)
    return folder


@pytest.mark.parametrize("name", CAMERAS)
def test_reads_what_rosbags_reads(real_bags: Path, name: str) -> None:
    with AnyReader([real_bags / name]) as reader, open_bag(real_bags / name) as bag:
        expected = sorted((t, c.topic, bytes(data)) for c, t, data in reader.messages())
        found = [(raw.log_time_ns, raw.channel.topic, bytes(raw.data)) for raw in bag.raw()]
        assert sorted(found) == expected
        assert [t for t, _, _ in found] == sorted(t for t, _, _ in found)
        topics = {n: (t.msgtype, t.msgcount) for n, t in reader.topics.items()}
        assert {n: (t.type, t.count) for n, t in bag.topics.items()} == topics


@pytest.mark.parametrize("name", CAMERAS)
def test_every_image_gives_depth(real_bags: Path, tmp_path: Path, name: str) -> None:
    topic, count = CAMERAS[name]
    model = ModelConfig(str(tiny_model(tmp_path / "m.onnx")))
    config = DepthConfig(model=model, engine=EngineConfig(backend="onnxruntime"))
    summary = convert(real_bags / name, tmp_path / "out", config=config)
    assert (summary.image_topic, summary.depth_images, summary.lost) == (topic, count, {})
    with AnyReader([real_bags / name]) as reader:
        images = [c for c in reader.connections if c.topic == topic]
        headers = [reader.deserialize(data, c.msgtype).header for c, _, data in reader.messages(images)]
        has_tf = "/tf_static" in reader.topics
    stamps = [(messages.stamp_ns(header), header.frame_id) for header in headers]
    with open_bag(tmp_path / "out") as out:
        for output in ("/depth/image", "/depth/camera_info"):
            written = [m.message.header for m in out.messages([output])]
            assert [(messages.stamp_ns(header), header.frame_id) for header in written] == stamps
        assert ("/tf_static" in out.topics) == has_tf
        first = messages.decode_image(next(out.messages(["/depth/image"])).message)
        info = next(out.messages(["/depth/camera_info"])).message
    assert (info.height, info.width) == first.shape and not info.d.any()
    assert np.isfinite(first).mean() > 0.8
    without = first_depth(real_bags / name, topic, replace(config, rectify="never"))
    assert np.array_equal(first, without) == (name not in ("euroc_stereo", "fisheye_vlp16"))  # the distorted ones


def first_depth(path: Path, topic: str, config: DepthConfig) -> np.ndarray:
    from depth_perception.bags.camera_topics import find_camera

    with open_bag(path) as bag:
        item = next(iter(RecordedFrames(bag, find_camera(bag, topic), config)))
        assert isinstance(item, RecordedFrame) and item.frame is not None
        depth = Pipeline(config, topic).process(item.frame).depth
    assert depth is not None
    return depth
