"""`convert`: every frame through the live node's pipeline, into a rosbag2 that others read."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import camera_bags as cam
import numpy as np
import pytest
from bags import recordings as rec
from bags.recordings import JAZZY, T0
from rosbags.rosbag2 import Reader, StoragePlugin
from tiny_model import tiny_model

from depth_perception import messages
from depth_perception.config import DepthConfig, EngineConfig, ModelConfig
from depth_perception.convert import convert
from depth_perception.errors import BagError, ModelError
from depth_perception.pipeline import Pipeline
from depth_perception.records import DepthKind, Frame

REDS = [10, 60, 110, 160, 210]


@pytest.fixture
def config(tmp_path: Path) -> DepthConfig:
    return DepthConfig(
        model=ModelConfig(str(tiny_model(tmp_path / "m.onnx"))), engine=EngineConfig(backend="onnxruntime")
    )


def config_of(model: Path, **changes: Any) -> DepthConfig:
    return DepthConfig(model=ModelConfig(str(model)), engine=EngineConfig(backend="onnxruntime"), **changes)


def outputs(path: Path) -> dict[str, list[tuple[int, Any]]]:
    """Topic → (log time, message), by rosbags' own reader."""
    found: dict[str, list[tuple[int, Any]]] = {}
    with Reader(path) as reader:
        for connection, log_time_ns, data in reader.messages():
            message = JAZZY.deserialize_cdr(data, connection.msgtype)
            found.setdefault(connection.topic, []).append((log_time_ns, message))
    return found


def depths(path: Path) -> list[np.ndarray]:
    return [messages.decode_image(message) for _, message in outputs(path)["/depth/image"]]


def test_depth_of_every_image_with_its_stamp_frame_and_calibration(tmp_path: Path, config: DepthConfig) -> None:
    bag = cam.camera_bag(tmp_path / "in", REDS, [("/tf_static", T0, rec.tf_static())])
    done: list[tuple[int, int]] = []
    summary = convert(bag, tmp_path / "out", config=config, progress=lambda *counts: done.append(counts))
    assert (summary.images, summary.depth_images, summary.lost, summary.problems) == (5, 5, {}, [])
    assert (summary.image_topic, summary.camera_info_topic) == ("/cam/image_rect", "/cam/camera_info")
    assert done == [(i, 5) for i in range(1, 6)]
    found = outputs(tmp_path / "out")
    assert set(found) == {"/depth/image", "/depth/camera_info", "/tf_static"}
    for i, red in enumerate(REDS):
        stamp = T0 + i * cam.STEP_NS
        for topic in ("/depth/image", "/depth/camera_info"):
            log_time_ns, message = found[topic][i]
            assert log_time_ns == stamp + 20_000_000
            assert (messages.stamp_ns(message.header), message.header.frame_id) == (stamp, "lens")
        image, info = found["/depth/image"][i][1], found["/depth/camera_info"][i][1]
        assert (image.encoding, image.height, image.width) == ("32FC1", cam.HEIGHT, cam.WIDTH)
        np.testing.assert_allclose(messages.decode_image(image), cam.expected_depth(red), rtol=1e-5)
        np.testing.assert_array_equal(info.k.reshape(3, 3), cam.K)


def test_same_numbers_as_the_pipeline_of_the_live_node(tmp_path: Path, config: DepthConfig) -> None:
    """One bag through both doors: exactly equal, with rectification."""
    lens = (0.2, -0.1, 0.001, 0.002, 0.0)
    recorded = []
    for i, red in enumerate(REDS):
        stamp = T0 + i * cam.STEP_NS
        recorded.append(("/cam/image_raw", stamp, cam.image_message(cam.picture(red), stamp)))
        recorded.append(("/cam/camera_info", stamp, cam.info_message(stamp, D=lens)))
    convert(rec.rosbag2(tmp_path / "in", recorded), tmp_path / "out", config=config)
    pipeline = Pipeline(config, "/cam/image_raw")
    camera = messages.decode_camera_info(recorded[1][2])
    for (_, _, message), found in zip(recorded[::2], depths(tmp_path / "out"), strict=True):
        frame = Frame(messages.decode_rgb(message), messages.stamp_ns(message.header), "lens", camera)
        np.testing.assert_array_equal(found, pipeline.process(frame).depth)
    info = outputs(tmp_path / "out")["/depth/camera_info"][0][1]
    assert not info.d.any()


