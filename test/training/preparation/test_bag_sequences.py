"""A recording of a wall in closed form: what belongs together, where it lies, what is said when something is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bags import recordings as rec
from bags.recordings import T0
from rig_bags import (
    BASELINE_M,
    CLOUD,
    IMAGE,
    INFO,
    LEFT,
    ODOM,
    STEP_NS,
    T_LEFT_BODY,
    T_LEFT_LIDAR,
    TYPES,
    RigBag,
    picture,
    wall_depth,
)

from depth_perception import messages
from depth_perception.camera import CameraModel
from training.dataset_folder import Sequence, sequences
from training.make_dataset import make_dataset
from training.preparation.jobs import Outcome
from training.preparation.options import DatasetOptions

ALL_TRAIN = DatasetOptions(split="1,0,0", image_format="png")
Messages = list[tuple[str, int, Any]]


def made(tmp_path: Path, content: RigBag | Messages, **options: Any) -> tuple[Sequence, Outcome]:
    bag = rec.rosbag2(tmp_path / "bag", content.messages() if isinstance(content, RigBag) else content)
    chosen = DatasetOptions(**{"split": "1,0,0", "image_format": "png", **options})
    (outcome,) = make_dataset([str(bag)], tmp_path / "out", chosen)
    assert outcome.error == ""
    return sequences(tmp_path / "out")[0], outcome


def test_images_context_pose_and_origin(tmp_path: Path) -> None:
    sequence, _ = made(tmp_path, RigBag(frames=6))
    samples = sequence.samples()
    assert [sample.index for sample in samples] == list(range(6))
    assert [sample.context for sample in samples] == [(None, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, None)]
    assert [sample.stamp_ns for sample in samples] == [T0 + i * STEP_NS for i in range(6)]
    for i, sample in enumerate(samples):
        assert np.array_equal(sequence.image(i), picture(i))
        assert sample.source == {"file": "bag", "topic": IMAGE, "number": i}
        assert sample.motion_m == pytest.approx(0.1, abs=1e-6) and sample.motion_rad == pytest.approx(0.0, abs=1e-6)
    before, this, after = samples[2].T_odom_left
    step = np.linalg.inv(this) @ after
    np.testing.assert_allclose(step, [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0.1], [0, 0, 0, 1]], atol=1e-6)
    np.testing.assert_allclose(np.linalg.inv(before) @ this, step, atol=1e-6)
    np.testing.assert_allclose(sequence.calibration.T_left_lidar, T_LEFT_LIDAR, atol=1e-6)
    np.testing.assert_allclose(sequence.calibration.T_left_body, T_LEFT_BODY, atol=1e-6)
    assert sequence.calibration.cameras["left"] == LEFT


@pytest.mark.parametrize("point_times", [True, False])
def test_depth_is_that_of_the_image_s_time(tmp_path: Path, point_times: bool) -> None:
    """The turn is 40 ms late and takes 100 ms, in which the wall comes 0.14 m nearer; odometry takes that out."""
    sequence, _ = made(tmp_path, RigBag(frames=5, point_times=point_times))
    for sample in sequence.samples():
        depth = sequence.depth(sample.index)
        assert sample.depth["left"] == np.isfinite(depth).sum() > 500
        np.testing.assert_allclose(depth[np.isfinite(depth)], wall_depth(sample.index), atol=0.5 / 256 + 1e-3)
        assert sample.sync_ms == {"lidar": 40.0}


def test_without_odometry_the_points_stay_where_they_were_measured(tmp_path: Path) -> None:
    sequence, outcome = made(tmp_path, RigBag(frames=4, odom=False, point_times=False))
    depth = sequence.depth(2)
    np.testing.assert_allclose(depth[np.isfinite(depth)], wall_depth(2) - 0.04, atol=0.5 / 256 + 1e-3)
    assert sequence.samples()[1].motion_m is None and sequence.calibration.T_left_body is None
    assert outcome.summary is not None and outcome.summary["rejected"] == {}


def test_stereo_partner_has_its_own_depth(tmp_path: Path) -> None:
    sequence, _ = made(tmp_path, RigBag(frames=4, stereo=True))
    calibration = sequence.calibration
    assert calibration.cameras["right"].P[0, 3] == pytest.approx(-80.0 * BASELINE_M)
    np.testing.assert_allclose(calibration.T_left_right[:3, 3], [BASELINE_M, 0, 0], atol=1e-9)
    sample = sequence.samples()[1]
    assert sample.right and sample.sync_ms == {"right": 0.0, "lidar": 40.0}
    left, right = sequence.depth(1), sequence.depth(1, "right")
    np.testing.assert_allclose(right[np.isfinite(right)], wall_depth(1), atol=0.5 / 256 + 1e-3)
    # Each eye sees the same point at its own column: fx * baseline / depth = 80 * 0.2 / 5.9 = 2.7 px further left
    shift = np.nonzero(np.isfinite(left))[1].min() - np.nonzero(np.isfinite(right))[1].min()
    assert abs(shift - 80.0 * BASELINE_M / wall_depth(1)) <= 1.0 or np.nonzero(np.isfinite(right))[1].min() == 0


def test_beams_are_thinned_before_projection(tmp_path: Path) -> None:
    full, _ = made(tmp_path / "a", RigBag(frames=3))
    thin, outcome = made(tmp_path / "b", RigBag(frames=3), beams=4, beam_offset=1)
    assert thin.samples()[0].beams == (1, 5, 9, 13) and full.samples()[0].beams == ()
    assert outcome.summary is not None and outcome.summary["lidar_beams"] == 16
    seen = {int(beam) for beam in outcome.summary["points_of_beam"] if outcome.summary["points_of_beam"][beam]}
    assert seen <= {1, 5, 9, 13} and len(seen) >= 3
    few, all_of_them = np.isfinite(thin.depth(1)), np.isfinite(full.depth(1))
    assert 0.15 < few.sum() / all_of_them.sum() < 0.35 and not (few & ~all_of_them).any()


def test_a_share_of_the_points_is_drawn_anew_in_each_frame(tmp_path: Path) -> None:
    full, _ = made(tmp_path / "a", RigBag(frames=3, odom=False, point_times=False))
    half, _ = made(tmp_path / "b", RigBag(frames=3, odom=False, point_times=False), point_share=0.5)
    again, _ = made(tmp_path / "c", RigBag(frames=3, odom=False, point_times=False), point_share=0.5, seed=1)
    share = half.samples()[1].depth["left"] / full.samples()[1].depth["left"]
    assert 0.45 < share < 0.6  # a pixel with two points is lost only if both are
    for other in (half.depth(2), again.depth(1)):
        assert not np.array_equal(np.isfinite(half.depth(1)), np.isfinite(other))


def test_stride_and_size(tmp_path: Path) -> None:
    sequence, _ = made(tmp_path, RigBag(frames=6), stride=2, size="48x64", beams=8)
    assert [sample.context for sample in sequence.samples()][:3] == [(None, 2), (None, 3), (0, 4)]
    assert sequence.samples()[2].motion_m == pytest.approx(0.2, abs=1e-6)
    assert sequence.image(0).shape == (48, 64, 3) and sequence.depth(0).shape == (48, 64)
    assert sequence.calibration.cameras["left"].fx == 40.0


def test_a_robot_that_stands_still_gives_context_only(tmp_path: Path) -> None:
    """Frames 4 and 5 are where frame 3 is: they are no samples, but frame 3 keeps 4 as its context."""
    bag = RigBag(frames=8, lidar=False)

    def stands(topic: str, log: int, message: Any) -> tuple[str, int, Any]:
        stamp = messages.stamp_ns(message.header) if topic == ODOM else 0
        if topic == ODOM and stamp > T0 + 3 * STEP_NS:
            held = bag.odometry(max(T0 + 3 * STEP_NS, stamp - 2 * STEP_NS))
            held.header = message.header
            return topic, log, held
        return topic, log, message

    sequence, _ = made(tmp_path, [stands(*item) for item in bag.messages()])
    assert [sample.index for sample in sequence.samples()] == [0, 1, 2, 3, 6, 7]
    assert [rejected.reason for rejected in sequence.rejected()] == ["static", "static"]
    contexts = {sample.index: sample.context for sample in sequence.samples()}
    assert contexts[3] == (2, 4) and contexts[6] == (5, 7) and sequence.image_path(4).is_file()
    kept, _ = made(tmp_path / "b", [stands(*item) for item in bag.messages()], keep_static=True)
    assert len(kept.samples()) == 8


def test_a_gap_in_time_has_no_context(tmp_path: Path) -> None:
    bag = RigBag(frames=8)
    late = [item for item in bag.messages() if not T0 + 2.5 * STEP_NS < item[1] < T0 + 7 * STEP_NS or item[0] == ODOM]
    sequence, _ = made(tmp_path, late, max_gap_s=0.25)
    contexts = {sample.index: sample.context for sample in sequence.samples()}
    assert contexts == {0: (None, 1), 1: (0, 2), 2: (1, None), 3: (None, None)}


# ------------------------------------------------------------------------------------------------ faults


def test_only_images_and_only_lidar(tmp_path: Path) -> None:
    sequence, outcome = made(tmp_path, RigBag(frames=4, lidar=False, odom=False, tf=False))
    assert len(sequence.samples()) == 4 and sequence.samples()[0].depth == {}
    assert outcome.summary is not None
    assert "no LiDAR in the recording: samples have no depth" in outcome.summary["notes"]
    bag = rec.rosbag2(tmp_path / "cloud", [m for m in RigBag(frames=3).messages() if m[0] == CLOUD])
    (outcome,) = make_dataset([str(bag)], tmp_path / "none", ALL_TRAIN)
    assert "holds no camera image" in outcome.error and CLOUD in outcome.error
    assert not (tmp_path / "none").exists()


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


def test_lidar_clock_off_by_an_hour(tmp_path: Path) -> None:
    bag = RigBag(frames=4, odom=False, point_times=False)
    hour = 3600 * 10**9

    def shifted(topic: str, log: int, message: Any) -> tuple[str, int, Any]:
        if topic != CLOUD:
            return topic, log, message
        stamp = messages.stamp_ns(message.header) - hour
        return topic, log, replaced_stamp(message, stamp)

    content = [shifted(*item) for item in bag.messages()]
    sequence, outcome = made(tmp_path / "a", content)
    assert outcome.summary is not None
    missing = outcome.summary["missing"]["lidar"]
    assert missing["count"] == 4 and "s before the image" in missing["example"]
    assert "--lidar-offset-s" in missing["example"] and "3599.6" in missing["example"]
    assert len(sequence.samples()) == 4 and sequence.samples()[0].depth == {}
    sequence, _ = made(tmp_path / "b", content, lidar_offset_s=3600.0)
    assert [sample.sync_ms for sample in sequence.samples()] == [{"lidar": 40.0}] * 4


def replaced_stamp(message: Any, stamp_ns: int) -> Any:
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, 10**9)
    return message


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
    assert "64x48" in rejected["image size differs"]["example"]
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
