"""A recording grows file by file; at every moment, whatever is called .mcap opens everywhere."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from recorder_world import (
    CALIBRATION,
    CAMERA,
    INFO,
    JAZZY,
    MS,
    STATIC,
    T0,
    calibration,
    drive,
    image,
    message,
    names_in_file,
    numbers,
    numbers_in_file,
    read,
    static,
    topic,
)  # fmt: skip

from depth_perception.bags import open_bag
from depth_perception.recording.repeated import Repeated
from depth_perception.recording.rolling_bag import Layout, RollingBag

ROOT = Path(__file__).resolve().parents[2]


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def rolling(path: Path, clock: Callable[[], float] = Clock(), **layout: object) -> RollingBag:  # noqa: B008
    return RollingBag(path, Layout(**layout), lambda _: (), clock)  # type: ignore[arg-type]


def mcaps(path: Path) -> list[str]:
    return sorted(file.name for file in path.iterdir() if file.name != "metadata.yaml")


def test_others_read_what_is_written(tmp_path: Path) -> None:
    bag = rolling(tmp_path / "drive")
    sent = [static("lens", T0), calibration(100.0, T0 + 1), *drive(20, pixels=300_000)]
    for one in sent:
        bag.write(one)
    closed = bag.close()
    assert (closed.files, closed.messages, closed.lost, closed.problem) == (1, 22, {}, "")
    assert closed.bytes == (tmp_path / "drive" / "drive_0.mcap").stat().st_size
    assert numbers(tmp_path / "drive") == numbers_in_file(tmp_path / "drive" / "drive_0.mcap") == list(range(20))
    with open_bag(tmp_path / "drive") as ours:
        assert not ours.problems and [bytes(raw.data) for raw in ours.raw()] == [m.data for m in sorted_by_time(sent)]
        assert ours.channels["/tf_static"].latched and not ours.channels["/lens/image"].latched


def sorted_by_time(messages: list) -> list:
    return sorted(messages, key=lambda message: message.log_time_ns)


def test_both_times_are_kept(tmp_path: Path) -> None:
    from mcap.reader import make_reader

    bag = rolling(tmp_path / "drive")
    bag.write(image(0, T0))
    bag.close()
    with (tmp_path / "drive" / "drive_0.mcap").open("rb") as file:
        [(_, _, found)] = make_reader(file).iter_messages()
    assert (found.log_time, found.publish_time) == (T0, T0 - MS)


def test_split_by_size(tmp_path: Path) -> None:
    """A file ends before the message that comes when it is full; chunks that wait count."""
    bag = rolling(tmp_path / "drive", max_bytes=1_000_000, chunk_bytes=250_000)
    for one in drive(30, pixels=100_000):
        bag.write(one)
    assert bag.close().files == 3
    files = [tmp_path / "drive" / f"drive_{i}.mcap" for i in range(3)]
    assert all(900_000 < file.stat().st_size < 1_200_000 for file in files[:2])
    assert [number for file in files for number in numbers_in_file(file)] == numbers(tmp_path / "drive")
    assert numbers(tmp_path / "drive") == list(range(30))


def test_split_by_time_and_what_the_folder_says_meanwhile(tmp_path: Path) -> None:
    clock, folder = Clock(), tmp_path / "drive"
    bag = rolling(folder, clock, max_s=1.0)
    for number, one in enumerate(drive(25, every_ns=100 * MS)):
        clock.now = number * 0.1 + 1e-6 * number
        bag.write(one)
    assert mcaps(folder) == ["drive_0.mcap", "drive_1.mcap", "drive_2.mcap.active"]
    assert numbers(folder) == list(range(20))  # whoever looks now: metadata.yaml names whole files only
    about = yaml.safe_load((folder / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    assert [f["message_count"] for f in about["files"]] == [10, 10] and about["message_count"] == 20
    assert about["files"][1]["starting_time"] == {"nanoseconds_since_epoch": T0 + 1000 * MS}
    assert about["duration"] == {"nanoseconds": 1900 * MS}
    bag.close()
    assert mcaps(folder) == ["drive_0.mcap", "drive_1.mcap", "drive_2.mcap"] and numbers(folder) == list(range(25))


def test_only_the_last_files_are_kept(tmp_path: Path) -> None:
    clock, folder = Clock(), tmp_path / "drive"
    bag = rolling(folder, clock, max_s=1.0, keep_files=2)
    for number, one in enumerate(drive(45, every_ns=100 * MS)):
        clock.now = number * 0.1 + 1e-6 * number
        bag.write(one)
        assert len(mcaps(folder)) <= 3
    closed = bag.close()
    assert mcaps(folder) == ["drive_3.mcap", "drive_4.mcap"] and numbers(folder) == list(range(30, 45))
    assert (closed.files, closed.messages, closed.lost) == (2, 15, {})


def test_each_file_begins_with_what_it_needs(tmp_path: Path) -> None:
    repeated, clock = Repeated(), Clock()
    bag = RollingBag(tmp_path / "drive", Layout(max_s=1.0), repeated.at, clock)
    sent = [static("lens", T0), static("lidar", T0), calibration(100.0, T0), *drive(25, every_ns=100 * MS)]
    for number, one in enumerate(sent):
        clock.now = number * 0.1 + 1e-6 * number
        bag.write(one)
        repeated.add(one)
    bag.close()
    for i in (1, 2):
        names = names_in_file(tmp_path / "drive" / f"drive_{i}.mcap")
        assert sorted(names[:4]) == [CALIBRATION.name, CAMERA.name, STATIC.name, STATIC.name]
        assert set(names[4:]) == {CAMERA.name}
    assert names_in_file(tmp_path / "drive" / "drive_0.mcap").count(STATIC.name) == 2
    assert numbers(tmp_path / "drive") == list(range(25))


def test_an_old_chunk_is_written_though_it_is_small(tmp_path: Path) -> None:
    clock = Clock()
    bag = rolling(tmp_path / "drive", clock, chunk_s=1.0)
    bag.write(image(0, T0))
    clock.now = 0.9
    bag.tick()
    active = tmp_path / "drive" / "drive_0.mcap.active"
    before = active.stat().st_size
    clock.now = 1.0
    bag.tick()
    assert active.stat().st_size > before + 1000
    with open_bag(tmp_path / "drive") as bag_on_disk:  # our reader, while it is being written
        assert bag_on_disk.topics[CAMERA.name].count == 1 and "no end" in bag_on_disk.problems[-1]
    bag.close()


def test_a_topic_has_one_type(tmp_path: Path) -> None:
    bag = rolling(tmp_path / "drive")
    bag.write(image(0, T0))
    assert bag.takes(CAMERA) and not bag.takes(topic(CAMERA.name, INFO)) and bag.takes(topic("/other", INFO))


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "drive").mkdir()
    with pytest.raises(FileExistsError):
        rolling(tmp_path / "drive")


FULL = """
import resource, sys
from pathlib import Path
from recorder_world import drive
from depth_perception.recording.rolling_bag import Layout, RollingBag
resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))  # the kernel takes a part of a write, then no more
bag = RollingBag(Path(sys.argv[1]), Layout(chunk_bytes=400_000, compression=sys.argv[2]), lambda _: ())
written = 0
try:
    for one in drive(60, pixels=100_000):
        bag.write(one)
        written += 1
