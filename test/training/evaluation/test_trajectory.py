"""A pose network's way through a dataset: chained the right way round, and compared with its odometry."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from dataset_folders import Rig, T_odom_left, write_dataset

from training.dataset_folder import Sample, sequences
from training.evaluation.odometry import chained, read_poses
from training.evaluation.trajectory import longest_stretch, main
from training.loop.configuration import from_values
from training.loop.model import make_networks
from training.loop.run_folder import save_weights
from training.networks.pose import OUTPUT_SCALE

FORWARD_M, YAW = 0.25, 0.1


def weights(path: Path, recipe: str = "guizilini_self") -> str:
    """A pose network that says 0.25 m forward and 0.1 rad to the right (z toward x), whatever it sees."""
    config = from_values({"recipe": recipe, "data": {"height": 32, "width": 64}})
    networks = make_networks(config)
    if networks.pose is not None:
        with torch.no_grad():
            networks.pose.head.weight.zero_()
            networks.pose.head.bias.copy_(torch.tensor([0, 0, FORWARD_M, 0, YAW, 0]) / OUTPUT_SCALE)
    save_weights(path, networks, config, {})
    return str(path)


def test_motions_are_chained_from_previous_to_current(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_dataset(tmp_path / "set", Rig(frames=6, split="test"))
    out = tmp_path / "out"
    arguments = [weights(tmp_path / "w.safetensors"), str(data), "--out", str(out), "--lengths", "0.5,1"]
    assert main(arguments) == 0
    step = np.eye(4)
    step[0, 0] = step[2, 2] = np.cos(YAW)
    step[0, 2], step[2, 0] = np.sin(YAW), -np.sin(YAW)
    step[2, 3] = FORWARD_M
    estimate = read_poses(out / "drive_estimate.txt")
    assert estimate == pytest.approx(chained(np.stack([step] * 5)), abs=1e-5)
    assert estimate[2, 0, 3] == pytest.approx(FORWARD_M * np.sin(YAW), abs=1e-5)  # it bends to the right
    assert read_poses(out / "drive_truth.txt") == pytest.approx(np.stack([T_odom_left(n) for n in range(6)]), abs=1e-8)
    cells = capsys.readouterr().out.splitlines()[2].split(" | ")
    assert cells[:2] == ["| drive", "6"] and int(cells[4]) == 2  # a segment of each length, both from frame 0
    assert main([*arguments[:2], "--scale", "--lengths", "0.5"]) == 0


class TestStretch:
    def samples(self, tmp_path: Path) -> list[Sample]:
        (recording,) = sequences(write_dataset(tmp_path / "set", Rig(frames=8)))
        return recording.samples()

    def test_all_frames_of_a_drive(self, tmp_path: Path) -> None:
        frames, poses = longest_stretch(self.samples(tmp_path))
        assert frames == list(range(8)) and poses.shape == (8, 4, 4)

    def test_neighbours_that_are_no_samples_count(self, tmp_path: Path) -> None:
        frames, _ = longest_stretch(self.samples(tmp_path)[2:4])
        assert frames == [1, 2, 3, 4]

    def test_the_longest_is_taken_where_it_breaks(self, tmp_path: Path) -> None:
        samples = self.samples(tmp_path)
        cut = [replace(samples[2], context=(1, None)), replace(samples[3], context=(None, 4))]
        frames, _ = longest_stretch([*samples[:2], *cut, *samples[4:]])
        assert frames == [3, 4, 5, 6, 7]

    def test_without_odometry_there_is_none(self, tmp_path: Path) -> None:
        frames, poses = longest_stretch(
            [replace(one, T_odom_left=(None, None, None)) for one in self.samples(tmp_path)]
        )
        assert frames == [] and poses.shape == (0, 4, 4)


def test_what_cannot_be_driven(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_dataset(tmp_path / "set", Rig(frames=3, odometry=False, split="test"))
    path = weights(tmp_path / "w.safetensors")
    assert main([path, str(data)]) == 1
    assert "no two neighbouring frames with odometry" in capsys.readouterr().err
    still = weights(tmp_path / "still.safetensors", "guizilini_supervised_l1")
    assert main([still, str(data)]) == 1
    assert "has no pose network" in capsys.readouterr().err
    assert main([str(tmp_path / "nothing.safetensors"), str(data)]) == 1
    assert "no weights file" in capsys.readouterr().err
