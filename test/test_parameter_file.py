"""The parameter files in config/ say what the code says."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import yaml

from depth_perception.config import DepthConfig, from_flat, option, options, read_parameters, to_flat
from depth_perception.parameter_file import render, shipped, transform_text
from depth_perception.recording.config import RecorderConfig
from depth_perception.sim.parameters import SimulatorConfig
from depth_perception.sim.setup import CameraSetup

PARAMETERS = [("depth.yaml", DepthConfig), ("recorder.yaml", RecorderConfig), ("simulator.yaml", SimulatorConfig)]
CONFIG = Path(__file__).resolve().parent.parent / "config"


@pytest.mark.parametrize("name", sorted(shipped()))
def test_file_is_what_the_code_writes(name: str) -> None:
    assert (CONFIG / name).read_text() == shipped()[name], "config/ is behind the code: run `make config`"


@pytest.mark.parametrize(("name", "cls"), PARAMETERS)
def test_file_holds_every_parameter_at_its_default(name: str, cls: type) -> None:
    values = read_parameters(CONFIG / name)
    assert values == to_flat(cls())
    assert {key: type(value) for key, value in values.items()} == {i.name: type(i.default) for i in options(cls)}


def test_file_is_keyed_so_that_any_node_name_and_namespace_match() -> None:
    for name in shipped():
        assert list(yaml.safe_load((CONFIG / name).read_text())) == ["/**"]


def test_the_simulated_robot_tells_the_node_where_its_camera_sits() -> None:
    scan = from_flat(read_parameters(CONFIG / "depth_simulated.yaml")).scan
    camera = CameraSetup()
    assert scan.camera_height == camera.position[2]
    assert scan.camera_pitch == pytest.approx(math.radians(camera.pitch_deg), abs=1e-4)


def test_a_transform_is_written_as_parameters_take_it() -> None:
    T = np.eye(4)
    T[:3, :3] = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]  # a quarter turn to the left around z
    T[:3, 3] = 1.5, -0.25, -0.00001
    assert transform_text(T) == "1.5000 -0.2500 0.0000 0.000000 0.000000 0.707107 0.707107"


@dataclass(frozen=True)
class _Inner:
    share: float = option(0.5, "share of something", low=0.0, high=1.0)


@dataclass(frozen=True)
class _Outer:
    count: int = option(3, "how many", low=0, high=2**31 - 1, live=False)
    mode: str = option("off", "how", choices=("off", "on"))
    inner: _Inner = field(default_factory=_Inner)
    deep: _Inner = field(default_factory=_Inner)


def test_rendered_text() -> None:
    assert render(options(_Outer), "Title.") == (
        "# Title.\n"
        "/**:\n"
        "  ros__parameters:\n"
        "    # how many; from 0 to 2147483647; fixed while it runs\n"
        "    count: 3\n"
        "    # how; one of off, on\n"
        '    mode: "off"\n'  # without the quotes YAML reads False
        "    inner:\n"
        "      # share of something; from 0 to 1\n"
        "      share: 0.5\n"
        "    deep:\n"
        "      # share of something; from 0 to 1\n"
        "      share: 0.5\n"
    )
