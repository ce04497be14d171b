"""The YAML that ships in config/, written from the configuration dataclasses so that it can't drift from them.

`python -m depth_perception.parameter_file config` writes them (`make config`).
"""

from __future__ import annotations

import json
import math
import sys
import textwrap
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from depth_perception.bags.transforms import quaternion
from depth_perception.config import DepthConfig, Option, options
from depth_perception.recording.config import RecorderConfig
from depth_perception.sim.parameters import SimulatorConfig
from depth_perception.sim.setup import SimConfig

WIDTH = 110
ADVICE = "Edit a copy and pass it with params_file:=COPY."


def render(options_of_node: Iterable[Option], title: str) -> str:
    """A ROS parameter file, keyed `/**:` so that any name and namespace match, with every option at its default.

    Groups are nested; each option is preceded by its description, its range or choices, and 'fixed while it runs'
    if it can't change on a configured node.
    """
    lines = [f"# {title}", "/**:", "  ros__parameters:"]
    open_groups: list[str] = []
    for item in options_of_node:
        *groups, name = item.name.split(".")
        shared = 0
        while shared < min(len(groups), len(open_groups)) and groups[shared] == open_groups[shared]:
            shared += 1
        lines += ["  " * (level + 2) + f"{groups[level]}:" for level in range(shared, len(groups))]
        open_groups = groups
        indent = "  " * (len(groups) + 2)
        lines += textwrap.wrap(_comment(item), WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")
        lines.append(f"{indent}{name}: {json.dumps(item.default)}")
    return "\n".join(lines) + "\n"


def _comment(item: Option) -> str:
    parts = [item.description]
    if item.choices:
        parts.append(f"one of {', '.join(item.choices)}")
    if item.low is not None and item.high is not None:
        parts.append(f"from {_number(item.low)} to {_number(item.high)}")
    if not item.live:
        parts.append("fixed while it runs")
    return "; ".join(parts)


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}"


def _on_simulator(config: SimConfig, node: str) -> str:
    """For the depth node or the recorder, which has no `scan`."""
    camera, lidar, scan = config.camera, config.lidar, config.scan
    assert camera is not None and lidar is not None and scan is not None
    T_cam_base = np.linalg.inv(camera.T_body_camera())
    level = (
        "    scan:",
        f"      camera_height: {camera.position[2]}",
        f"      camera_pitch: {math.radians(camera.pitch_deg):.4f}",
    )
    lines = (
        f"# Parameters of the {node} on the simulated robot: how its sensors are mounted.",
        "/**:",
        "  ros__parameters:",
        *(level if node == "depth node" else ()),
        "    lidar:",
        f'      T_cam_lidar: "{transform_text(T_cam_base @ lidar.T_body_lidar())}"',
        "    laser:",
        f'      T_cam_laser: "{transform_text(T_cam_base @ scan.T_body_scan())}"',
        "    odometry:",
        f'      T_cam_base: "{transform_text(T_cam_base)}"',
    )
    return "\n".join(lines) + "\n"


def transform_text(T: NDArray[np.float64]) -> str:
    """A transform (4, 4) as parameters take it: 'x y z qx qy qz qw', to a tenth of a millimetre and 1e-6."""
    metres = [f"{value:.4f}" for value in T[:3, 3]]
    return " ".join(metres + [f"{value:.6f}" for value in quaternion(T[:3, :3])]).replace("-0.0000 ", "0.0000 ")


def shipped() -> dict[str, str]:
    """File name → text of every parameter file in config/."""
    return {
        "depth.yaml": render(options(DepthConfig), "Parameters of the depth node, at their defaults. " + ADVICE),
        "depth_simulated.yaml": _on_simulator(SimConfig(), "depth node"),
        "recorder.yaml": render(options(RecorderConfig), "Parameters of the recorder, at their defaults. " + ADVICE),
        "recorder_simulated.yaml": _on_simulator(SimConfig(), "recorder"),
        "simulator.yaml": render(options(SimulatorConfig), "Parameters of the simulated robot, at their defaults."),
    }


if __name__ == "__main__":
    for name, text in shipped().items():
        (Path(sys.argv[1]) / name).write_text(text)