def test_each_image_is_scaled_by_the_camera_info_of_its_own_stamp(tmp_path: Path, config: DepthConfig) -> None:
    """The zoom changes with every image and each info is recorded after its image, so 'the latest' would be wrong."""
    recorded, focal = [], [200.0, 300.0, 150.0]
    for i, fx in enumerate(focal):
        stamp = T0 + i * cam.STEP_NS
        K = cam.K.copy()
        K[0, 0] = fx
        recorded.append(("/cam/image_rect", stamp + 20, cam.image_message(cam.picture(64), stamp)))
        recorded.append(("/cam/camera_info", stamp + 30, cam.info_message(stamp, K)))
    convert(rec.rosbag2(tmp_path / "in", recorded), tmp_path / "out", config=config)
    for fx, depth in zip(focal, depths(tmp_path / "out"), strict=True):
        np.testing.assert_allclose(depth, cam.expected_depth(64, fx), rtol=1e-5)


def test_image_size_may_change_midway(tmp_path: Path, config: DepthConfig) -> None:
    recorded, sizes = [], [(120, 160), (60, 80), (90, 200), (120, 160)]
    for i, (height, width) in enumerate(sizes):
        stamp = T0 + i * cam.STEP_NS
        recorded.append(("/cam/image_rect", stamp, cam.image_message(cam.picture(64, height, width), stamp)))
        recorded.append(("/cam/camera_info", stamp, cam.info_message(stamp, size=(height, width))))
    summary = convert(rec.rosbag2(tmp_path / "in", recorded), tmp_path / "out", config=config)
    assert summary.depth_images == 4
    found = depths(tmp_path / "out")
    assert [depth.shape for depth in found] == sizes
    for depth, (_, width) in zip(found, sizes, strict=True):
        np.testing.assert_allclose(depth, cam.expected_depth(64, width=width), rtol=1e-5)


@pytest.mark.parametrize("kind", ["sqlite3", "ros1", "bgr8", "png"])
def test_every_kind_of_recording_gives_the_same_depth(tmp_path: Path, config: DepthConfig, kind: str) -> None:
    recorded = cam.camera_messages(REDS, store=rec.NOETIC if kind == "ros1" else JAZZY)
    if kind == "sqlite3":
        bag = rec.rosbag2(tmp_path / "in", recorded, StoragePlugin.SQLITE3)
    elif kind == "ros1":
        bag = rec.rosbag1(tmp_path / "in.bag", [("/tf_static", T0, rec.tf_static(rec.NOETIC)), *recorded])
    else:
        for i, red in enumerate(REDS):
            stamp, rgb = T0 + i * cam.STEP_NS, cam.picture(red)
            message = cam.png_message(rgb, stamp) if kind == "png" else cam.image_message(rgb, stamp, "bgr8")
            recorded[2 * i] = (
                "/cam/image_rect/compressed" if kind == "png" else "/cam/image",
                *recorded[2 * i][1:2],
                message,
            )
        bag = rec.rosbag2(tmp_path / "in", recorded)
    summary = convert(bag, tmp_path / "out", config=config)
    assert summary.depth_images == 5
    for red, depth in zip(REDS, depths(tmp_path / "out"), strict=True):
        np.testing.assert_allclose(depth, cam.expected_depth(red), rtol=1e-5)
    if kind == "ros1":
        [(_, tf)] = outputs(tmp_path / "out")["/tf_static"]
        assert (tf.transforms[0].child_frame_id, tf.transforms[0].transform.translation.z) == ("camera", 3.0)


def damaged(recorded: list[tuple[str, int, Any]]) -> list[tuple[str, int, Any]]:
    """Six images: short data, unknown encoding, zero size, black, and the info of another size; the last is good."""
    images = [message for _, _, message in recorded[::2]]
    images[0].data = images[0].data[:100]
    images[1].encoding = "cmyk"
    images[2].height = 0
    images[3].data = np.zeros_like(images[3].data)
    recorded[9] = (*recorded[9][:2], cam.info_message(T0 + 4 * cam.STEP_NS, size=(480, 640)))
    return recorded


