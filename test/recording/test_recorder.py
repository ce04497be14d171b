"""The recorder without ROS: recordings, snapshots, hard examples, transforms, a disk that fills, memory."""

from __future__ import annotations

import itertools
import shutil
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from recorder_world import (
    CALIBRATION,
    CAMERA,
    CLOUD,
    DEPTH_QUALITY,
    INFO,
    JAZZY,
    MS,
    ODOMETRY,
    STATIC,
    T0,
    calibration,
    drive,
    header,
    image,
    message,
    names_in_file,
    numbers,
    quality,
    read,
    static,
    topic,
)  # fmt: skip

from depth_perception.bags import open_bag
from depth_perception.bags.transforms import transform_tree
from depth_perception.config import from_flat
from depth_perception.errors import BagError, ConfigError
from depth_perception.health import Level
from depth_perception.recording.config import RecorderConfig
from depth_perception.recording.recorder import Recorder
from depth_perception.recording.recovery import recover_left_behind
from depth_perception.recording.report import report

Make = Callable[..., Recorder]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Recorders into tmp_path whose recordings are called drive_1, drive_2, …"""
    made: list[Recorder] = []

    def make(**options: object) -> Recorder:
        values = {"directory": str(tmp_path), "min_free_mb": 0.0} | {
            k.replace("__", "."): v for k, v in options.items()
        }
        count = itertools.count(1)
        made.append(Recorder(from_flat(values, RecorderConfig), stamp=lambda: str(next(count))))
        return made[-1]

    yield make
    for recorder in made:
        recorder.close()


def put(recorder: Recorder, *messages: object) -> None:
    for one in messages:
        recorder.put(one)  # type: ignore[arg-type]


def level(recorder: Recorder, name: str) -> tuple[Level, str]:
    status = next(status for status in report(recorder, {}, []) if status.name == name)
    return status.level, status.message


def test_start_and_stop(make: Make, tmp_path: Path) -> None:
    recorder = make()
    put(recorder, static("lens", T0), calibration(1.0, T0), *drive(5))
    assert level(recorder, "recording") == (Level.OK, "not recording: call ~/start")
    recorder.start()
    with pytest.raises(BagError, match="recording already"):
        recorder.start()
    put(recorder, *drive(5, first=5))
    assert recorder.stop() == f"{tmp_path}/drive_1: 7 messages in 1 files"
    with pytest.raises(BagError, match="not recording"):
        recorder.stop()
    put(recorder, *drive(5, first=10))
    recorder.start()
    put(recorder, *drive(5, first=15))
    recorder.stop()
    assert numbers(tmp_path / "drive_1") == [5, 6, 7, 8, 9] and numbers(tmp_path / "drive_2") == list(range(15, 20))
    for name in ("drive_1", "drive_2"):  # heard before either began
        assert set(names_in_file(tmp_path / name / f"{name}_0.mcap")[:3]) == {
            STATIC.name,
            CALIBRATION.name,
            CAMERA.name,
        }


def test_stopping_before_anything_came_leaves_nothing(make: Make, tmp_path: Path) -> None:
    recorder = make()
    recorder.start()
    assert recorder.stop() == "nothing came: no recording was made" and list(tmp_path.iterdir()) == []


def test_what_comes_is_what_is_written_to_the_byte(make: Make, tmp_path: Path) -> None:
    recorder = make(split__max_mb=0.5, chunk_mb=0.1)
    recorder.start()
    sent = [*drive(60, pixels=40_000)]
    put(recorder, *sent)
    recorder.close()
    with open_bag(tmp_path / "drive_1") as bag:
        assert [bytes(raw.data) for raw in bag.raw()] == [one.data for one in sent]
    assert recorder.dropped.total() == 0 and recorder.closed[0].files == 5
    counted = recorder.statistics.of(CAMERA.name)
    assert (counted.messages, counted.bytes) == (60, sum(len(one.data) for one in sent))


def test_a_type_that_changes_begins_a_new_recording(make: Make, tmp_path: Path) -> None:
    recorder = make()
    recorder.start()
    renamed = topic(CAMERA.name, INFO, "image")
    put(recorder, static("lens", T0), *drive(3))
    put(recorder, calibration(1.0, T0 + 900 * MS)._replace(topic=renamed), static("other", T0 + 901 * MS))
    recorder.close()
    assert numbers(tmp_path / "drive_1") == [0, 1, 2]
    again = [(name, message.__msgtype__) for name, _, message in read(tmp_path / "drive_2")]
    tf = "tf2_msgs/msg/TFMessage"
    assert sorted(again) == [(CAMERA.name, INFO), (STATIC.name, tf), (STATIC.name, tf)]


def test_a_queue_that_is_full_is_said(make: Make, tmp_path: Path) -> None:
    recorder = make(queue_mb=1.0)
    recorder.start()
    with recorder._lock:  # the writing thread is held up, as by a slow disk
        put(recorder, *drive(30, pixels=100_000))
    recorder.stop()
    kept = numbers(tmp_path / "drive_1")
    dropped = recorder.dropped[CAMERA.name]
    assert kept[:9] == list(range(9)) and dropped == 30 - len(kept) > 10
    found, text = level(recorder, "recording")
    assert found == Level.OK  # nothing is recorded now
    recorder.start()
    put(recorder, image(99, T0))
    recorder._step()
    found, text = level(recorder, "recording")
    assert found == Level.WARN and f"{dropped} messages dropped" in text


def test_a_disk_that_fills_ends_the_recording_cleanly(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = [10**9]
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=free[0]))
    recorder = make(min_free_mb=500.0)
    recorder.start()
    put(recorder, *drive(5))
    free[0] = 499 * 10**6
    recorder._space_at = -np.inf
    recorder._step()
    assert not recorder.recording and numbers(tmp_path / "drive_1") == [0, 1, 2, 3, 4]
    found, text = level(recorder, "recording")
    assert found == Level.ERROR and "499 MB are free" in text and "call ~/start" in text
    with pytest.raises(BagError, match="499 MB are free"):
        recorder.start()
    free[0] = 10**9
    recorder.start()
    put(recorder, image(7, T0))
    recorder.stop()
    assert numbers(tmp_path / "drive_2") == [7]


def test_an_error_of_the_disk_is_said_and_counted(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from depth_perception.bags.mcap_writer import McapWriter

    recorder = make(chunk_mb=0.1)
    recorder.start()
    put(recorder, *drive(20, pixels=30_000))
    recorder._step()
    real, calls = McapWriter._write, []

    def full(self: McapWriter, *pieces: bytes) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise OSError(28, "No space left on device")
        real(self, *pieces)

    monkeypatch.setattr(McapWriter, "_write", full)
    put(recorder, *drive(20, pixels=30_000, first=20))
    recorder._step()
    found, text = level(recorder, "recording")
    assert found == Level.ERROR and "No space left on device" in text
    kept = numbers(tmp_path / "drive_1")
    assert kept == list(range(len(kept))) and 16 <= len(kept) < 24
    assert recorder.dropped[CAMERA.name] in (3, 4)  # the chunk's


def test_a_snapshot_is_the_last_seconds_with_geometry_and_calibration(make: Make, tmp_path: Path) -> None:
    recorder = make(snapshot__enabled=True, snapshot__seconds=2.0)
    put(recorder, static("lens", T0), calibration(100.0, T0 + 1))
    put(recorder, *drive(100, every_ns=100 * MS))
    said = recorder.snapshot("because")
    recorder._snapshots.wait()
    folder = tmp_path / "drive_snapshot_1"
    assert said.startswith(f"{folder}: 2.0 s, 21 messages")
    assert numbers(folder) == list(range(79, 100))
    found = read(folder)
    assert [name for name, _, _ in found[:3]] == [STATIC.name, CALIBRATION.name, CAMERA.name]
    assert {at for _, at, _ in found[:3]} == {7900 * MS}
    about = yaml.safe_load((folder / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    assert about["custom_data"] == {"why": "because"}
    with pytest.raises(BagError, match="nothing is in memory"):
        recorder.snapshot("again")
    put(recorder, *drive(3, every_ns=100 * MS, first=100))
    recorder.snapshot("again")
    recorder._snapshots.wait()
    assert numbers(tmp_path / "drive_snapshot_2") == [100, 101, 102]  # no message in two of them
    assert [name for name, _, _ in read(tmp_path / "drive_snapshot_2")[:2]] == [STATIC.name, CALIBRATION.name]


def test_snapshots_beside_a_recording(make: Make, tmp_path: Path) -> None:
    recorder = make(snapshot__enabled=True, snapshot__seconds=1.0)
    recorder.start()
    put(recorder, *drive(50, every_ns=100 * MS))
    recorder.snapshot("because")
    put(recorder, *drive(50, every_ns=100 * MS, first=50))
    recorder.close()
    assert numbers(tmp_path / "drive_1") == list(range(100))
    assert numbers(tmp_path / "drive_snapshot_2") == list(range(39, 50))


def test_a_snapshot_holds_a_topic_by_its_newest_type(make: Make, tmp_path: Path) -> None:
    recorder = make(snapshot__enabled=True, snapshot__seconds=60.0)
    renamed = topic(CAMERA.name, INFO, "image")
    put(recorder, static("lens", T0), *drive(3))
    put(recorder, calibration(1.0, T0 + 900 * MS)._replace(topic=renamed))
    recorder.snapshot("because")
    recorder._snapshots.wait()
    assert [(name, message.__msgtype__) for name, _, message in read(tmp_path / "drive_snapshot_1")] == [
        (STATIC.name, "tf2_msgs/msg/TFMessage"),
        (CAMERA.name, INFO),
    ]
    assert "3 of a former type left out" in recorder.said["last"]


def test_a_disk_that_is_full_is_said_of_a_snapshot_too(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    from depth_perception.bags.mcap_writer import McapWriter

    def full(self: McapWriter, *pieces: bytes) -> None:
        raise OSError(28, "No space left on device")

    recorder = make(snapshot__enabled=True)
    put(recorder, *drive(30))
    monkeypatch.setattr(McapWriter, "_write", full)
    recorder.snapshot("because")
    recorder._snapshots.wait()
    found, text = level(recorder, "snapshot")
    assert found == Level.ERROR and "No space left on device" in text
    assert recorder.ring._leaving == 0  # its memory is free again


def test_without_snapshots_none_is_taken(make: Make) -> None:
    with pytest.raises(BagError, match=r"set snapshot\.enabled"):
        make().snapshot("because")


def test_memory_has_its_bound(make: Make, tmp_path: Path) -> None:
    """200 MB come; 20 MB may be kept, 10 MB may wait, and a chunk is on its way."""
    recorder = make(snapshot__enabled=True, snapshot__seconds=60.0, snapshot__max_mb=20.0, queue_mb=10.0)
    recorder.start()
    data = np.random.default_rng(0).integers(0, 256, 1_000_000, np.uint8).tobytes()
    base = image(0, T0)
    tracemalloc.start()
    for number in range(200):
        recorder.put(base._replace(log_time_ns=T0 + number * 33 * MS, data=data[number:] + data[:number]))
        if number % 5 == 4:
            recorder._step()
        if number == 150:
            recorder.snapshot("because")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    recorder.close()
    assert peak < 60e6
    assert recorder.ring.is_short and level(recorder, "snapshot")[0] == Level.WARN


HARD = {"snapshot__enabled": True, "hard__enabled": True, "hard__for_s": 0.5, "hard__cooldown_s": 10.0}


def test_bad_depth_takes_a_snapshot_once_in_a_while(make: Make, tmp_path: Path) -> None:
    recorder = make(**HARD, snapshot__seconds=1.0)
    for number in range(400):  # 40 s at 10 Hz; bad from 5.0 s to 5.3 s, and from 10 s on
        at = T0 + number * 100 * MS
        bad = 50 <= number <= 53 or number >= 100
        put(recorder, image(number, at), quality(at, abs_rel=0.4 if bad else 0.1, inlier_share=0.9))
        recorder._step()
        recorder._snapshots.wait()
    folders = sorted(tmp_path.iterdir(), key=lambda path: int(path.name.rpartition("_")[2]))
    assert [numbers(folder)[-1] for folder in folders] == [105, 205, 305]  # half a second, then every ten
    assert numbers(folders[0]) == list(range(95, 106))
    about = yaml.safe_load((folders[0] / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    assert about["custom_data"] == {"why": "abs_rel 0.4 is more than 0.25"}


@pytest.mark.parametrize(
    ("values", "bad"),
    [
        ({"abs_rel": 0.26}, True),
        ({"abs_rel": 0.25, "inlier_share": 0.5, "valid_share": 0.0}, False),
        ({"inlier_share": 0.49}, True),
        ({"abs_rel": float("nan"), "inlier_share": float("nan")}, False),  # nothing measured it
        ({}, False),
    ],
)
def test_what_is_bad(make: Make, values: dict[str, float], bad: bool) -> None:
    recorder = make(snapshot__enabled=True, hard__enabled=True, hard__for_s=0.0)
    put(recorder, image(0, T0), quality(T0 + 1, **values))
    recorder._step()
    recorder._snapshots.wait()
    assert bool(recorder.said.get("last")) == bad


def test_a_damaged_quality_message_is_no_reason(make: Make) -> None:
    recorder = make(snapshot__enabled=True, hard__enabled=True, hard__for_s=0.0)
    put(recorder, image(0, T0), quality(T0, abs_rel=9.0)._replace(data=b"\0\1\0\0\xff"))
    recorder._step()
    assert recorder.said == {} and recorder.problem == "" and DEPTH_QUALITY.role == "depth/quality"


LIDAR, ODOM = topic("/velodyne", CLOUD, "lidar/points"), topic("/odom", ODOMETRY, "odom")
T_CAM_LIDAR, T_CAM_BASE = "0.1 -0.2 0.3 0.5 -0.5 0.5 0.5", "1 2 3 0 0 0 1"


def cloud(at_ns: int) -> object:
    content = JAZZY.types[CLOUD](
        header=header("velo", at_ns), height=1, width=0, fields=[], is_bigendian=False, point_step=16, row_step=0,
        data=np.zeros(0, np.uint8), is_dense=True,
    )  # fmt: skip
    return message(LIDAR, at_ns, content)


def odometry(at_ns: int) -> object:
    types, zero = JAZZY.types, {"x": 0.0, "y": 0.0, "z": 0.0}
    vector = types["geometry_msgs/msg/Vector3"](**zero)
    pose = types["geometry_msgs/msg/Pose"](
        types["geometry_msgs/msg/Point"](**zero), types["geometry_msgs/msg/Quaternion"](**zero, w=1.0)
    )
    content = types[ODOMETRY](
        header=header("odom", at_ns), child_frame_id="base_link",
        pose=types["geometry_msgs/msg/PoseWithCovariance"](pose, np.zeros(36)),
        twist=types["geometry_msgs/msg/TwistWithCovariance"](
            types["geometry_msgs/msg/Twist"](vector, vector), np.zeros(36)
        ),
    )  # fmt: skip
    return message(ODOM, at_ns, content)


def test_mountings_become_transforms_between_the_sensors_own_frames(make: Make, tmp_path: Path) -> None:
    recorder = make(lidar__T_cam_lidar=T_CAM_LIDAR, odometry__T_cam_base=T_CAM_BASE, imu__T_cam_imu=T_CAM_BASE)
    recorder.start()
    put(recorder, image(0, T0), cloud(T0 + 1), image(1, T0 + 2), odometry(T0 + 3), image(2, T0 + 4))
    recorder._step()
    assert recorder.state()["mountings without frames yet"] == "imu.T_cam_imu"
    recorder.close()
    with open_bag(tmp_path / "drive_1") as bag:
        tree = transform_tree(bag)
        assert bag.channels["/tf_static"].latched
    assert tree.frames == ("base_link", "lens", "velo")
    # p_cam = T @ p_lidar: x of the LiDAR (ahead) is z of the lens; the inverse would put it elsewhere
    np.testing.assert_allclose(tree.lookup("lens", "velo") @ [5.0, 0, 0, 1], [0.1, -0.2, 5.3, 1], atol=1e-12)
    np.testing.assert_allclose(tree.lookup("lens", "base_link") @ [0, 0, 0, 1.0], [1, 2, 3, 1], atol=1e-12)


def test_what_tf_static_says_is_not_said_again(make: Make, tmp_path: Path) -> None:
    recorder = make(lidar__T_cam_lidar=T_CAM_LIDAR)
    recorder.start()
    put(recorder, static("velo", T0), image(0, T0 + 1), cloud(T0 + 2))
    recorder.close()
    with open_bag(tmp_path / "drive_1") as bag:
        assert transform_tree(bag).frames == ("base", "velo") and bag.topics["/tf_static"].count == 1


def test_a_mounting_that_is_none(make: Make) -> None:
    with pytest.raises(ConfigError, match="has 2 numbers"):
        make(lidar__T_cam_lidar="1 2")


def test_a_directory_that_cannot_be_made(make: Make, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BagError, match="can't be made"):
        make(directory=str(tmp_path / "file" / "out"))


def test_a_bug_stops_the_recording_and_is_said(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = make()
    recorder.start()
    put(recorder, *drive(3))
    recorder._step()
    monkeypatch.setattr(recorder, "_take", lambda message: 1 / 0)
    put(recorder, image(3, T0))
    recorder._step()
    assert level(recorder, "recording")[0] == Level.ERROR and "ZeroDivisionError" in recorder.problem
    assert numbers(tmp_path / "drive_1") == [0, 1, 2]


def test_two_recordings_in_one_second_have_two_names(tmp_path: Path) -> None:
    recorder = Recorder(RecorderConfig(directory=str(tmp_path), min_free_mb=0.0), stamp=lambda: "now")
    for _ in range(3):
        recorder.start()
        put(recorder, image(0, T0))
        recorder.stop()
    recorder.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["drive_now", "drive_now-2", "drive_now-3"]
    assert recover_left_behind(tmp_path) == []


def test_gaps_losses_and_rates_are_counted(make: Make) -> None:
    recorder = make()
    times = [i * 33 for i in range(30)] + [29 * 33 + 500 + i * 33 for i in range(30)]
    put(recorder, *(image(i, T0 + at * MS) for i, at in enumerate(times)))
    for number in (1, 2, 3, 7, 8, 10):
        recorder.statistics.numbered(CAMERA.name, b"gid", number)
    recorder.statistics.numbered(CAMERA.name, b"other", 50)  # another publisher has its own numbers
    recorder.statistics.subscribed_anew(CAMERA.name)
    recorder.statistics.numbered(CAMERA.name, b"gid", 99)
    found = recorder.statistics.of(CAMERA.name)
    assert (found.messages, found.lost, found.gaps) == (60, 4, 1) and found.longest_gap_s == pytest.approx(0.5)
    assert found.rate_hz(T0 + times[-1] * MS) == pytest.approx(59 / (times[-1] / 1e3))
    recorder.put(image(7, 5 * 10**9)._replace(topic=LIDAR), arrived_ns=T0)  # a simulated clock
    recorder.put(image(8, 5 * 10**9)._replace(topic=LIDAR), arrived_ns=T0 + 100 * MS)
    assert recorder.statistics.topics.pop(LIDAR.name).rate_hz(T0 + 100 * MS) == pytest.approx(10.0, rel=1e-4)
    [line] = recorder.statistics.lines(T0 + times[-1] * MS, recorder.dropped).values()
    recorder.start()
    put(recorder, image(99, T0))
    recorder._step()
    assert level(recorder, "recording") == (
        Level.WARN,
        "recording to drive_1/drive_1_0.mcap: 0.0 MB; 4 messages never came: too little CPU time, or the network",
    )
    assert "60 messages" in line and "0 dropped, 4 lost, 1 gaps (longest 0.50 s)" in line
