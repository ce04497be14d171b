"""Reading whole recordings of every kind, and refusing what is none."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from mcap.writer import CompressionType, IndexType
from rosbags.rosbag2 import CompressionMode, StoragePlugin

from depth_perception.bags import Topic, open_bag
from depth_perception.errors import BagError

from . import recordings as rec
from .recordings import JAZZY, T0, image

IMAGES = [("/image", T0 + i, image(i, T0 + i)) for i in range(5)]


STORAGES = [
    (plugin, mode)
    for plugin in StoragePlugin
    for mode in CompressionMode
    if (plugin, mode) != (StoragePlugin.SQLITE3, CompressionMode.STORAGE)  # sqlite3 has no compression of its own
]


@pytest.mark.parametrize(("plugin", "mode"), STORAGES)
def test_reads_rosbag2_of_both_storages_and_every_compression(
    tmp_path: Path, plugin: StoragePlugin, mode: CompressionMode
) -> None:
    rec.rosbag2(tmp_path / "bag", [("/tf_static", T0, rec.tf_static()), *IMAGES], plugin, mode)
    with open_bag(tmp_path / "bag") as bag:
        assert bag.topics == {"/tf_static": Topic("tf2_msgs/msg/TFMessage", 1), "/image": Topic(rec.IMAGE, 5)}
        assert bag.problems == []
        assert rec.values(bag, ["/image"]) == [0, 1, 2, 3, 4]
        assert [m.log_time_ns - T0 for m in bag.messages(["/image"])] == [0, 1, 2, 3, 4]
        assert bag.channels["/tf_static"].latched and not bag.channels["/image"].latched
        tf = next(bag.messages(["/tf_static"])).message.transforms[0]
        assert (tf.header.frame_id, tf.child_frame_id, tf.transform.translation.y) == ("base", "camera", 2.0)


def test_what_was_decompressed_is_removed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rec.rosbag2(tmp_path / "bag", IMAGES, mode=CompressionMode.FILE)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    with open_bag(tmp_path / "bag") as bag:
        assert len(list(scratch.rglob("*.mcap"))) == 1
        assert rec.values(bag) == [0, 1, 2, 3, 4]
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("plugin", list(StoragePlugin))
def test_reads_a_bare_storage_file_whatever_it_is_called(tmp_path: Path, plugin: StoragePlugin) -> None:
    folder = rec.rosbag2(tmp_path / "bag", IMAGES, plugin)
    storage = next(f for f in folder.iterdir() if f.suffix != ".yaml")
    moved = storage.rename(tmp_path / "recording.data")
    assert rec.values(open_bag(moved)) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("compression", list(CompressionType))
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"chunked": False},
        {"index": IndexType.NONE},
        {"index": IndexType.CHUNK},
        {"use_statistics": False},
        {"repeat_channels": False, "repeat_schemas": False},
    ],
    ids=str,
)
def test_reads_mcap_with_or_without_each_optional_part(
    tmp_path: Path, compression: CompressionType, options: dict
) -> None:
    path = rec.mcap(tmp_path / "a.mcap", [(T0 + i, i) for i in range(7)], compression, **options)
    with open_bag(path) as bag:
        assert rec.values(bag) == list(range(7))
        assert bag.topics["/image"].count == 7
        assert bag.problems == []


def test_log_time_orders_even_where_the_file_does_not(tmp_path: Path) -> None:
    """Two cameras written one after the other, as in EuRoC's conversion; chunks overlap in time."""
    times = [0, 2, 4, 6, 8, 1, 3, 5, 7, 9]
    path = rec.mcap(tmp_path / "a.mcap", [(T0 + t, t) for t in times])
    assert rec.values(open_bag(path)) == list(range(10))


def test_equal_log_times_keep_the_order_of_the_file(tmp_path: Path) -> None:
    path = rec.mcap(tmp_path / "a.mcap", [(T0, value) for value in (3, 1, 2, 5, 4)])
    assert rec.values(open_bag(path)) == [3, 1, 2, 5, 4]


def test_split_recording_is_one(tmp_path: Path) -> None:
    folder = tmp_path / "bag"
    folder.mkdir()
    rec.mcap(folder / "bag_0.mcap", [(T0 + t, t) for t in (0, 1, 2, 4)])
    rec.mcap(folder / "bag_1.mcap", [(T0 + t, t) for t in (3, 5, 6)])  # overlaps: the recorder buffered
    rec.mcap(folder / "bag_2.mcap", [(T0 + t, t) for t in (7, 8)])
    names = "\n".join(f"  - bag_{i}.mcap" for i in range(3))
    (folder / "metadata.yaml").write_text(f"rosbag2_bagfile_information:\n  relative_file_paths:\n{names}\n")
    with open_bag(folder) as bag:
        assert rec.values(bag) == list(range(9))
        assert bag.topics["/image"].count == 9
    (folder / "bag_1.mcap").unlink()
    with open_bag(folder) as bag:
        assert rec.values(bag) == [0, 1, 2, 4, 7, 8]
        assert "bag_1.mcap" in bag.problems[0] and "missing" in bag.problems[0]


