"""From a robot to a dataset: a simulated drive over DDS, the record command, make_dataset; against exact depth."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
from ros_harness import ROOT, Robot, running

pytest.importorskip("mujoco", reason="mujoco is not installed: pip install 'depth_perception[sim]'")
pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'depth_perception[training]'")
from training.dataset_folder import sequences
from training.make_dataset import make_dataset, report
from training.preparation.options import DatasetOptions
from training.view import write_report

WORLD = {"seed": 5, "kind": "room", "drive_s": 2.0, "rate": 5.0, "height": 120, "width": 160}
IMAGES = 12  # more than one way of the drive: it turns and comes back


@contextmanager
def recording(directory: Path) -> Iterator[subprocess.Popen[str]]:
    """`depth-perception record` on the simulated robot, as a user starts it."""
    command = [sys.executable, "-m", "depth_perception.cli", "record", "--directory", str(directory)]
    command += ["--params-file", str(ROOT / "config" / "recorder_simulated.yaml"), "--topics", "truth/depth"]
    command += ["--image", "camera/image", "--camera-info", "camera/camera_info", "--right", "right/image"]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def test_a_drive_recorded_by_the_node_has_depth_that_agrees_with_exact_depth(robot: Robot, tmp_path: Path) -> None:
    def received(topic: str) -> int:
        status = robot.statuses().get("topics")
        lines = {pair.key: pair.value for pair in status.values} if status else {}
        return int(lines.get(topic, "0").split()[0])

    def enough() -> bool:
        assert recorder.poll() is None, recorder.communicate()[0]
        return received("/camera/image") >= IMAGES and received("/lidar/points") >= IMAGES

    with recording(tmp_path / "bags") as recorder, running("depth_perception.nodes.simulator_node", WORLD):
        robot.until(enough, f"{IMAGES} recorded images and turns", 180.0)
        recorder.send_signal(signal.SIGINT)
        said, _ = recorder.communicate(timeout=30)
    assert recorder.returncode == 0 and "Traceback" not in said, said
    (bag,) = (tmp_path / "bags").iterdir()

    options = DatasetOptions(
        image="/camera/image", right="/right/image", truth_image="/truth/depth", split="1,0,0", image_format="png"
    )
    (outcome,) = make_dataset([str(bag)], tmp_path / "out", options)
    assert outcome.error == "" and outcome.summary is not None, outcome.error
    print("\n".join(report(outcome, tmp_path / "out")))  # what the command says, shown by pytest -s
    (sequence,) = sequences(tmp_path / "out")
    samples = sequence.samples()
    assert len(samples) >= IMAGES - 2 and all(sample.right for sample in samples)
    truths = [sample for sample in samples if sample.truth and sample.depth.get("left")]
    assert len(truths) >= IMAGES - 4
    away = []
    for sample in truths:
        depth, exact = sequence.depth(sample.index), sequence.truth(sample.index)
        both = np.isfinite(depth) & np.isfinite(exact)
        away.append(np.abs(depth - exact)[both] / exact[both])
    relative = np.concatenate(away)  # 1 cm of range noise; edges, where half a pixel decides, make the mean larger
    assert len(relative) > 300 * len(truths)
    assert np.median(relative) < 0.01 and np.mean(relative < 0.05) > 0.95 and relative.mean() < 0.05
    error = outcome.summary["error_to_truth"]
    assert error["abs_rel"]["count"] == len(truths)
    assert error["abs_rel"]["mean"] == pytest.approx(np.mean([one.mean() for one in away]), rel=1e-3)

    page = write_report(tmp_path / "out", tmp_path / "report")
    assert "depth against truth" in page.read_text()
    picture = cv2.imread(str(tmp_path / "report" / f"{sequence.name}.png"))
    assert picture is not None and picture.std() > 20.0