def test_bad_images_are_counted_and_cost_only_themselves(tmp_path: Path, config: DepthConfig) -> None:
    recorded = damaged(cam.camera_messages([10, 20, 30, 40, 50, 60]))
    summary = convert(rec.rosbag2(tmp_path / "in", recorded), tmp_path / "out", config=config)
    assert (summary.images, summary.depth_images) == (6, 1)
    assert {reason: loss.count for reason, loss in summary.lost.items()} == {
        "bad image message": 3,
        "black image": 1,
        "bad camera_info": 1,
    }
    assert "100 bytes" in summary.lost["bad image message"].example
    assert "640x480" in summary.lost["bad camera_info"].example
    [(log_time_ns, _)] = outputs(tmp_path / "out")["/depth/image"]
    assert log_time_ns == T0 + 5 * cam.STEP_NS + 20_000_000


def test_uncalibrated_camera_gives_the_reason_and_leaves_nothing(tmp_path: Path, config: DepthConfig) -> None:
    recorded = cam.camera_messages(REDS)
    for i in range(5):
        recorded[2 * i + 1] = (*recorded[2 * i + 1][:2], cam.info_message(T0 + i * cam.STEP_NS, np.zeros((3, 3))))
    rec.rosbag2(tmp_path / "in", recorded)
    with pytest.raises(BagError, match=r"no depth came out of .*in'.*5 × no metric depth.*K = 0"):
        convert(tmp_path / "in", tmp_path / "out", config=config)
    assert not list(tmp_path.glob("out*"))


def test_without_camera_info(tmp_path: Path, config: DepthConfig) -> None:
    """A model with a canonical focal length needs fx; one without gives depth all the same."""
    bag = rec.rosbag2(tmp_path / "in", cam.camera_messages(REDS)[::2])
    with pytest.raises(BagError, match="no camera_info: this model needs fx"):
        convert(bag, tmp_path / "out", config=config)
    free = config_of(tiny_model(tmp_path / "free.onnx", canonical_focal=None))
    summary = convert(bag, tmp_path / "out", config=free)
    assert summary.depth_images == 5 and summary.notes == ["no camera_info in the recording"]
    assert set(outputs(tmp_path / "out")) == {"/depth/image"}
    np.testing.assert_allclose(depths(tmp_path / "out")[1], 1.0 + 60 / 64, rtol=1e-5)


def test_model_without_metres_gives_previews_only(tmp_path: Path) -> None:
    config = config_of(tiny_model(tmp_path / "r.onnx", DepthKind.RELATIVE_INVERSE))
    bag = cam.camera_bag(tmp_path / "in", REDS)
    with pytest.raises(BagError, match="relative_inverse_depth, which isn't metres"):
        convert(bag, tmp_path / "out", config=config)
    summary = convert(bag, tmp_path / "out", config=config, outputs=("depth/image", "depth/preview"))
    assert (summary.depth_images, summary.lost["no metric depth"].count) == (0, 5)
    found = outputs(tmp_path / "out")
    assert set(found) == {"/depth/preview"} and len(found["/depth/preview"]) == 5


def test_optional_outputs(tmp_path: Path, config: DepthConfig) -> None:
    wanted = ("depth/image", "depth/camera_info", "depth/points", "depth/scan", "depth/preview")
    convert(cam.camera_bag(tmp_path / "in", REDS), tmp_path / "out", config=config, outputs=wanted)
    found = outputs(tmp_path / "out")
    assert {topic: len(entries) for topic, entries in found.items()} == dict.fromkeys(
        (f"/{name}" for name in wanted), 5
    )
    cloud = messages.cloud_xyz(found["/depth/points"][1][1]).reshape(cam.HEIGHT, cam.WIDTH, 3)
    z = cam.expected_depth(60)
    np.testing.assert_allclose(cloud[100, 7], [(7 - 90) / 200 * z, (100 - 55) / 190 * z, z], rtol=1e-4)