@pytest.mark.parametrize("metadata", [None, "not: [yaml", "rosbag2_bagfile_information: 5"])
def test_folder_of_a_killed_recorder_has_no_usable_metadata(tmp_path: Path, metadata: str | None) -> None:
    rec.mcap(tmp_path / "run_0.mcap", [(T0, 0)])
    rec.mcap(tmp_path / "run_1.mcap", [(T0 + 1, 1)])
    if metadata is not None:
        (tmp_path / "metadata.yaml").write_text(metadata)
    with open_bag(tmp_path) as bag:
        assert rec.values(bag) == [0, 1]
        assert "metadata.yaml" in bag.problems[0]


def test_folder_of_several_recordings_asks_which(tmp_path: Path) -> None:
    rec.mcap(tmp_path / "monday.mcap", [(T0, 0)])
    rec.mcap(tmp_path / "tuesday.mcap", [(T0, 0)])
    with pytest.raises(BagError, match=r"several recordings.*monday\.mcap.*tuesday\.mcap"):
        open_bag(tmp_path)


def test_ros1_bag_reads_like_the_others(tmp_path: Path) -> None:
    messages = [("/tf_static", T0, rec.tf_static(rec.NOETIC))]
    messages += [("/image", T0 + i, image(i, T0 + i, rec.NOETIC)) for i in range(3)]
    with open_bag(rec.rosbag1(tmp_path / "a.bag", messages)) as bag:
        assert bag.topics == {"/tf_static": Topic("tf2_msgs/msg/TFMessage", 1), "/image": Topic(rec.IMAGE, 3)}
        assert rec.values(bag, ["/image"]) == [0, 1, 2]
        assert bag.channels["/tf_static"].latched
        stamps = [m.message.header.stamp.nanosec for m in bag.messages(["/image"])]
        assert stamps == [0, 1, 2]


def test_what_is_no_recording_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "photo.mcap").write_bytes(b"\xff\xd8\xff\xe0 JFIF and so on")
    (tmp_path / "empty.mcap").write_bytes(b"")
    (tmp_path / "zeros.db3").write_bytes(bytes(4096))
    (tmp_path / "folder").mkdir()
    for name, reason in [
        ("photo.mcap", r"not a recording: it starts with b'\\xff\\xd8"),
        ("empty.mcap", "is empty"),
        ("zeros.db3", "is empty"),
        ("folder", "holds no recording"),
        ("nowhere", "does not exist"),
    ]:
        with pytest.raises(BagError, match=reason) as caught:
            open_bag(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)


def test_other_sqlite_database_is_refused(tmp_path: Path) -> None:
    import sqlite3

    with sqlite3.connect(tmp_path / "a.db3") as connection:
        connection.execute("CREATE TABLE songs(id INTEGER)")
    with pytest.raises(BagError, match="no readable rosbag2 recording: no such table"):
        open_bag(tmp_path / "a.db3")


@pytest.mark.parametrize("plugin", list(StoragePlugin))
def test_recording_without_messages_is_refused_with_its_topics(tmp_path: Path, plugin: StoragePlugin) -> None:
    from rosbags.rosbag2 import Writer

    with Writer(tmp_path / "bag", version=9, storage_plugin=plugin) as writer:
        writer.add_connection("/image", rec.IMAGE, typestore=JAZZY)
    with pytest.raises(BagError, match=r"holds no messages \(topics: /image \(sensor_msgs/msg/Image, 0\)\)"):
        open_bag(tmp_path / "bag")


def test_missing_topic_names_those_that_are_there(tmp_path: Path) -> None:
    with (
        open_bag(rec.rosbag2(tmp_path / "bag", IMAGES)) as bag,
        pytest.raises(BagError, match=r"no topic \['/imgae'\]; it holds /image \(sensor_msgs/msg/Image, 5\)"),
    ):
        bag.messages(["/imgae"])


@pytest.mark.parametrize("plugin", list(StoragePlugin))
def test_memory_stays_bounded(tmp_path: Path, plugin: StoragePlugin) -> None:
    big = [("/image", T0 + i, image(i, T0 + i, size=(500, 700))) for i in range(60)]  # 63 MB
    rec.rosbag2(tmp_path / "bag", big, plugin)
    del big
    with open_bag(tmp_path / "bag") as bag:
        tracemalloc.start()
        assert rec.values(bag) == list(range(60))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 10e6
