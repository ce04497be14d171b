"""The dataset folder: what is written is what is read, whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from depth_perception.camera import CameraModel
from depth_perception.errors import ConfigError
from training.dataset_folder import Rejected, Sample, Sequence, SequenceCalibration, read_depth, sequences
from training.dataset_writer import SequenceWriter, depth_code, encoded_depth, file_hash, write_json

K = np.array([[100.0, 0, 20.5], [0, 90.0, 11.25], [0, 0, 1]])
T = np.array([[0.0, -1, 0, 0.5], [1, 0, 0, 0.25], [0, 0, 1, -2.0], [0, 0, 0, 1]])
RIGHT = CameraModel(24, 40, K, P=np.hstack([K, [[-50.0], [0], [0]]]))
CALIBRATION = SequenceCalibration(
    {"left": CameraModel(24, 40, K), "right": RIGHT}, "png", {"left": "eye"}, T_left_right=T, T_left_body=np.eye(4)
)
SAMPLE = Sample(
    3, 1_700_000_000_123_456_789, (2, None), True, {"left": 7, "right": 5}, (0, 16), (T, np.eye(4), None), 0.25, 0.01,
    {"lidar": 5.0}, False, "val", {"file": "a.mcap", "topic": "/image", "number": 3},
)  # fmt: skip


def write(out: Path, name: str = "drive", samples: tuple[Sample, ...] = (SAMPLE,)) -> SequenceWriter:
    image = np.random.default_rng(0).integers(0, 255, (24, 40, 3), np.uint8)
    with SequenceWriter(out, name, "png") as writer:
        writer.image("left", 3, image)
        writer.image("right", 3, image[..., 0])
        writer.depth("left", 3, np.full((24, 40), 2.5, np.float32))
        writer.reject(Rejected(5, "static", "moved 0.001 m"))
        writer.finish(CALIBRATION, iter(samples), {"frames": 4})
        writer.publish()
    return writer


def test_what_is_written_is_read(tmp_path: Path) -> None:
    writer = write(tmp_path)
    (sequence,) = sequences(tmp_path)
    assert sequence.name == "drive" and sequence.summary() == {"frames": 4}
    read = sequence.calibration
    assert read.cameras == CALIBRATION.cameras and read.frame_ids == {"left": "eye"}
    np.testing.assert_array_equal(read.T_left_right, T)
    assert read.T_left_lidar is None
    (sample,) = sequence.samples()
    for name in Sample.__dataclass_fields__:
        if name not in ("T_odom_left", "supervised"):
            assert getattr(sample, name) == getattr(SAMPLE, name), name
    before, this, after = sample.T_odom_left
    assert np.array_equal(before, T) and np.array_equal(this, np.eye(4)) and after is None
    assert list(sequence.rejected()) == [Rejected(5, "static", "moved 0.001 m")]
    colour, grey = sequence.image(3), sequence.image(3, "right")
    assert np.array_equal(colour, np.random.default_rng(0).integers(0, 255, (24, 40, 3), np.uint8))  # RGB, not BGR
    assert np.array_equal(grey, np.repeat(colour[..., :1], 3, axis=2))
    assert (sequence.depth(3) == 2.5).all()
    files = [path for path in sequence.folder.rglob("*") if path.is_file()]
    assert {str(path.relative_to(sequence.folder)): file_hash(path) for path in files} == writer.hashes


def test_supervised_is_marked_outside_of_the_sequences(tmp_path: Path) -> None:
    bare = Sample(4, 1, (None, None), False, {})
    write(tmp_path, samples=(SAMPLE, bare))
    (sequence,) = sequences(tmp_path)
    assert [sample.supervised for sample in sequence.samples()] == [True, False]  # all that have depth
    write_json(tmp_path / "supervised.json", {"samples": {"drive": []}})
    assert [sample.supervised for sample in sequence.samples()] == [False, False]
    write_json(tmp_path / "supervised.json", {"samples": {"drive": [3]}})
    assert [sample.supervised for sample in sequence.samples()] == [True, False]
    assert [sample.index for sample in sequence.samples("train")] == [4]


def test_a_sequence_that_was_not_finished_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(KeyError), SequenceWriter(tmp_path, "drive", "png") as writer:
        writer.image("left", 0, np.zeros((4, 4, 3), np.uint8))
        raise KeyError
    assert list(tmp_path.iterdir()) == []
    (tmp_path / ".drive.partial" / "images").mkdir(parents=True)  # of a run that was killed
    (tmp_path / ".drive.partial" / "images" / "old").touch()
    with pytest.raises(ConfigError, match="holds no dataset"):
        sequences(tmp_path)
    write(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["drive"]
    assert not (tmp_path / "drive" / "images" / "old").exists()


def test_refuses_what_it_does_not_know(tmp_path: Path) -> None:
    write(tmp_path)
    path = tmp_path / "drive" / "calibration.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 2}))
    with pytest.raises(ConfigError, match="format 2, known is 1"):
        sequences(tmp_path)
    with pytest.raises(ConfigError, match="it has no calibration"):
        Sequence(tmp_path)
    (tmp_path / "x.png").write_bytes(b"\x89PNG nothing")
    with pytest.raises(ConfigError, match="damaged"):
        read_depth(tmp_path / "x.png")
    cv2.imwrite(str(tmp_path / "y.png"), np.zeros((4, 4), np.uint8))
    with pytest.raises(ConfigError, match="16-bit"):
        read_depth(tmp_path / "y.png")


def test_depth_code_by_hand() -> None:
    metres = np.array([[1.0, 2.503, 255.99609375, 256.0, 0.0, -1.0, np.nan, np.inf, 0.001]], np.float32)
    assert depth_code(metres).tolist() == [[256, 641, 65535, 0, 0, 0, 0, 0, 0]]  # 2.503 * 256 = 640.77


@given(st.floats(0.01, 255.9))
def test_depth_comes_back_within_half_a_step(metres: float) -> None:
    code = depth_code(np.array([[metres]], np.float32))
    assert abs(code[0, 0] / 256.0 - metres) <= 0.5 / 256.0 + 1e-5


@pytest.mark.parametrize("share", [0.0, 0.01, 0.4, 0.9, 1.0])
def test_sparse_and_dense_depth_come_back(tmp_path: Path, share: float) -> None:
    rng = np.random.default_rng(0)
    steps = rng.integers(1, 65535, (24, 40))
    depth = np.where(rng.random((24, 40)) < share, steps / 256, np.nan).astype(np.float32)
    (tmp_path / "depth.png").write_bytes(encoded_depth(depth))
    np.testing.assert_array_equal(read_depth(tmp_path / "depth.png"), depth)


def test_jpeg_is_near(tmp_path: Path) -> None:
    ramp = np.repeat(np.linspace(0, 255, 64).astype(np.uint8)[None, :], 48, axis=0)
    image = np.dstack([ramp, 255 - ramp, np.full_like(ramp, 128)])
    with SequenceWriter(tmp_path, "drive", "jpg") as writer:
        writer.image("left", 0, image)
        writer.settle()
        assert list(writer.hashes) == ["images/left/00000000.jpg"]
        read = cv2.imread(str(writer.folder / "images/left/00000000.jpg"))[..., ::-1]
    assert np.abs(read.astype(int) - image).mean() < 2.0
