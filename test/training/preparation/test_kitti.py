"""KITTI's layouts, small and synthetic as their pages document them; and the real drive against its own bag."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from bags import recordings as rec
from bags.recordings import T0
from kitti_folders import DRIVE, annotated, odometry_sequence, raw_drive
from rig_bags import BASELINE_M, T_LEFT_LIDAR, TYPES, K, picture, wall_depth

from depth_perception import messages
from depth_perception.bags import StaticTransform
from depth_perception.bags.transforms import tf_static_message
from depth_perception.errors import ConfigError
from training.dataset_folder import Sequence, sequences
from training.make_dataset import make_dataset
from training.preparation.kitti_files import oxts_pose, read_image, read_list, read_scan, read_stamps
from training.preparation.kitti_raw import kitti_raw
from training.preparation.options import DatasetOptions


def made(out: Path, source: Path, **options: object) -> Sequence:
    chosen = DatasetOptions(**{"split": "1,0,0", "image_format": "png", **options})  # type: ignore[arg-type]
    (outcome,) = make_dataset([str(source)], out, chosen)
    assert outcome.error == "", outcome.error
    return sequences(out)[0]


def test_a_raw_drive(tmp_path: Path) -> None:
    raw_drive(tmp_path / "kitti")
    sequence = made(tmp_path / "out", tmp_path / "kitti")
    assert sequence.name == DRIVE
    calibration = sequence.calibration
    np.testing.assert_allclose(calibration.cameras["left"].K, K)
    np.testing.assert_allclose(calibration.T_left_lidar, T_LEFT_LIDAR, atol=1e-6)  # through camera 0 and back
    np.testing.assert_allclose(calibration.T_left_right[:3, 3], [BASELINE_M, 0, 0], atol=1e-9)
    samples = sequence.samples()
    assert [sample.index for sample in samples] == list(range(6)) and samples[2].context == (1, 3)
    assert samples[0].stamp_ns == 1_317_042_145 * 10**9  # 2011-09-26 13:02:25 UTC
    for sample in samples:
        assert sample.motion_m == pytest.approx(0.1, rel=1e-3) and sample.sync_ms == {"right": 0.0, "lidar": 3.0}
        assert np.array_equal(sequence.image(sample.index), picture(sample.index))
        assert np.array_equal(sequence.image(sample.index, "right"), picture(sample.index + 100))
        for camera in ("left", "right"):
            depth = sequence.depth(sample.index, camera)
            np.testing.assert_allclose(depth[np.isfinite(depth)], wall_depth(sample.index), atol=0.5 / 256 + 1e-3)
    assert samples[1].source == {"file": f"{DRIVE}/image_02/data/{1:010d}.png", "topic": "", "number": 1}


def test_beams_of_a_drive(tmp_path: Path) -> None:
    raw_drive(tmp_path / "kitti", frames=3, stereo=False)
    full = made(tmp_path / "full", tmp_path / "kitti")
    thin = made(tmp_path / "thin", tmp_path / "kitti", beams=8, beam_offset=3)
    assert thin.samples()[0].beams == tuple(range(3, 64, 8)) and thin.summary()["lidar_beams"] == 64
    few, every = np.isfinite(thin.depth(1)), np.isfinite(full.depth(1))
    assert not (few & ~every).any() and 0.08 < few.sum() / every.sum() < 0.2


def test_annotated_depth(tmp_path: Path) -> None:
    raw_drive(tmp_path / "kitti", stereo=False)
    valid = annotated(tmp_path / "annotated")
    place = {"depth": "annotated", "annotated": str(tmp_path / "annotated")}
    full = made(tmp_path / "full", tmp_path / "kitti", **place)
    assert [sample.depth for sample in full.samples()] == [{}, *[{"left": int(valid.sum())}] * 4, {}]
    assert np.array_equal(np.isfinite(full.depth(2)), valid) and np.nanmax(full.depth(2)) == 4.25
    thin = made(tmp_path / "thin", tmp_path / "kitti", beams=4, **place)
    raw = made(tmp_path / "raw", tmp_path / "kitti", beams=4)
    chosen = np.isfinite(thin.depth(2))
    assert np.unique(thin.depth(2)[chosen]).tolist() == [4.25]  # the raw beams say where, the annotated map what
    assert np.array_equal(chosen, np.isfinite(raw.depth(2)) & valid) and 20 < chosen.sum() < 400
    assert 0 not in [sample.index for sample in thin.samples() if sample.depth]


def test_annotated_depth_that_is_nowhere(tmp_path: Path) -> None:
    raw_drive(tmp_path / "kitti")
    (outcome,) = make_dataset([str(tmp_path / "kitti")], tmp_path / "out", DatasetOptions(depth="annotated"))
    assert "no annotated depth" in outcome.error and "--annotated ROOT" in outcome.error
    assert not (tmp_path / "out").exists()


def test_lists_decide_the_split(tmp_path: Path) -> None:
    raw_drive(tmp_path / "kitti")
    day, name = "2011_09_26", DRIVE
    (tmp_path / "train.txt").write_text(f"{day}/{name} 0000000001 l\n{day}/{name} 0000000002 r\n\n")
    (tmp_path / "val.txt").write_text(f"{day}/{name}/image_02/data/0000000004.png {day}/{name}/x/0000000004.png\n")
    (tmp_path / "other.txt").write_text("2011_09_26/2011_09_26_drive_0002_sync 0000000003 l\n")
    lists = {"train_list": str(tmp_path / "train.txt"), "val_list": str(tmp_path / "val.txt")}
    sequence = made(tmp_path / "out", tmp_path / "kitti", test_list=str(tmp_path / "other.txt"), **lists)
    assert {sample.index: sample.split for sample in sequence.samples()} == {1: "train", 2: "train", 4: "val"}
    assert sequence.samples()[0].context == (0, 2) and sequence.image_path(0).is_file()
    assert sequence.summary()["rejected"] == {"not in the list": {"count": 3, "example": ""}}
    (tmp_path / "other.txt").write_text("2011_09_26/2011_09_26_drive_0001_sync 0000000003 l\n")  # as long as it was
    options = DatasetOptions(split="1,0,0", image_format="png", test_list=str(tmp_path / "other.txt"), **lists)
    (outcome,) = make_dataset([str(tmp_path / "kitti")], tmp_path / "out", options)
    assert "was made with another lists" in outcome.error


def test_a_list_without_frames_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("2011_09_26/drive\n")
    with pytest.raises(ConfigError, match="line 1: '2011_09_26/drive' names no frame"):
        read_list(str(tmp_path / "list.txt"))
    with pytest.raises(ConfigError, match="isn't there"):
        read_list(str(tmp_path / "none.txt"))


def test_damaged_files_cost_only_themselves(tmp_path: Path) -> None:
    drive = raw_drive(tmp_path / "kitti")
    (drive / "image_02/data/0000000001.png").write_bytes(b"\x89PNG cut")
    (drive / "velodyne_points/data/0000000003.bin").write_bytes(b"123")
    (drive / "velodyne_points/data/0000000004.bin").unlink()
    sequence = made(tmp_path / "out", tmp_path / "kitti")
    summary = sequence.summary()
    assert summary["rejected"]["damaged image"]["count"] == 1 and summary["missing"]["lidar"]["count"] == 2
    assert [bool(sample.depth) for sample in sequence.samples()] == [True, True, False, False, True]


def test_an_odometry_sequence(tmp_path: Path) -> None:
    odometry_sequence(tmp_path / "kitti")
    sequence = made(tmp_path / "out", tmp_path / "kitti", beams=32)
    assert sequence.name == "odometry_07"
    np.testing.assert_allclose(sequence.calibration.T_left_lidar, T_LEFT_LIDAR, atol=1e-6)
    for sample in sequence.samples():
        assert sample.motion_m == pytest.approx(0.1) and sample.stamp_ns == sample.index * 100_000_000
        depth = sequence.depth(sample.index, "right")
        np.testing.assert_allclose(depth[np.isfinite(depth)], wall_depth(sample.index), atol=0.5 / 256 + 1e-3)
    step = np.linalg.inv(sequence.samples()[1].T_odom_left[1]) @ sequence.samples()[1].T_odom_left[2]
    np.testing.assert_allclose(step[:3, 3], [0, 0, 0.1], atol=1e-9)


def test_oxts_by_hand() -> None:
    """At 49° north, 1e-5° of longitude is 6378137 * cos 49° * π / 180 * 1e-5 = 0.7303 m east, of latitude 1.1132 m."""
    packet = np.zeros(30)
    packet[:6] = 49.0, 8.0, 100.0, 0.0, 0.0, np.pi / 2
    east, north = packet.copy(), packet.copy()
    east[1] += 1e-5
    north[0] += 1e-5
    origin = oxts_pose(packet, 49.0)
    np.testing.assert_allclose(oxts_pose(east, 49.0)[:3, 3] - origin[:3, 3], [0.73031, 0, 0], atol=1e-4)
    np.testing.assert_allclose(oxts_pose(north, 49.0)[:3, 3] - origin[:3, 3], [0, 1.11320, 0], atol=1e-4)
    np.testing.assert_allclose(origin[:3, 0], [0, 1, 0], atol=1e-12)  # facing north


def test_stamps_keep_their_nanoseconds(tmp_path: Path) -> None:
    (tmp_path / "timestamps.txt").write_text("2011-09-26 13:02:25.964389445\n2011-09-26 13:02:26\n")
    assert read_stamps(tmp_path / "timestamps.txt") == [1_317_042_145_964_389_445, 1_317_042_146 * 10**9]
    assert read_stamps(tmp_path / "none.txt") == []


# ------------------------------------------------------------------------------------------------ the real drive


def bag_of(folder: Path, path: Path, frames: int) -> Path:
    """The first frames of a real drive as a bag, with the transform that the folder's own files give."""
    layout = kitti_raw(folder, DatasetOptions())
    camera, T = layout.rig.left, layout.rig.T_left_lidar
    assert T is not None
    content = [("/tf_static", T0, tf_static_message([StaticTransform("left", "lidar", T)]))]
    for i in range(frames):
        stamp = T0 + i * 100_000_000
        points = read_scan(layout.scans[i])
        dtype = np.dtype([(name, "<f4") for name in ("x", "y", "z", "intensity")])
        cloud = messages.points_message(TYPES, points.copy().view(dtype).reshape(-1), stamp, "lidar")
        image = messages.image_message(TYPES, read_image(layout.images["left"][i]), "rgb8", stamp, "left")
        content += [
            ("/image_rect", stamp, image),
            ("/camera_info", stamp, messages.camera_info_message(TYPES, camera, stamp, "left")),
            ("/lidar", stamp, cloud),
        ]
    return rec.rosbag2(path, content)


