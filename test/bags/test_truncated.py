"""Recordings that lost their end, or have damage inside: what is whole is read, the rest is said."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import zstandard
from mcap.reader import make_reader
from mcap.writer import CompressionType, IndexType
from rosbags.rosbag2 import StoragePlugin

from depth_perception.bags import open_bag
from depth_perception.errors import BagError

from . import recordings as rec
from .recordings import T0, image

COUNT = 13  # images in seven chunks: the first holds schema, channel and one image, the others two images
DATA_END = b"\x0f\x04" + bytes(11)  # opcode, length, checksum (mcap's writer leaves it 0)


def chunk_ends(path: Path) -> list[int]:
    """End offsets of the chunks (their message indexes not included), by mcap's own reader."""
    with path.open("rb") as file:
        summary = make_reader(file).get_summary()
    assert summary is not None
    return [chunk.chunk_start_offset + chunk.chunk_length for chunk in summary.chunk_indexes]


def cut(path: Path, size: int) -> Path:
    """A copy of the first `size` bytes."""
    out = path.with_name(f"cut_{path.name}")
    out.write_bytes(path.read_bytes()[:size])
    return out


@pytest.mark.parametrize("compression", list(CompressionType))
@pytest.mark.parametrize("index", [IndexType.ALL, IndexType.NONE | IndexType.CHUNK])
def test_every_whole_chunk_of_a_cut_mcap_is_read(
    tmp_path: Path, compression: CompressionType, index: IndexType
) -> None:
    path = rec.mcap(tmp_path / "a.mcap", [(T0 + i, i) for i in range(COUNT)], compression, index=index)
    ends = chunk_ends(path)
    size = path.stat().st_size
    data_end = path.read_bytes().rindex(DATA_END) + len(DATA_END)
    assert len(ends) == 7
    for length in sorted({*range(60, size, 397), *ends, *(end - 1 for end in ends), *(end + 20 for end in ends)}):
        whole = sum(end <= length for end in ends)
        piece = cut(path, length)
        if whole == 0:
            with pytest.raises(BagError, match=r"holds no messages.*no end"):
                open_bag(piece)
            continue
        with open_bag(piece) as bag:
            count = 2 * whole - 1
            assert rec.values(bag) == list(range(count)), length
            assert bag.topics["/image"].count == count
            if length < data_end:
                assert f"{count} messages" in bag.problems[0]
            else:  # cut inside its summary: nothing is lost
                assert bag.problems == []


