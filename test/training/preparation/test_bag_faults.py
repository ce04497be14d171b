"""What is wrong with a recording is said in a clear sentence, and what is usable is used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bags import recordings as rec
from bags.recordings import T0
from made_sequences import Messages, made, replaced_stamp
from mcap.reader import make_reader
from mcap.writer import IndexType, Writer
from rig_bags import CLOUD, IMAGE, INFO, LEFT, ODOM, STEP_NS, T_LEFT_LIDAR, TYPES, RigBag, picture, wall_depth

from depth_perception import messages
from depth_perception.camera import CameraModel
from training.dataset_folder import sequences
from training.make_dataset import main, make_dataset
from training.preparation.options import DatasetOptions

ALL_TRAIN = DatasetOptions(split="1,0,0", image_format="png")


def test_only_images_and_only_lidar(tmp_path: Path) -> None:
    sequence, outcome = made(tmp_path, RigBag(frames=4, lidar=False, odom=False, tf=False))
    assert len(sequence.samples()) == 4 and sequence.samples()[0].depth == {}
    assert outcome.summary is not None
    assert "no LiDAR in the recording: samples have no depth" in outcome.summary["notes"]
    bag = rec.rosbag2(tmp_path / "cloud", [m for m in RigBag(frames=3).messages() if m[0] == CLOUD])
    (outcome,) = make_dataset([str(bag)], tmp_path / "none", ALL_TRAIN)
    assert "holds no camera image" in outcome.error and CLOUD in outcome.error
    assert not (tmp_path / "none").exists()


def test_a_sensor_that_is_not_wanted(tmp_path: Path) -> None:
    sequence, _ = made(tmp_path, RigBag(frames=3, stereo=True), lidar="none", right="none", odom="none")
    (sample, *_) = sequence.samples()
    assert sample.depth == {} and sample.motion_m is None and list(sequence.calibration.cameras) == ["left"]


def test_two_lidars_need_a_choice(tmp_path: Path) -> None:
    content = RigBag(frames=3).messages()
    content += [("/lidar/rear", log, message) for topic, log, message in content if topic == CLOUD]
    bag = rec.rosbag2(tmp_path / "bag", content)
    (outcome,) = make_dataset([str(bag)], tmp_path / "out", ALL_TRAIN)
    assert "['/lidar/points', '/lidar/rear']: choose one (--lidar TOPIC)" in outcome.error
    (outcome,) = make_dataset([str(bag)], tmp_path / "out", DatasetOptions(lidar="/lidar/rear", split="1,0,0"))
    assert outcome.error == "" and sequences(tmp_path / "out")[0].samples()[0].depth
    (outcome,) = make_dataset([str(bag)], tmp_path / "no", DatasetOptions(lidar="/lidar/top"))
    assert "--lidar '/lidar/top' isn't there" in outcome.error


def test_what_belongs_to_kitti_is_refused(tmp_path: Path) -> None:
    bag = RigBag(frames=3).write(tmp_path / "bag")
    for options in (DatasetOptions(train_list="list.txt"), DatasetOptions(depth="annotated")):
        (outcome,) = make_dataset([str(bag)], tmp_path / "out", options)
        assert "belong to KITTI raw drives" in outcome.error and not (tmp_path / "out").exists()


def test_missing_camera_info_names_the_remedy_which_works(tmp_path: Path) -> None:
    bag = RigBag(frames=4, info=False).write(tmp_path / "bag")
    (outcome,) = make_dataset([str(bag)], tmp_path / "out", ALL_TRAIN)
    assert "no camera_info for '/camera/image_rect'" in outcome.error and "--intrinsics" in outcome.error
    (outcome,) = make_dataset([str(bag)], tmp_path / "out", DatasetOptions(intrinsics="80 90 70 45", split="1,0,0"))
    (sequence,) = sequences(tmp_path / "out")
    assert outcome.error == "" and sequence.calibration.cameras["left"] == LEFT and sequence.samples()[0].depth


def test_missing_transform_leaves_the_images(tmp_path: Path) -> None:
    sequence, outcome = made(tmp_path, RigBag(frames=4, tf=False))
    assert outcome.summary is not None
    (lidar, body) = outcome.summary["notes"]
    assert lidar.startswith("the LiDAR is left out: no transform from 'lidar' to 'left'") and "--T-cam-lidar" in lidar
    assert body.startswith("odometry tells motion only") and "--T-cam-base" in body
    sample = sequence.samples()[1]
    assert sample.depth == {} and sample.motion_m == pytest.approx(0.1, abs=1e-6) and sample.T_odom_left[1] is None


def test_transforms_from_the_command_line(tmp_path: Path) -> None:
    from depth_perception.bags.transforms import quaternion

    words = " ".join(map(str, [*T_LEFT_LIDAR[:3, 3], *quaternion(T_LEFT_LIDAR[:3, :3])]))
    sequence, _ = made(tmp_path, RigBag(frames=3, tf=False, odom=False, point_times=False), T_cam_lidar=words)
    depth = sequence.depth(1)
    np.testing.assert_allclose(depth[np.isfinite(depth)], wall_depth(1) - 0.04, atol=3e-3)


@pytest.mark.parametrize(("hours", "said"), [(-1, "3599.6"), (1, "3600.040 s after the image")])
def test_lidar_clock_off_by_an_hour(tmp_path: Path, hours: int, said: str) -> None:
    bag = RigBag(frames=4, odom=False, point_times=False)
    hour = hours * 3600 * 10**9

    def shifted(topic: str, log: int, message: Any) -> tuple[str, int, Any]:
        if topic != CLOUD:
            return topic, log, message
        stamp = messages.stamp_ns(message.header) + hour
        return topic, log, replaced_stamp(message, stamp)

    content = [shifted(*item) for item in bag.messages()]
    sequence, outcome = made(tmp_path / "a", content)
    assert outcome.summary is not None
    missing = outcome.summary["missing"]["lidar"]
    assert missing["count"] == 4 and said in missing["example"] and "--lidar-offset-s" in missing["example"]
    assert len(sequence.samples()) == 4 and sequence.samples()[0].depth == {}
    sequence, _ = made(tmp_path / "b", content, lidar_offset_s=-3600.0 * hours)
    assert [sample.sync_ms for sample in sequence.samples()] == [{"lidar": 40.0}] * 4


def test_duplicate_and_backward_stamps_are_left_out(tmp_path: Path) -> None:
    bag = RigBag(frames=6, lidar=False, odom=False)
    content = bag.messages()
    for place, stamp in ((2, T0 + 1 * STEP_NS), (4, T0 + 3 * STEP_NS - 5_000_000)):
        images = [item for item in content if item[0] == IMAGE]
        replaced_stamp(images[place][2], stamp)
    sequence, outcome = made(tmp_path, content)
    assert outcome.summary is not None
    reasons = {name: item["count"] for name, item in outcome.summary["rejected"].items()}
    assert reasons == {"duplicate stamp": 1, "stamp goes back": 1}
    assert [sample.index for sample in sequence.samples()] == [0, 1, 3, 5]


@pytest.mark.parametrize("moved", [CLOUD, ODOM])
def test_repeated_and_backward_stamps_of_a_sensor_are_told(tmp_path: Path, moved: str) -> None:
    content = RigBag(frames=8).messages()
    found = [message for topic, _, message in content if topic == moved]
    stamps = [messages.stamp_ns(message.header) for message in found]
    replaced_stamp(found[-4], stamps[-5])
    replaced_stamp(found[-2], stamps[-3] - 5_000_000)
    sequence, outcome = made(tmp_path, content)
    assert outcome.summary is not None and len(sequence.samples()) == 8
    assert outcome.summary["problems"] == [f"2 × a stamp on {moved} isn't later than the one before"]


def test_a_clock_that_was_reset_starts_anew(tmp_path: Path) -> None:
    """A looped recording: the same stamps again. No frame has a context from the other turn."""
    bag = RigBag(frames=4, lidar=False, odom=False, tf=False)
    later = 100 * 10**9
    shift = 20 * STEP_NS
    content = bag.messages()
    for topic, log, message in bag.messages():
        content.append((topic, log + later, replaced_stamp(message, messages.stamp_ns(message.header) - shift)))
    sequence, _ = made(tmp_path, content)
    contexts = {sample.index: sample.context for sample in sequence.samples()}
    assert contexts[3] == (2, None) and contexts[4] == (None, 5) and len(contexts) == 8


def test_another_size_or_calibration_in_the_middle(tmp_path: Path) -> None:
    bag = RigBag(frames=6, lidar=False, odom=False)
    small = CameraModel(48, 64, np.array([[40.0, 0, 35], [0, 45, 22], [0, 0, 1]]))
    other = CameraModel(96, 128, np.array([[81.0, 0, 70], [0, 90, 45], [0, 0, 1]]))
    content: Messages = []
    for topic, log, message in bag.messages():
        i = (messages.stamp_ns(message.header) - T0) // STEP_NS if topic in (IMAGE, INFO) else 0
        stamp = T0 + i * STEP_NS
        if topic == IMAGE and i == 3:
            message = messages.image_message(TYPES, picture(i)[:48, :64].copy(), "rgb8", stamp, "left")
        if topic == INFO and i in (3, 4):
            message = messages.camera_info_message(TYPES, small if i == 3 else other, stamp, "left")
        content.append((topic, log, message))
    sequence, outcome = made(tmp_path, content)
    assert outcome.summary is not None
    rejected = outcome.summary["rejected"]
    assert {name: item["count"] for name, item in rejected.items()} == {
        "image size differs": 1,
        "calibration changed": 1,
    }
    example = "64x48; the sequence began with a calibration for 128x96"
    assert rejected["image size differs"]["example"] == example
    assert [sample.index for sample in sequence.samples()] == [0, 1, 2, 5]


def test_black_and_damaged_images(tmp_path: Path) -> None:
    bag = RigBag(frames=5, lidar=False, odom=False)
    content = bag.messages()
    images = [item[2] for item in content if item[0] == IMAGE]
    images[1].data[:] = 0
    images[3].data = images[3].data[:100]
    sequence, outcome = made(tmp_path, content)
    assert outcome.summary is not None
    assert set(outcome.summary["rejected"]) == {"black image", "damaged image message"}
    assert "cut short" in outcome.summary["rejected"]["damaged image message"]["example"]
    assert [sample.index for sample in sequence.samples()] == [0, 2, 4]


def test_a_truncated_bag_gives_what_is_whole(tmp_path: Path) -> None:
    bag = RigBag(frames=80, lidar=False, odom=False).write(tmp_path / "bag")
    (storage,) = bag.glob("*.mcap")
    storage.write_bytes(storage.read_bytes()[: int(storage.stat().st_size * 0.8)])
    (outcome,) = make_dataset([str(bag)], tmp_path / "out", ALL_TRAIN)
    assert outcome.error == "" and outcome.summary is not None
    assert 20 <= outcome.summary["samples"] < 80 and any("mcap" in problem for problem in outcome.summary["problems"])


def test_a_bag_without_an_index_gives_the_same_pixels(tmp_path: Path) -> None:
    """As a recorder leaves it that is told to write none; without metadata.yaml, too."""
    reference, _ = made(tmp_path / "a", RigBag(frames=5))
    (indexed,) = (tmp_path / "a" / "bag").glob("*.mcap")
    bag = tmp_path / "bag"
    bag.mkdir()
    with indexed.open("rb") as source, (bag / "bag_0.mcap").open("wb") as file:
        writer = Writer(
            file, index_types=IndexType.NONE, use_statistics=False, use_summary_offsets=False, repeat_channels=False,
            repeat_schemas=False,
        )  # fmt: skip
        writer.start("ros2", "test")
        ids: dict[str, int] = {}
        for schema, channel, message in make_reader(source).iter_messages():
            assert schema is not None
            if channel.topic not in ids:
                schema_id = writer.register_schema(schema.name, schema.encoding, schema.data)
                ids[channel.topic] = writer.register_channel(channel.topic, channel.message_encoding, schema_id)
            writer.add_message(ids[channel.topic], message.log_time, message.data, message.publish_time)
        writer.finish()
    (outcome,) = make_dataset([str(bag)], tmp_path / "out", ALL_TRAIN)
    (sequence,) = sequences(tmp_path / "out")
    assert outcome.error == "" and len(sequence.samples()) == 5
    for i in range(5):
        assert sequence.image_path(i).read_bytes() == reference.image_path(i).read_bytes()
        assert sequence.depth_path(i).read_bytes() == reference.depth_path(i).read_bytes()


def test_what_cannot_be_read_at_all_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bag = RigBag(frames=3).write(tmp_path / "bag")
    (storage,) = bag.glob("*.mcap")
    for content, said in ((b"", "is empty"), (b"no recording" * 99, "is not a recording"), (None, "are not there")):
        storage.unlink(missing_ok=True)
        if content is not None:
            storage.write_bytes(content)
        assert main([str(bag), str(tmp_path / "out")]) == 1
        output = capsys.readouterr().out
        assert "NOT MADE" in output and said in output and "nothing was made" in output
        assert not (tmp_path / "out").exists()


def test_the_right_eye_may_be_late_or_uncalibrated(tmp_path: Path) -> None:
    bag = RigBag(frames=4, stereo=True, lidar=False, odom=False)
    content = bag.messages()
    for item in [item for item in content if item[0] == "/right/image_rect"][2:]:
        replaced_stamp(item[2], messages.stamp_ns(item[2].header) + 30_000_000)
    sequence, outcome = made(tmp_path / "a", content)
    assert [sample.right for sample in sequence.samples()] == [True, True, False, False]
    assert outcome.summary is not None and "0.030 s after" in outcome.summary["missing"]["right"]["example"]
    no_info = [item for item in bag.messages() if item[0] != "/right/camera_info"]
    sequence, outcome = made(tmp_path / "b", no_info)
    assert list(sequence.calibration.cameras) == ["left"] and outcome.summary is not None
    assert any("it has no camera_info" in note for note in outcome.summary["notes"])


def test_messages_that_lie_out_of_order_in_the_file(tmp_path: Path) -> None:
    """A recorder that writes topic after topic: the log times say what came when."""
    content = RigBag(frames=6, stereo=True).messages()
    sorted_, _ = made(tmp_path / "a", content)
    by_topic, outcome = made(tmp_path / "b", sorted(content, key=lambda item: (item[0], -item[1])))
    assert outcome.summary is not None and outcome.summary["rejected"] == {}
    assert len(by_topic.samples()) == 6
    for i in range(6):
        assert by_topic.image_path(i).read_bytes() == sorted_.image_path(i).read_bytes()
        assert by_topic.depth_path(i).read_bytes() == sorted_.depth_path(i).read_bytes()


def test_messages_that_were_sent_again_are_waited_for(tmp_path: Path) -> None:
    """Over a bad network every third right image and depth comes 0.25 s late, after the next ones: none is missed."""
    content: Messages = []
    for topic, log, message in RigBag(frames=12, stereo=True).messages():
        i = (messages.stamp_ns(message.header) - T0) // STEP_NS if "image" in topic else 1
        late = 250_000_000 * (i % 3 == 0)
        content.append((topic, log + late * (topic == "/right/image_rect"), message))
        if topic == "/left/image_rect":
            depth = np.full((96, 128), wall_depth(i), np.float32)
            truth = messages.image_message(TYPES, depth, "32FC1", T0 + i * STEP_NS, "left")
            content.append(("/depth", log + late, truth))
    sequence, outcome = made(tmp_path, sorted(content, key=lambda item: item[1]), truth_image="/depth")
    assert outcome.summary is not None and outcome.summary["missing"] == {}
    assert len(sequence.samples()) == 12 and all(sample.right and sample.truth for sample in sequence.samples())
    assert {sample.sync_ms["lidar"] for sample in sequence.samples()} == {40.0}
    assert outcome.summary["error_to_truth"]["mae_m"]["max"] < 3e-3


def test_exact_depth_of_another_time_or_lens_is_none(tmp_path: Path) -> None:
    content = RigBag(frames=4).messages()
    for topic, log, message in list(content):
        if topic == IMAGE:
            stamp = messages.stamp_ns(message.header) + 1_000_000
            depth = np.full((96, 128), 5.0, np.float32)
            content.append(("/truth", log, messages.image_message(TYPES, depth, "32FC1", stamp, "left")))
    sequence, outcome = made(tmp_path / "a", content, truth_image="/truth")
    assert outcome.summary is not None and outcome.summary["error_to_truth"] is None
    assert outcome.summary["missing"]["truth_image"]["count"] == 4 and not sequence.samples()[0].truth
    for topic, _, message in content:
        if topic == INFO:
            message.d[:] = [-0.1, 0.01, 0, 0, 0]
    _, outcome = made(tmp_path / "b", content, truth_image="/truth", rectify="always")
    assert outcome.summary is not None
    assert any(note.startswith("/truth is left out: it shows the lens's") for note in outcome.summary["notes"])


def test_odometry_on_another_clock(tmp_path: Path) -> None:
    """Two seconds behind: it covers no image, unless the offset is said; then depth is that of the image's time."""
    bag = RigBag(frames=4)

    def shifted(topic: str, log: int, message: Any) -> tuple[str, int, Any]:
        if topic == ODOM:
            replaced_stamp(message, messages.stamp_ns(message.header) - 2 * 10**9)
        return topic, log, message

    sequence, outcome = made(tmp_path / "a", [shifted(*item) for item in bag.messages()])
    assert outcome.summary is not None and outcome.summary["missing"]["odometry"]["count"] == 4
    assert sequence.samples()[1].motion_m is None
    sequence, _ = made(tmp_path / "b", [shifted(*item) for item in bag.messages()], odom_offset_s=2.0)
    depth = sequence.depth(1)
    np.testing.assert_allclose(depth[np.isfinite(depth)], wall_depth(1), atol=0.5 / 256 + 1e-3)


def test_a_ros_1_bag_gives_the_same_pixels(tmp_path: Path) -> None:
    sequence, _ = made(tmp_path, RigBag(frames=4, lidar=False, odom=False, tf=False))
    store, content = rec.NOETIC, []
    for i in range(4):
        stamp = T0 + i * STEP_NS
        image = store.types[rec.IMAGE](
            rec.header(store, stamp, "left"), 96, 128, "rgb8", 0, 384, picture(i).reshape(-1)
        )
        roi = store.types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
        info = store.types["sensor_msgs/msg/CameraInfo"](
            rec.header(store, stamp, "left"), 96, 128, "plumb_bob", np.zeros(5), LEFT.K.reshape(9),
            np.eye(3).reshape(9), LEFT.P.reshape(12), 0, 0, roi,
        )  # fmt: skip
        content += [(IMAGE, stamp, image), (INFO, stamp, info)]
    bag = rec.rosbag1(tmp_path / "one.bag", content)
    make_dataset([str(bag)], tmp_path / "one", ALL_TRAIN)
    (other,) = sequences(tmp_path / "one")
    assert other.name == "one" and other.calibration.cameras == sequence.calibration.cameras
    assert all(np.array_equal(other.image(i), sequence.image(i)) for i in range(4))
