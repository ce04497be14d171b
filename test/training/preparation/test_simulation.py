"""A simulated drive, rendered as it is read or recorded first, against the depth that the simulator knows."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from bags import recordings as rec
from bags.recordings import JAZZY

from depth_perception import messages
from depth_perception.bags.transforms import tf_static_message
from depth_perception.errors import ConfigError
from depth_perception.sim import SimConfig, SimFrame, frames
from depth_perception.sim.sensor_messages import TOPICS, sensor_messages, static_transforms
from training.dataset_folder import Sequence, sequences
from training.make_dataset import make_dataset
from training.preparation.options import DatasetOptions
from training.preparation.sim_source import simulation

TEXT = "sim:seed=5,kind=room,seconds=2,rate=5,size=120x160"
OPTIONS = DatasetOptions(split="1,0,0", image_format="png")


def errors(sequence: Sequence, truth: dict[int, np.ndarray] | None = None) -> np.ndarray:
    """Relative errors of every measured pixel of every sample."""
    found = []
    for sample in sequence.samples():
        exact = sequence.truth(sample.index) if truth is None else truth[sample.index]
        depth = sequence.depth(sample.index)
        both = np.isfinite(depth) & np.isfinite(exact)
        found.append(np.abs(depth - exact)[both] / exact[both])
    return np.concatenate(found)


@pytest.fixture(scope="module")
def drive() -> tuple[SimConfig, list[SimFrame]]:
    if importlib.util.find_spec("mujoco") is None:
        pytest.skip("MuJoCo isn't installed (extra [sim])")
    config = simulation(TEXT)
    return config, list(frames(config))


@pytest.fixture(scope="module")
def simulated(drive: object, tmp_path_factory: pytest.TempPathFactory) -> Sequence:
    out = tmp_path_factory.mktemp("simulated")
    (outcome,) = make_dataset([TEXT], out, OPTIONS)
    assert outcome.error == ""
    return sequences(out)[0]


def test_depth_agrees_with_exact_depth(simulated: Sequence, drive: tuple[SimConfig, list[SimFrame]]) -> None:
    """1 cm of range noise; half of the points within 1 %. Edges, where half a pixel decides, make the mean larger."""
    away = errors(simulated)
    assert len(away) > 4000 and np.median(away) < 0.01 and away.mean() < 0.05 and np.mean(away < 0.05) > 0.95
    summary = simulated.summary()["error_to_truth"]
    assert summary["abs_rel"]["mean"] == pytest.approx(away.mean(), rel=0.2)
    for sample in simulated.samples():
        exact = drive[1][sample.index].depth
        np.testing.assert_allclose(simulated.truth(sample.index), exact, atol=0.5 / 256 + 1e-4)
        assert np.array_equal(simulated.image(sample.index), drive[1][sample.index].image)
        assert sample.truth and sample.right and simulated.depth(sample.index, "right").shape == (120, 160)


def test_a_recorded_drive_becomes_the_same_dataset(
    simulated: Sequence, drive: tuple[SimConfig, list[SimFrame]], tmp_path: Path
) -> None:
    """Through the messages of the robot's drivers and a bag; what the quaternions of /tf_static round is all."""
    config, rendered = drive
    types, content = messages.recorded(JAZZY), []
    content.append(("/tf_static", rendered[0].stamp_ns, tf_static_message(static_transforms(config))))
    for frame in rendered:
        sent = sensor_messages(types, frame, set(TOPICS) - {"truth/depth"})
        content += [(f"/{topic}", frame.stamp_ns + 5_000_000, message) for topic, message in sent]
    bag = rec.rosbag2(tmp_path / "drive", content)
    options = DatasetOptions(split="1,0,0", image_format="png", image="/camera/image", right="/right/image")
    (outcome,) = make_dataset([str(bag)], tmp_path / "out", options)
    assert outcome.error == ""
    (sequence,) = sequences(tmp_path / "out")
    assert [sample.index for sample in sequence.samples()] == [sample.index for sample in simulated.samples()]
    exact = {i: np.where(np.isfinite(frame.depth), frame.depth, np.nan) for i, frame in enumerate(rendered)}
    away = errors(sequence, exact)
    assert np.median(away) < 0.01 and away.mean() < 0.05
    for sample in sequence.samples()[1:-1]:
        assert np.array_equal(sequence.image(sample.index), simulated.image(sample.index))
        ours, theirs = sequence.depth(sample.index), simulated.depth(sample.index)
        same = np.isfinite(ours) == np.isfinite(theirs)
        assert same.mean() > 0.999


def test_the_text_says_it_all() -> None:
    config = simulation("sim:seed=3,kind=street,seconds=4,rate=10,speed=1.5,size=240x320,beams=64")
    assert (config.seed, config.kind, config.duration_s, config.speed_mps) == (3, "street", 4.0, 1.5)
    assert config.camera is not None and config.lidar is not None
    assert (config.camera.height, config.camera.width, config.camera.rate_hz) == (240, 320, 10.0)
    assert config.lidar.beams == 64


@pytest.mark.parametrize(
    "text", ["sim:", "sim:seed", "sim:seed=x", "sim:kind=moon", "sim:size=10", "sim:speed=1,speed=2", "sim:colour=red"]
)
def test_refuses_what_it_does_not_know(text: str) -> None:
    with pytest.raises(ConfigError, match="sim:"):
        simulation(text)
