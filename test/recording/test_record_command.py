"""`depth-perception record`: what it starts, and how it ends."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from depth_perception.commands.record import LAUNCH_ONLY, add_parser, recorder_command
from depth_perception.config import options
from depth_perception.errors import ConfigError
from depth_perception.recording.bringup import ARGUMENTS, parameters, remappings
from depth_perception.recording.config import RecorderConfig

ROOT = Path(__file__).resolve().parents[2]


def test_every_launch_argument_is_taken_and_names_a_parameter_that_exists() -> None:
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())
    args = parser.parse_args(["record"])
    known = {item.name for item in options(RecorderConfig)} | {"", "use_sim_time"}
    for argument in ARGUMENTS:
        assert argument.name in LAUNCH_ONLY or getattr(args, argument.name) == argument.default
        assert {argument.parameter, argument.switch} <= known
    assert len({argument.name for argument in ARGUMENTS}) == len(ARGUMENTS)


def test_topics_are_remapped_and_parameters_set() -> None:
    given = {
        "image": "/cam/image/compressed", "left": "/pair/left", "right": "/pair/right/compressed", "lidar": "/velodyne",
        "snapshot_s": "5", "hard_examples": "true", "topics": "/a /b*", "odom": "/odometry", "record": "false",
    }  # fmt: skip
    assert parameters(given) == {
        "image_transport": "compressed", "snapshot.seconds": 5.0, "snapshot.enabled": True, "hard.enabled": True,
        "topics": "/a /b*", "record": False,
    }  # fmt: skip
    assert set(remappings(given)) == {
        ("image", "/cam/image"), ("image/compressed", "/cam/image/compressed"), ("left/image", "/pair/left"),
        ("left/image/compressed", "/pair/left/compressed"), ("right/image", "/pair/right"),
        ("right/image/compressed", "/pair/right/compressed"), ("left/camera_info", "/pair/camera_info"),
        ("right/camera_info", "/pair/camera_info"), ("lidar/points", "/velodyne"), ("odom", "/odometry"),
    }  # fmt: skip
    with pytest.raises(ConfigError, match="'snapshot_s' = 'long' must be a number"):
        parameters({"snapshot_s": "long"})
    with pytest.raises(ConfigError, match="without 'right'"):
        parameters({"left": "/pair/left"})


def test_the_nodes_command_line() -> None:
    given = {"params_file": "mine.yaml", "name": "7", "lidar": "/velodyne", "namespace": "robot/", "log_level": "debug"}
    assert recorder_command(given)[1:] == [
        *("-m", "depth_perception.nodes.recorder", "--ros-args", "--params-file", "mine.yaml"),
        *("-p", 'name:="7"', "-r", "lidar/points:=/velodyne", "-r", "__ns:=/robot", "--log-level", "debug"),
    ]


def recording(directory: Path) -> subprocess.Popen[str]:
    """The command, leader of a group of its own, as in a terminal."""
    pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'depth_perception[ros]'")
    command = [sys.executable, "-m", "depth_perception.cli", "record", "--directory", str(directory)]
    command += ["--roles", "camera", "--topics", "/rosout"]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip


@pytest.mark.parametrize("signals", [1, 40])
def test_ctrl_c_finishes_the_file(tmp_path: Path, signals: int) -> None:
    """In the terminal both processes get the signal: here too. More of them, until nobody is left, change nothing."""
    process = recording(tmp_path / "out")
    assert process.stdout is not None
    end, lines = time.monotonic() + 30.0, []
    while time.monotonic() < end and not any("recording /rosout" in line for line in lines):
        lines.append(process.stdout.readline())
    while time.monotonic() < end and not list(tmp_path.glob("out/*/*.active")):
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    (node,) = children(process.pid)
    for _ in range(signals - 1):
        time.sleep(0.05)
        with contextlib.suppress(ProcessLookupError):
            os.kill(node, signal.SIGINT)
    rest, _ = process.communicate(timeout=30)
    assert process.returncode == 0, "".join(lines) + rest
    assert "/rosout: " in rest and "0 dropped" in rest and "Traceback" not in rest
    assert [path.suffix for path in sorted(tmp_path.glob("out/*/*"))] == [".mcap", ".yaml"]


def test_ctrl_c_while_the_node_starts_ends_it_cleanly(tmp_path: Path) -> None:
    """While it imports, there is nothing to finish yet, and no traceback to show."""
    process = recording(tmp_path / "out")
    end = time.monotonic() + 30.0
    while time.monotonic() < end and not children(process.pid):
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0 and "Traceback" not in output, output
    assert not list(tmp_path.glob("out/*"))


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