def test_cut_mcap_says_file_place_and_count(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = rec.mcap(tmp_path / "a.mcap", [(T0 + i, i) for i in range(COUNT)])
    ends = chunk_ends(path)
    piece = cut(path, ends[2] + 3)
    with open_bag(piece) as bag:
        assert bag.problems == [
            "cut_a.mcap: the file has no end (recorder killed?): "
            f"read up to byte {ends[2]} of {ends[2] + 3}, 5 messages"
        ]
    assert bag.problems[0] in caplog.text


def test_mcap_without_chunks_is_read_up_to_the_last_whole_message(tmp_path: Path) -> None:
    path = rec.mcap(tmp_path / "a.mcap", [(T0 + i, i) for i in range(COUNT)], chunked=False)
    content = path.read_bytes()
    payloads = [content.index(bytes([i]) * 144) + 144 for i in range(1, COUNT)]  # where each image's bytes end
    for i, end in enumerate(payloads, start=1):
        assert rec.values(open_bag(cut(path, end))) == list(range(i + 1))
        assert rec.values(open_bag(cut(path, end - 1))) == list(range(i))


def test_zeros_after_a_power_cut_are_the_end(tmp_path: Path) -> None:
    path = rec.mcap(tmp_path / "a.mcap", [(T0 + i, i) for i in range(COUNT)])
    content = path.read_bytes()[: chunk_ends(path)[3]]
    path.write_bytes(content + bytes(5000))
    with open_bag(path) as bag:
        assert rec.values(bag) == list(range(7))
        assert "no end" in bag.problems[0]


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("compression", [CompressionType.LZ4, CompressionType.ZSTD])
def test_damage_inside_costs_one_chunk(tmp_path: Path, compression: CompressionType, whole: bool) -> None:
    path = rec.mcap(tmp_path / "a.mcap", [(T0 + i, i) for i in range(COUNT)], compression)
    ends = chunk_ends(path)
    content = bytearray(path.read_bytes())
    content[ends[2] - 20] ^= 0xFF
    path.write_bytes(content if whole else content[: ends[4]])
    with open_bag(path) as bag:
        expected = [i for i in range(COUNT if whole else 9) if i not in (3, 4)]
        assert rec.values(bag) == expected
        assert sum("damaged and was left out" in problem for problem in bag.problems) == 1
        assert rec.values(bag) == expected
        assert sum("damaged and was left out" in problem for problem in bag.problems) == 1  # said once


def test_damage_inside_an_uncompressed_chunk_costs_one_message(tmp_path: Path) -> None:
    """A flipped bit of a picture is a wrong pixel; a record that runs beyond its chunk ends the chunk."""
    path = rec.mcap(tmp_path / "a.mcap", [(T0 + i, i) for i in range(COUNT)])
    content = bytearray(path.read_bytes())
    content[content.index(bytes([3]) * 144)] = 77
    length = 22 + len(rec.JAZZY.serialize_cdr(image(4, T0 + 4), rec.IMAGE))
    head = content.rindex(b"\x05" + length.to_bytes(8, "little"), 0, content.index(bytes([4]) * 144))
    content[head + 3] = 9  # now the record is longer than its chunk
    path.write_bytes(content)
    with open_bag(path) as bag:
        found = rec.values(bag)
        assert found == [0, 1, 2, 77, *range(5, COUNT)]
        assert "damaged and was left out: a record of" in bag.problems[0]


def test_damaged_chunk_that_introduced_its_topic(tmp_path: Path) -> None:
    """Schema and channel lie in the first chunk: without it nothing can be decoded, and that is said, not guessed."""
    path = rec.mcap(tmp_path / "a.mcap", [(T0 + i, i) for i in range(COUNT)], CompressionType.ZSTD)
    ends = chunk_ends(path)
    content = bytearray(path.read_bytes())[: ends[4]]
    content[ends[0] - 20] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(BagError, match="1 damaged chunk"):
        open_bag(path)


def test_cut_file_compression(tmp_path: Path) -> None:
    path = rec.mcap(tmp_path / "a.mcap", [(T0 + i, i) for i in range(COUNT)])
    content = path.read_bytes()
    squeezed = tmp_path / "b_0.mcap.zstd"
    squeezed.write_bytes(zstandard.compress(content))
    assert rec.values(open_bag(squeezed)) == list(range(COUNT))
    frames = b"".join(zstandard.compress(content[i : i + 500]) for i in range(0, len(content), 500))
    squeezed.write_bytes(frames[: len(frames) // 2])
    with open_bag(squeezed) as bag:
        found = rec.values(bag)
        assert 2 <= len(found) < COUNT and found == list(range(len(found)))
        assert "no end" in bag.problems[0]


def test_cut_sqlite_is_read_up_to_the_first_missing_page(tmp_path: Path) -> None:
    messages = [("/image", T0 + i, image(i, T0 + i, size=(40, 40))) for i in range(20)]
    folder = rec.rosbag2(tmp_path / "bag", messages, StoragePlugin.SQLITE3)
    storage = next(folder.glob("*.db3"))
    size = storage.stat().st_size
    counts = []
    for share in (0.9, 0.7, 0.5):
        piece = cut(storage, int(size * share))
        with open_bag(piece) as bag:
            found = rec.values(bag)
            assert found == list(range(len(found)))
            assert bag.topics["/image"].count == len(found)
            assert f"{len(found)} messages" in bag.problems[0] and "no end" in bag.problems[0]
            counts.append(len(found))
    assert 20 > counts[0] > counts[1] > counts[2] > 3


def test_write_ahead_log_of_a_killed_recorder_is_read(tmp_path: Path) -> None:
    folder = rec.rosbag2(tmp_path / "bag", [("/image", T0 + i, image(i)) for i in range(3)], StoragePlugin.SQLITE3)
    storage = next(folder.glob("*.db3"))
    connection = sqlite3.connect(storage)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("INSERT INTO messages SELECT id + 100, topic_id, timestamp + 100, data FROM messages")
    connection.commit()
    killed = tmp_path / "killed"
    killed.mkdir()
    for suffix in ("", "-wal"):
        shutil.copy(f"{storage}{suffix}", killed / f"{storage.name}{suffix}")
    connection.close()
    assert rec.values(open_bag(killed / storage.name)) == [0, 1, 2, 0, 1, 2]


def test_cut_ros1_bag_names_its_remedy(tmp_path: Path) -> None:
    path = rec.rosbag1(tmp_path / "a.bag", [("/image", T0 + i, image(i, T0 + i, rec.NOETIC)) for i in range(5)])
    with pytest.raises(BagError, match="rosbag reindex"):
        open_bag(cut(path, path.stat().st_size // 2))


def test_our_own_writer_killed_in_the_middle(tmp_path: Path) -> None:
    """SIGKILL: no handler runs, nothing is ended. Every chunk that was full is there."""
    script = """
import sys, time
from bags import recordings as rec
from depth_perception.bags import BagWriter
writer = BagWriter(sys.argv[1])
for i in range(11):  # 0.6 MB each: two fill a chunk of 1 MiB
    writer.write("/image", rec.T0 + i, rec.image(i, rec.T0 + i, size=(400, 500)))
print("written", flush=True)
time.sleep(60)
"""
    out = tmp_path / "out"
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), str(root / "test")])}
    process = subprocess.Popen([sys.executable, "-c", script, out], stdout=subprocess.PIPE, env=environment)
    assert process.stdout is not None and process.stdout.readline() == b"written\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert not out.exists()
    with open_bag(tmp_path / "out.partial") as bag:
        assert rec.values(bag) == list(range(10))  # the open chunk is lost
        assert any("no end" in problem for problem in bag.problems)
        assert any("metadata.yaml" in problem for problem in bag.problems)
