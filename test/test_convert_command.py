"""`depth-perception convert` as a user meets it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import camera_bags as cam
import pytest
from bags import recordings as rec
from tiny_model import tiny_model

from depth_perception.bags import open_bag
from depth_perception.cli import main

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def model(tmp_path: Path) -> str:
    return str(tiny_model(tmp_path / "m.onnx"))


def test_converts_and_reports(tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    bag = cam.camera_bag(tmp_path / "in", [10, 0, 30, 40], [("/depth/preview", rec.T0, rec.image(3))])
    code = main(["convert", str(bag), str(tmp_path / "out"), "--model", model, "--backend", "onnxruntime", "--preview"])
    out = capsys.readouterr().out
    assert code == 0
    assert "/cam/image_rect with /cam/camera_info: 4 depth images of 4 in " in out
    assert "onnxruntime on cpu" in out
    assert set(open_bag(tmp_path / "out").topics) == {"/depth/image", "/depth/camera_info", "/depth/preview"}


def test_command_line_wins_over_the_parameter_file(tmp_path: Path, model: str) -> None:
    params = tmp_path / "params.yaml"
    params.write_text("/**:\n  ros__parameters:\n    publish_mm: true\n    model: {path: /nowhere.onnx}\n")
    bag = cam.camera_bag(tmp_path / "in", [10])
    assert main(["convert", str(bag), str(tmp_path / "out"), "--params-file", str(params), "--model", model]) == 0
    assert "/depth/image_mm" in open_bag(tmp_path / "out").topics


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["missing", "out"], "missing' does not exist"),
        (["in", "in"], "in' exists"),
        (["in", "out", "--image", "/nope"], "'/nope' isn't there"),
        (["in", "out", "--camera-info", "/cam/image_rect"], "is sensor_msgs/msg/Image"),
        (["in", "out", "--model", "gone.onnx"], "gone.onnx"),
        (["in", "out", "--backend", "abacus"], "abacus"),
        (["in", "out", "--params-file", "gone.yaml"], "gone.yaml"),
    ],
)
def test_errors_are_one_line_and_exit_code_1(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    reason: str,
) -> None:
    cam.camera_bag(tmp_path / "in", [10])
    tiny_model(tmp_path / "m.onnx")
    monkeypatch.chdir(tmp_path)
    assert main(["convert", "--model", "m.onnx", *arguments]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1 and reason in error
    assert not (tmp_path / "out").exists() and not (tmp_path / "out.partial").exists()


def test_no_depth_is_a_failure_even_with_previews(
    tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bag = rec.rosbag2(tmp_path / "in", cam.camera_messages([10, 20])[::2])
    assert main(["convert", str(bag), str(tmp_path / "out"), "--model", model, "--preview"]) == 1
    out = capsys.readouterr().out
    assert "without depth: 2 × no metric depth: no camera_info: this model needs fx" in out
    assert set(open_bag(tmp_path / "out").topics) == {"/depth/preview"}


def test_losses_and_damage_are_reported(tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    recorded = cam.camera_messages(list(range(10, 110)))
    recorded[2][2].encoding = "cmyk"
    bag = next(rec.rosbag2(tmp_path / "in", recorded).glob("*.mcap"))
    bag.write_bytes(bag.read_bytes()[:-5000])
    assert main(["convert", str(bag), str(tmp_path / "out"), "--model", model]) == 0
    out = capsys.readouterr().out
    assert "without depth: 1 × bad image message: image with encoding 'cmyk'" in out
    assert "damaged: in.mcap: the file has no end" in out


def test_ctrl_c_leaves_a_readable_recording(tmp_path: Path, model: str) -> None:
    bag = cam.camera_bag(tmp_path / "in", [10 + i % 200 for i in range(1000)])
    out = tmp_path / "out"
    command = [
        sys.executable,
        "-m",
        "depth_perception.cli",
        "convert",
        bag,
        out,
        "--model",
        model,
        "--image",
        "/cam/image_rect",
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    storage = tmp_path / "out.partial" / "out_0.mcap"
    while process.poll() is None and not (storage.exists() and storage.stat().st_size > 1_000_000):
        pass
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    assert not out.exists()
    with open_bag(tmp_path / "out.partial") as partial:
        assert partial.problems == []
        assert 10 < partial.topics["/depth/image"].count < 1000
        assert sum(1 for _ in partial.messages(["/depth/image"])) == partial.topics["/depth/image"].count