def test_transforms_are_copied_always_and_the_rest_on_request(tmp_path: Path, config: DepthConfig) -> None:
    extra = [
        ("/tf_static", T0, rec.tf_static()),
        ("/tf", T0 + 3, rec.tf_static()),
        ("/depth/image", T0, rec.image(3)),  # the live node ran while recording
    ]
    bag = cam.camera_bag(tmp_path / "in", REDS, extra)
    chosen: dict[str, Any] = {"image": "/cam/image_rect", "config": config}
    convert(bag, tmp_path / "lean", **chosen)
    assert set(outputs(tmp_path / "lean")) == {"/tf", "/tf_static", "/depth/image", "/depth/camera_info"}
    summary = convert(bag, tmp_path / "full", copy_inputs=True, **chosen)
    found = outputs(tmp_path / "full")
    assert set(found) == {
        "/tf",
        "/tf_static",
        "/depth/image",
        "/depth/camera_info",
        "/cam/image_rect",
        "/cam/camera_info",
    }
    assert summary.notes == ["/depth/image (sensor_msgs/msg/Image) not copied: an output has its name"]
    assert [t for t, _ in found["/cam/image_rect"]] == [T0 + i * cam.STEP_NS + 20_000_000 for i in range(5)]
    np.testing.assert_array_equal(messages.decode_rgb(found["/cam/image_rect"][2][1]), cam.picture(110))
    with Reader(tmp_path / "full") as reader:
        durability = {c.topic: c.ext.offered_qos_profiles[0].durability.name for c in reader.connections}
    assert (durability["/tf_static"], durability["/tf"]) == ("TRANSIENT_LOCAL", "VOLATILE")


def test_recording_without_its_end_is_converted_as_far_as_it_goes(tmp_path: Path, config: DepthConfig) -> None:
    bag = next(rec.rosbag2(tmp_path / "in", cam.camera_messages(list(range(20, 220, 2)))).glob("*.mcap"))  # 6 MB
    bag.write_bytes(bag.read_bytes()[: bag.stat().st_size * 2 // 3])
    summary = convert(bag, tmp_path / "out", config=config)
    assert 30 < summary.depth_images < 100 and summary.depth_images == len(depths(tmp_path / "out"))
    assert "no end" in summary.problems[0]


def test_existing_output_is_untouched(tmp_path: Path, config: DepthConfig) -> None:
    bag = cam.camera_bag(tmp_path / "in", REDS)
    convert(bag, tmp_path / "out", config=config)
    before = {p: p.read_bytes() for p in (tmp_path / "out").iterdir()}
    for target in ("out", "in"):
        with pytest.raises(BagError, match=rf"{target}' exists"):
            convert(bag, tmp_path / target, config=config)
    assert {p: p.read_bytes() for p in (tmp_path / "out").iterdir()} == before


def test_missing_model_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        convert(cam.camera_bag(tmp_path / "in", REDS), tmp_path / "out", config=config_of(tmp_path / "none.onnx"))
    assert not list(tmp_path.glob("out*"))


def test_interrupted_conversion_leaves_what_it_has(tmp_path: Path, config: DepthConfig) -> None:
    def stop_at_three(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(cam.camera_bag(tmp_path / "in", REDS), tmp_path / "out", config=config, progress=stop_at_three)
    assert not (tmp_path / "out").exists()
    found = depths(tmp_path / "out.partial")
    assert len(found) == 3
    np.testing.assert_allclose(found[2], cam.expected_depth(REDS[2]), rtol=1e-5)


def test_full_disk_is_an_error_of_ours(tmp_path: Path, config: DepthConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    from depth_perception.bags.mcap_writer import McapWriter

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    bag = cam.camera_bag(tmp_path / "in", REDS)
    monkeypatch.setattr(McapWriter, "add_message", full)
    with pytest.raises(BagError, match=r"can't be written.*No space left on device"):
        convert(bag, tmp_path / "out", config=config)


def test_memory_does_not_grow_with_the_recording(tmp_path: Path, config: DepthConfig) -> None:
    recorded = []
    for i in range(60):
        stamp = T0 + i * cam.STEP_NS
        recorded.append(("/cam/image_rect", stamp, cam.image_message(cam.picture(i, 480, 640), stamp)))
        recorded.append(("/cam/camera_info", stamp, cam.info_message(stamp, size=(480, 640))))
    bag = rec.rosbag2(tmp_path / "in", recorded)  # 55 MB in, 74 MB out
    recorded.clear()
    tracemalloc.start()
    summary = convert(bag, tmp_path / "out", config=config)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert summary.depth_images == 60
    assert peak < 60e6
