"""Torn recordings become whole: by the command, at the next start, and on the fly in our reader."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from bags import recordings as rec
from mcap.writer import CompressionType, IndexType
from recorder_world import (
    CALIBRATION,
    CAMERA,
    STATIC,
    T0,
    calibration,
    drive,
    names_in_file,
    numbers,
    numbers_in_file,
    read,
    static,
)

from depth_perception import cli
from depth_perception.bags import open_bag
from depth_perception.bags.mcap_recovery import copy_whole, finish_in_place
from depth_perception.errors import BagError
from depth_perception.recording.recovery import recover, recover_left_behind
from depth_perception.recording.rolling_bag import Layout, RollingBag

ROOT = Path(__file__).resolve().parents[2]
COUNT = 20  # images of 100 kB, about four to a chunk


def recording(folder: Path, **layout: object) -> Path:
    bag = RollingBag(folder, Layout(chunk_bytes=350_000, **layout), lambda _: ())  # type: ignore[arg-type]
    for one in (static("lens", T0), calibration(1.0, T0), *drive(COUNT, pixels=100_000)):
        bag.write(one)
    bag.close()
    return folder / f"{folder.name}_0.mcap"


def torn(path: Path, size: int) -> Path:
    """The file as a kill leaves it after `size` bytes, in a folder of its own."""
    folder = path.parent.with_name(f"torn{size}")
    folder.mkdir()
    active = folder / f"torn{size}_0.mcap.active"
    active.write_bytes(path.read_bytes()[:size])
    return active


def whole_images(path: Path) -> list[int]:
    """What our reader makes of a torn file; the count that recovery must reach."""
    with open_bag(path) as bag:
        return [message.message.height for message in bag.messages([CAMERA.name])]


@pytest.mark.parametrize("compression", ["none", "lz4", "zstd"])
def test_a_file_cut_anywhere_opens_everywhere_and_loses_one_chunk(tmp_path: Path, compression: str) -> None:
    path = recording(tmp_path / "whole", compression=compression)
    size = path.stat().st_size
    for cut in sorted({*range(420_000, size, 91_123), size - 1, size - 60, size - 500}):
        active = torn(path, cut)
        expected = whole_images(active)
        assert len(expected) >= COUNT * cut // size - 5
        [outcome] = recover(active.parent)
        assert outcome.out == active.with_suffix("") and active.is_file()  # the original is kept
        assert outcome.messages == len(expected) + 2
        assert numbers(active.parent) == numbers_in_file(outcome.out) == expected == list(range(len(expected)))
        assert {name for name, _, _ in read(active.parent)} == {STATIC.name, CALIBRATION.name, CAMERA.name}
        with open_bag(active.parent) as bag:
            assert bag.problems == [] and bag.channels["/tf_static"].latched
        assert recover(active.parent) == []
        outcome.out.unlink()
        (active.parent / "metadata.yaml").unlink()
        [replaced] = recover(active, replace=True)
        assert numbers_in_file(replaced.out) == expected and not active.exists()


def test_the_end_is_cut_away_in_place_and_the_rest_is_untouched(tmp_path: Path) -> None:
    active = torn(recording(tmp_path / "whole"), 900_000)
    before, inode = active.read_bytes(), active.stat().st_ino
    done = finish_in_place(active)
    assert done is not None and "no end" in done.problem
    after = active.read_bytes()
    shared = next(i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b)
    assert shared > 600_000 and active.stat().st_ino == inode
    whole = numbers_in_file(active)
    assert whole == list(range(len(whole))) and done.messages == len(whole) + 2
    for size in range(shared + 1, len(after), 97):  # killed while it was finishing
        active.write_bytes(after[:size])
        finish_in_place(active)
        assert numbers_in_file(active) == whole


def test_damage_in_the_middle_costs_its_chunk(tmp_path: Path) -> None:
    path = recording(tmp_path / "whole", compression="zstd")
    active = torn(path, 1_500_000)
    before = whole_images(active)
    content = bytearray(active.read_bytes())
    content[700_000] ^= 0xFF
    active.write_bytes(content)
    out = tmp_path / "out.mcap"
    done = copy_whole(active, out)
    found = numbers_in_file(out)
    assert "no end" in done.problem and "1 damaged chunks left out" in done.problem
    assert set(found) < set(before) and 3 <= len(before) - len(found) <= 5


def test_without_the_chunk_that_named_a_topic_its_messages_are_nothing(tmp_path: Path) -> None:
    """The calibration comes in a later chunk than the images, whose channel is lost with the first."""
    folder = tmp_path / "whole"
    bag = RollingBag(folder, Layout(chunk_bytes=350_000, compression="zstd"), lambda _: ())
    for one in (*drive(5, pixels=100_000), calibration(1.0, T0 + 10**9), *drive(5, pixels=100_000, first=50)):
        bag.write(one)
    bag.close()
    active = torn(folder / "whole_0.mcap", (folder / "whole_0.mcap").stat().st_size - 200)
    content = bytearray(active.read_bytes())
    content[200_000] ^= 0xFF
    active.write_bytes(content)
    done = copy_whole(active, tmp_path / "out.mcap")
    assert names_in_file(tmp_path / "out.mcap") == [CALIBRATION.name] and done.messages == 1
    content = content[:600_000]
    active.write_bytes(content)
    with pytest.raises(BagError, match=r"holds no whole chunk|holds nothing that can be read"):
        copy_whole(active, tmp_path / "none.mcap")
    assert not (tmp_path / "none.mcap").exists()


@pytest.mark.parametrize("options", [{"chunked": False}, {"index": IndexType.NONE}, {}])
@pytest.mark.parametrize("compression", list(CompressionType))
def test_files_that_others_wrote(tmp_path: Path, compression: CompressionType, options: dict) -> None:
    """Without chunks, without indexes, and with everything; the name stays, the original too."""
    whole = rec.mcap(tmp_path / "a.mcap", [(rec.T0 + i, i) for i in range(13)], compression, **options)
    path = tmp_path / "b.mcap"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    expected = rec.values(open_bag(path))
    [outcome] = recover(path)
    assert outcome.out == tmp_path / "b_recovered.mcap" and len(expected) >= 3
    with open_bag(outcome.out) as bag:
        assert rec.values(bag) == expected and bag.problems == []
    [outcome] = recover(path, replace=True)
    assert outcome.out == path and rec.values(open_bag(path)) == expected
    assert recover(whole) == []


def test_a_folder_of_ros2_bag_record(tmp_path: Path) -> None:
    """No metadata.yaml, and the last file has no end: `ros2 bag reindex` refuses it."""
    folder = tmp_path / "bag"
    path = recording(folder, max_bytes=700_000)
    last = sorted(folder.glob("*.mcap"))[-1]
    kept = numbers(folder)[: -len(numbers_in_file(last))]
    last.write_bytes(last.read_bytes()[:500_000])
    (folder / "metadata.yaml").unlink()
    [outcome] = recover(folder)
    found = numbers(folder)
    assert outcome.source == last and last.is_file() and path.is_file()
    assert found[: len(kept)] == kept and found == list(range(len(found))) and len(found) > len(kept)
    assert recover(folder) == []


def test_a_file_that_holds_nothing_does_not_keep_the_rest_from_being_whole(tmp_path: Path) -> None:
    folder = tmp_path / "bag"
    recording(folder, max_bytes=700_000)
    last = sorted(folder.glob("*.mcap"))[-1]
    last.write_bytes(last.read_bytes()[:100])
    [outcome] = recover(folder)
    assert outcome.messages == 0 and "holds no whole chunk" in outcome.problem
    assert len(numbers(folder)) > 5


def test_what_a_kill_left_is_finished_at_the_next_start(tmp_path: Path) -> None:
    first = torn(recording(tmp_path / "whole"), 900_000)
    second = torn(tmp_path / "whole" / "whole_0.mcap", 100)  # killed before its first chunk
    third = second.with_name("torn100_1.mcap.active")
    third.write_bytes(b"")
    outcomes = recover_left_behind(tmp_path)
    assert [outcome.messages > 5 for outcome in outcomes].count(True) == 1
    assert not list(tmp_path.rglob("*.active")) and numbers(first.parent) == numbers_in_file(outcomes[-1].out)
    assert recover_left_behind(tmp_path) == []


def test_a_file_that_is_being_recorded_is_left_alone(tmp_path: Path) -> None:
    active = torn(recording(tmp_path / "whole"), 900_000)
    before = active.read_bytes()
    with active.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        for replace in (True, False):
            with pytest.raises(BagError, match="is being recorded right now"):
                recover(active, replace)
        assert recover_left_behind(tmp_path) == []
    assert active.read_bytes() == before and [p.name for p in active.parent.iterdir()] == [active.name]


def test_nothing_to_recover(tmp_path: Path) -> None:
    for name, content, message in (
        ("a.mcap", b"SQLite format 3\0", r"is no MCAP file: it starts with b'SQLite f'"),
        ("b.mcap", b"\x89MCAP0\r\n", "holds no whole chunk"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(BagError, match=message):
            recover(tmp_path / name)
    with pytest.raises(BagError, match="does not exist"):
        recover(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BagError, match=r"holds no \.mcap file"):
        recover(tmp_path / "empty")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mcap", "b.mcap", "empty"]


def test_a_disk_without_room_for_the_copy_leaves_nothing_half_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from depth_perception.recording import recovery

    active = torn(recording(tmp_path / "whole"), 900_000)

    def full(path: Path, out: Path) -> None:
        out.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(recovery, "copy_whole", full)
    assert cli.main(["recover", str(active)]) == 1
    assert [path.name for path in active.parent.iterdir()] == [active.name]
    assert cli.main(["recover", str(active), "--replace"]) == 0  # which needs no room
    assert [path.name for path in active.parent.iterdir()] == [active.with_suffix("").name]


def test_the_command_says_what_it_did(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    active = torn(recording(tmp_path / "whole"), 900_000)
    expected = len(whole_images(active)) + 2
    assert cli.main(["recover", str(active.parent)]) == 0
    said = capsys.readouterr().out
    assert f"{active} -> {active.with_suffix('')}: {expected} messages; the file has no end" in said
    assert cli.main(["recover", str(active.parent)]) == 0
    assert capsys.readouterr().out == f"{active.parent} is whole: nothing to do\n"


WRITER = """
import sys
from recorder_world import T0, calibration, drive, static
from depth_perception.config import from_flat
from depth_perception.recording.config import RecorderConfig
from depth_perception.recording.recorder import Recorder
options = {"directory": sys.argv[1], "chunk_mb": 0.5, "split.max_mb": 3.0, "min_free_mb": 0.0}
recorder = Recorder(from_flat(options, RecorderConfig))
recorder.start()
recorder.put(static("lens", T0))
recorder.put(calibration(1.0, T0))
images = list(drive(40, pixels=60_000))
number = 0
while True:
    for one in images:
        recorder.put(one._replace(log_time_ns=T0 + number * 1_000_000))
        number += 1
        if number % 5 == 0:
            recorder._step()  # the thread of its own does it too, but when it likes
            print(number, flush=True)