except OSError as error:
    print("full", error.errno)
closed = bag.close()
print(written, closed.messages, closed.lost.total(), repr(closed.problem))
"""


@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_a_disk_that_is_full_costs_one_chunk_and_leaves_a_whole_file(tmp_path: Path, compression: str) -> None:
    command = [sys.executable, "-c", FULL, str(tmp_path / "drive"), compression]
    environment = {"PYTHONPATH": f"{ROOT}:{ROOT / 'test'}", "PATH": ""}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    full, counts = done.stdout.splitlines()
    written, messages, lost, problem = counts.split(maxsplit=3)
    assert full.startswith("full") and problem == "''"
    assert 20 < int(messages) < 30 and int(messages) + int(lost) == int(written) + 1 and int(lost) <= 5
    assert mcaps(tmp_path / "drive") == ["drive_0.mcap"]
    assert numbers(tmp_path / "drive") == list(range(int(messages)))


def test_a_disk_without_room_for_the_end_keeps_what_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from depth_perception.bags.mcap_writer import McapWriter

    bag = rolling(tmp_path / "drive", chunk_bytes=250_000)
    for one in drive(10, pixels=100_000):
        bag.write(one)

    def full(self: McapWriter, *pieces: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(McapWriter, "_write", full)
        closed = bag.close()
    assert "isn't finished ([Errno 28] No space left on device)" in closed.problem and closed.lost == {CAMERA.name: 1}
    assert mcaps(tmp_path / "drive") == ["drive_0.mcap.active"]
    with open_bag(tmp_path / "drive") as found:
        assert found.topics[CAMERA.name].count == 9


def test_an_empty_recording_leaves_no_folder(tmp_path: Path) -> None:
    closed = rolling(tmp_path / "drive").close()
    assert closed.messages == 0 and not (tmp_path / "drive").exists()


def test_a_message_of_no_bytes_but_its_header(tmp_path: Path) -> None:
    empty = topic("/go", "std_msgs/msg/Empty")
    bag = rolling(tmp_path / "drive")
    bag.write(message(empty, T0, JAZZY.types["std_msgs/msg/Empty"]()))
    bag.close()
    assert [name for name, _, _ in read(tmp_path / "drive")] == ["/go"]
