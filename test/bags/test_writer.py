"""What we write is read by rosbags' and mcap's own readers, and looks to rosbag2 as its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from mcap.reader import make_reader
from mcap.stream_reader import StreamReader
from rosbags.interfaces import QosDurability, QosReliability
from rosbags.rosbag2 import Reader

from depth_perception.bags import BagWriter, open_bag
from depth_perception.errors import BagError

from . import recordings as rec
from .recordings import JAZZY, T0, image


def read_by_rosbags(path: Path) -> list[tuple[str, int, Any]]:
    with Reader(path) as reader:
        return [(c.topic, t, JAZZY.deserialize_cdr(data, c.msgtype)) for c, t, data in reader.messages()]


@pytest.mark.parametrize("compression", ["none", "lz4", "zstd"])
def test_others_read_what_we_write(tmp_path: Path, compression: str) -> None:
    with BagWriter(tmp_path / "out", compression) as writer:
        writer.write("/tf_static", T0, rec.tf_static())
        for i in range(4):
            writer.write("/image", T0 + i, image(i, T0 + i, size=(400, 500)))
    messages = read_by_rosbags(tmp_path / "out")
    assert [(topic, t - T0) for topic, t, _ in messages] == [("/tf_static", 0), *(("/image", i) for i in range(4))]
    for i, (_, _, message) in enumerate(messages[1:]):
        np.testing.assert_array_equal(message.data, np.full(600000, i, np.uint8))
        assert message.header.stamp.nanosec == i
    with (tmp_path / "out" / "out_0.mcap").open("rb") as file:
        reader = make_reader(file, validate_crcs=True)
        assert [message.log_time - T0 for _, _, message in reader.iter_messages()] == [0, 0, 1, 2, 3]
        assert reader.get_header().profile == "ros2"
        file.seek(0)
        records = [type(record).__name__ for record in StreamReader(file, validate_crcs=True).records]
    assert records.count("Message") == 5 and records.count("MessageIndex") == 2 + 1
    assert records[-1] == "Footer" and {"Statistics", "ChunkIndex", "MetadataIndex", "SummaryOffset"} <= set(records)


def test_metadata_is_what_rosbag2_of_every_distribution_reads(tmp_path: Path) -> None:
    """Version 8: QoS as text with numbers. Humble reads `offered_qos_profiles` as one string, whatever the version."""
    with BagWriter(tmp_path / "out") as writer:
        writer.write("/image", T0 + 5, image(0))
        writer.write("/tf_static", T0 + 2, rec.tf_static())
        writer.write("/image", T0 + 9, image(0))
    assert not (tmp_path / "out.partial").exists()
    bag = yaml.safe_load((tmp_path / "out" / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    assert (bag["version"], bag["storage_identifier"], bag["message_count"]) == (8, "mcap", 3)
    assert bag["starting_time"] == {"nanoseconds_since_epoch": T0 + 2}
    assert bag["duration"] == {"nanoseconds": 7}
    assert bag["relative_file_paths"] == ["out_0.mcap"] == [f["path"] for f in bag["files"]]
    topics = {t["topic_metadata"]["name"]: t for t in bag["topics_with_message_count"]}
    assert topics["/image"]["message_count"] == 2
    meta = topics["/tf_static"]["topic_metadata"]
    assert meta["type_description_hash"] == JAZZY.hash_rihs01("tf2_msgs/msg/TFMessage")
    assert isinstance(meta["offered_qos_profiles"], str)
    [qos] = yaml.safe_load(meta["offered_qos_profiles"])
    assert (qos["history"], qos["depth"], qos["reliability"], qos["durability"], qos["liveliness"]) == (1, 1, 1, 1, 1)
    with (tmp_path / "out" / "out_0.mcap").open("rb") as file:
        [record] = make_reader(file).iter_metadata()
    assert yaml.safe_load(record.metadata["serialized_metadata"]) == bag


def test_qos_is_reliable_and_static_transforms_are_latched(tmp_path: Path) -> None:
    with BagWriter(tmp_path / "out") as writer:
        writer.write("/image", T0, image(0))
        writer.write("/robot/tf_static", T0, rec.tf_static())
    with Reader(tmp_path / "out") as reader:
        qos = {c.topic: c.ext.offered_qos_profiles for c in reader.connections}
    assert [(q.reliability, q.durability, q.depth) for q in qos["/image"]] == [
        (QosReliability.RELIABLE, QosDurability.VOLATILE, 5)
    ]
    assert [(q.reliability, q.durability, q.depth) for q in qos["/robot/tf_static"]] == [
        (QosReliability.RELIABLE, QosDurability.TRANSIENT_LOCAL, 1)
    ]


@pytest.mark.parametrize("taken", ["out", "out.partial"])
def test_nothing_is_overwritten(tmp_path: Path, taken: str) -> None:
    (tmp_path / taken).mkdir()
    (tmp_path / taken / "precious").write_text("data")
    with pytest.raises(BagError, match=rf"{taken}' exists.*choose another output"):
        BagWriter(tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == [taken]
    assert (tmp_path / taken / "precious").read_text() == "data"


def test_output_that_appears_meanwhile_is_not_overwritten_either(tmp_path: Path) -> None:
    writer = BagWriter(tmp_path / "out")
    writer.write("/image", T0, image(3))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "precious").write_text("data")
    with pytest.raises(BagError, match=r"can't be completed.*out\.partial"):
        writer.close()
    assert (tmp_path / "out" / "precious").read_text() == "data"
    assert rec.values(open_bag(tmp_path / "out.partial")) == [3]


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BagError, match="can't be made"):
        BagWriter(tmp_path / "file" / "out")


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_interrupted_output_is_a_complete_bag_of_what_was_written(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), BagWriter(tmp_path / "out") as writer:
        writer.write("/image", T0, image(7))
        writer.write("/image", T0 + 1, image(8))
        raise error
    assert not (tmp_path / "out").exists()
    messages = read_by_rosbags(tmp_path / "out.partial")
    assert [int(message.data[0]) for _, _, message in messages] == [7, 8]
    assert open_bag(tmp_path / "out.partial").problems == []


def test_discarded_output_leaves_nothing(tmp_path: Path) -> None:
    with BagWriter(tmp_path / "out") as writer:
        writer.write("/image", T0, image(7))
        writer.discard()
    assert list(tmp_path.iterdir()) == []


def test_raw_bytes_of_an_unknown_type_need_its_definition(tmp_path: Path) -> None:
    from mcap.writer import Writer

    data = b"\0\1\0\0" + np.float32(2.5).tobytes()
    with (tmp_path / "a.mcap").open("wb") as file:
        source = Writer(file)
        source.start(profile="ros2")
        schema = source.register_schema("robot/msg/Battery", "ros2msg", b"float32 volts")
        source.add_message(source.register_channel("/battery", "cdr", schema), T0, data, T0)
        source.finish()
    with open_bag(tmp_path / "a.mcap") as bag, BagWriter(tmp_path / "out") as writer:
        channel = bag.ros2_channel("/battery")
        with pytest.raises(BagError, match="definition of 'robot/msg/Battery' is unknown"):
            writer.write_raw("/battery", "robot/msg/Battery", T0, data)
        writer.declare("/battery", "robot/msg/Battery", channel)
        with pytest.raises(BagError, match="can't be declared twice"):
            writer.declare("/battery", "robot/msg/Battery", channel)
        for raw in bag.raw():
            writer.write_raw("/battery", "robot/msg/Battery", raw.log_time_ns, bag.to_cdr(raw))
        with pytest.raises(BagError, match="can't go into the same topic"):
            writer.write("/battery", T0, image(0))
    assert next(open_bag(tmp_path / "out").messages()).message.volts == 2.5


def test_unknown_compression(tmp_path: Path) -> None:
    with pytest.raises(BagError, match=r"compression 'gzip' is not one of \('none', 'lz4', 'zstd'\)"):
        BagWriter(tmp_path / "out", "gzip")
    assert list(tmp_path.iterdir()) == []
