"""`depth-perception up` as a process: the node it starts has the arguments' parameters and ends with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from rcl_interfaces.srv import GetParameters
from ros_harness import ROOT, Robot
from tiny_model import tiny_model


def up(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "depth_perception.cli", "up", *arguments]
    pipe, joined = subprocess.PIPE, subprocess.STDOUT
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ}, stdout=pipe, stderr=joined, text=True)


def test_arguments_win_over_the_file_and_the_node_ends_with_up(robot: Robot, tmp_path: Path) -> None:
    model = tiny_model(tmp_path / "tiny.onnx")
    file = tmp_path / "mine.yaml"
    file.write_text("/**:\n  ros__parameters: {publish_mm: true, scan: {camera_height: 0.9, height_max: 2.5}}\n")
    process = up(
        *("--params-file", str(file), "--namespace", "front", "--backend", "onnxruntime", "--model", str(model)),
        *(
            "--camera-height",
            "1",
            "--image",
            "/cam/image",
            "--lidar",
            "/velodyne/points",
            "--right",
            "/pair/right/image",
        ),
    )
    try:
        names = ["scan.camera_height", "scan.height_max", "publish_mm", "model.path", "engine.backend", "lidar.enabled"]
        answer = robot.ask(GetParameters, "/front/depth/get_parameters", GetParameters.Request(names=names))
        height, height_max, publish_mm, path, backend, lidar = answer.values
        assert lidar.bool_value
        assert (height.double_value, height_max.double_value, publish_mm.bool_value) == (1.0, 2.5, True)
        assert (path.string_value, backend.string_value) == (str(model), "onnxruntime")
        for topic in ("/cam/image", "/velodyne/points", "/pair/right/image", "/pair/right/camera_info"):
            robot.until(lambda topic=topic: robot.node.count_subscribers(topic), f"a subscription to {topic}")
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
        assert process.returncode == 0, output
    finally:
        process.kill()


def test_a_node_that_cannot_start_ends_up_with_its_exit_code(tmp_path: Path) -> None:
    process = up("--model", str(tmp_path / "missing.onnx"))
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "missing.onnx" in output and "depth_node ended with exit code 1" in output
