"""Shared fixtures: where the real recordings lie, and a ROS domain of our own."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Training runs from a checkout with PyTorch; a robot's `colcon test` has none.
collect_ignore = [] if importlib.util.find_spec("torch") else ["training"]

if importlib.util.find_spec("triton"):  # before any test renders: see training/__init__.py
    import triton  # noqa: F401

# Before mujoco is imported anywhere: it reads this once, and without a display its own choice aborts.
os.environ.setdefault("MUJOCO_GL", "egl")

# Before rclpy is imported anywhere: tests talk to nobody but themselves.
os.environ.setdefault("ROS_DOMAIN_ID", str(20 + os.getpid() % 80))
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real recordings beside the checkout; the test is skipped where it is absent."""
    path = ROOT.parent / "shared" / "data"
    if not path.is_dir():
        pytest.skip(f"real recordings are not there: {path} (they are not part of this repository)")
    return path


@pytest.fixture(scope="session")
def shared_tools(shared_data: Path) -> Path:
    """The folder of the script that turns the recordings into rosbags, beside `shared_data`."""
    path = shared_data.parent / "tools"
    if not (path / "make_bags.py").is_file():
        pytest.skip(f"make_bags.py is not there: {path}")
    return path
