"""Every real recording becomes a dataset."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from training.dataset_folder import Sequence, sequences
from training.make_dataset import make_dataset
from training.preparation.options import DatasetOptions


@pytest.fixture(scope="module")
def bags(shared_tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("real")
    subprocess.run([sys.executable, shared_tools / "make_bags.py", folder], check=True, stdout=subprocess.DEVNULL)
    return folder


def made(bags: Path, tmp_path: Path, name: str, **options: object) -> Sequence:
    chosen = DatasetOptions(**{"split": "1,0,0", **options})  # type: ignore[arg-type]
    (outcome,) = make_dataset([str(bags / name)], tmp_path / name, chosen)
    assert outcome.error == "" and outcome.summary is not None and outcome.summary["problems"] == []
    (sequence,) = sequences(tmp_path / name)
    return sequence


def test_kitti_lidar_raw_compressed_and_ros_1(bags: Path, tmp_path: Path) -> None:
    """Three recordings of the same frames, in three formats: the same files."""
    options = {"size": "192x640", "beams": 16}
    raw = made(bags, tmp_path, "kitti_lidar", **options)
    assert len(raw.samples()) == 30 and raw.samples()[3].beams == tuple(range(0, 64, 4))
    assert all(0.02 < sample.depth["left"] / (192 * 640) < 0.04 for sample in raw.samples())
    for name, count in (("kitti_lidar_compressed", 30), ("kitti_lidar_ros1.bag", 10)):
        other = made(bags, tmp_path, name, **options)
        assert len(other.samples()) == count
        for i in range(0, count, 4):
            assert other.image_path(i).read_bytes() == raw.image_path(i).read_bytes()
            assert other.depth_path(i).read_bytes() == raw.depth_path(i).read_bytes()


def test_one_of_four_beams_is_a_quarter_of_the_pixels(bags: Path, tmp_path: Path) -> None:
    counts = {}
    for beams in (64, 32, 16, 8, 4, 2, 1):
        sequence = made(bags, tmp_path / str(beams), "kitti_lidar_ros1.bag", beams=beams, beam_offset=64 // beams // 2)
        counts[beams] = np.mean([sample.depth.get("left", 0) for sample in sequence.samples()])
    for more, fewer in zip((64, 32, 16, 8), (32, 16, 8, 4), strict=True):
        assert 0.4 < counts[fewer] / counts[more] < 0.65
    assert 100 < counts[2] < counts[4] and counts[1] > 100  # of 2 beams, the lower one falls below the image


def test_kitti_stereo_poses_and_baseline(bags: Path, tmp_path: Path) -> None:
    sequence = made(bags, tmp_path, "kitti_stereo", size="192x640")
    samples = sequence.samples()
    assert len(samples) == 51 and all(sample.right and sample.depth == {} for sample in samples)
    assert sequence.calibration.T_left_right[0, 3] == pytest.approx(0.5372, abs=1e-4)
    moved = [sample.motion_m for sample in samples if sample.motion_m is not None]
    assert len(moved) >= 50 and 0.5 < np.median(moved) < 1.2  # a car in a street, at 10 Hz
    forward = np.linalg.inv(samples[20].T_odom_left[1]) @ samples[20].T_odom_left[2]
    assert forward[2, 3] > 0.95 * np.linalg.norm(forward[:3, 3])  # along z of the optical frame


def test_a_hand_held_depth_camera(bags: Path, tmp_path: Path) -> None:
    sequence = made(bags, tmp_path, "kitchen_rgbd", depth_image="/camera/depth", stride=4)
    assert all(sample.depth["left"] > 0.8 * 480 * 640 for sample in sequence.samples())
    assert sequence.summary()["rejected"]["static"]["count"] > 0
    assert all(sample.motion_m is None or sample.motion_m > 0.0 for sample in sequence.samples())


def test_a_pair_that_stands_still_and_is_not_rectified(bags: Path, tmp_path: Path) -> None:
    sequence = made(bags, tmp_path, "euroc_stereo")
    assert sequence.samples() == [] and sequence.summary()["rejected"]["static"]["count"] == 8
    sequence = made(bags, tmp_path / "kept", "euroc_stereo", keep_static=True)
    assert len(sequence.samples()) == 8 and sequence.calibration.T_left_right[0, 3] == pytest.approx(0.110, abs=1e-3)
    assert row_shift(sequence.image(0), sequence.image(0, "right")) == 0


def row_shift(left: np.ndarray, right: np.ndarray) -> int:
    """By how many rows the right image must be moved to fit best onto the left one, by the means of their rows."""
    a, b = (np.diff(image[100:-100, :, 0].astype(float).mean(axis=1)) for image in (left, right))
    shifts = range(-6, 7)
    fits = [float(np.corrcoef(a[10:-10], np.roll(b, shift)[10:-10])[0, 1]) for shift in shifts]
    return shifts[int(np.argmax(fits))]


def test_a_fisheye_with_a_lidar(bags: Path, tmp_path: Path) -> None:
    sequence = made(bags, tmp_path, "fisheye_vlp16", size="604x960")
    assert len(sequence.samples()) == 3 and sequence.summary()["lidar_beams"] == 16
    assert all(sample.context == (None, None) for sample in sequence.samples())  # 1 s apart
    assert all(sample.depth["left"] > 2000 for sample in sequence.samples())
    assert sequence.summary()["covered"] == {"left": 1.0}
