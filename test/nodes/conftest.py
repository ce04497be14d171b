"""The node under test sees what `robot` publishes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'depth_perception[ros]'")

from ros_harness import Robot


@pytest.fixture
def robot() -> Iterator[Robot]:
    robot = Robot()
    yield robot
    robot.close()