"""


@pytest.mark.parametrize("seed", range(18))
def test_killed_at_a_random_moment(tmp_path: Path, seed: int) -> None:
    """SIGKILL after so many messages: nothing is lost but the last chunk, and what waited for it."""
    import random

    moment = random.Random(seed).randrange(10, 700)
    environment = {"PYTHONPATH": f"{ROOT}:{ROOT / 'test'}", "PATH": os.environ["PATH"]}
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None
    seen = 0
    while seen < moment:
        seen = int(process.stdout.readline())
    process.kill()
    rest = process.stdout.read().split()
    process.wait()
    process.stdout.close()
    put = max([seen, *map(int, rest)]) + 5
    [folder] = tmp_path.iterdir()
    on_the_fly = log_times(folder) if any(folder.iterdir()) else []
    shutil.copytree(folder, tmp_path / "copy")
    if list(folder.glob("*.active")) and on_the_fly:
        recover(tmp_path / "copy", replace=bool(seed % 2))
    recover_left_behind(tmp_path)
    assert not list(folder.glob("*.active"))
    if not on_the_fly:
        assert seen < 15
        return
    found = [at for name, at, _ in read(folder) if name == CAMERA.name]
    assert found == on_the_fly == [number * 1_000_000 for number in range(len(found))]
    for file in folder.glob("*.mcap"):
        assert numbers_in_file(file)
    if list((tmp_path / "copy").glob("*.mcap")):
        assert [at for name, at, _ in read(tmp_path / "copy") if name == CAMERA.name] == found
    assert put - len(found) <= 9 + 5  # a chunk, and what had not been taken yet


def log_times(folder: Path) -> list[int]:
    """Of the images, by our own reader, in whatever state the folder is."""
    try:
        with open_bag(folder) as bag:
            return [raw.log_time_ns - T0 for raw in bag.raw([CAMERA.name])]
    except BagError:
        return []