@pytest.mark.parametrize("beams", [0, 4])
def test_a_real_drive_and_its_bag_give_the_same_pixels(shared_data: Path, tmp_path: Path, beams: int) -> None:
    folder = shared_data / "kitti_raw_0926_cam2_velo"
    options = {"beams": beams, "size": "192x640", "image_format": "jpg"}
    raw = made(tmp_path / "raw", folder, **options)
    bag = made(tmp_path / "bag", bag_of(folder, tmp_path / "drive", 8), **options)
    for i in range(8):
        assert bag.depth_path(i).read_bytes() == raw.depth_path(i).read_bytes()
        assert bag.image_path(i).read_bytes() == raw.image_path(i).read_bytes()


def test_a_real_drive_agrees_with_the_bag_that_others_made(
    shared_data: Path, shared_tools: Path, tmp_path: Path
) -> None:
    """Their transform is rounded to another quaternion: a few points fall on the neighbouring pixel or step."""
    folder = shared_data / "kitti_raw_0926_cam2_velo"
    subprocess.run(
        [sys.executable, shared_tools / "make_bags.py", tmp_path / "bags", "kitti_lidar"],
        check=True,
        capture_output=True,
    )
    raw = made(tmp_path / "raw", folder, size="192x640")
    bag = made(tmp_path / "bag", tmp_path / "bags" / "kitti_lidar", size="192x640")
    for i in range(0, 30, 10):
        ours, theirs = raw.depth(i), bag.depth(i)
        both = np.isfinite(ours) & np.isfinite(theirs)
        assert both.sum() > 0.999 * max(np.isfinite(ours).sum(), np.isfinite(theirs).sum())
        assert np.mean(ours[both] == theirs[both]) > 0.999
