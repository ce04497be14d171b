"""One small room and one small street, rendered once for all tests of the simulator."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from depth_perception.camera import CameraModel
from depth_perception.errors import SimulatorError
from depth_perception.sim.setup import CameraSetup, LidarSetup, SimConfig
from depth_perception.sim.world import World, build_world

HEIGHT, WIDTH = 96, 136


def open_renderer(world: World, height: int, width: int, **options: float) -> object:
    """A renderer, or a skip with the reason on machines that can't render."""
    pytest.importorskip("mujoco", reason="mujoco is not installed: pip install 'depth_perception[sim]'")
    from depth_perception.sim.render import WorldRenderer

    try:
        return WorldRenderer(world, height, width, **options)
    except SimulatorError as error:
        pytest.skip(f"this machine can't render: {error}")


@pytest.fixture(scope="session")
def room() -> World:
    return build_world(5, "room")


@pytest.fixture(scope="session")
def street() -> World:
    return build_world(5, "street")


@pytest.fixture(scope="session")
def room_renderer(room: World) -> Iterator[object]:
    renderer = open_renderer(room, HEIGHT, WIDTH)
    yield renderer
    renderer.close()


@pytest.fixture(scope="session")
def street_renderer(street: World) -> Iterator[object]:
    renderer = open_renderer(street, HEIGHT, WIDTH)
    yield renderer
    renderer.close()


@pytest.fixture(scope="session")
def odd_camera() -> CameraModel:
    """fx != fy, W != H, principal point off the centre: swapped axes and half-pixel slips show."""
    return CameraModel(HEIGHT, WIDTH, np.array([[95.0, 0, 60.3], [0, 120.0, 55.1], [0, 0, 1]]))


@pytest.fixture(scope="session")
def small_config() -> SimConfig:
    """A short drive with everything on."""
    return SimConfig(
        seed=5,
        kind="room",
        duration_s=0.6,
        camera=CameraSetup(height=120, width=160, rate_hz=10.0, right_depth=True),
        lidar=LidarSetup(columns=180, noise_m=0.0, sectors=1),
        oversample=2.0,
        shadow_map=0,
    )


@pytest.fixture(scope="session")
def small_frames(small_config: SimConfig, room: World) -> list[object]:
    """The frames of the short drive."""
    open_renderer(room, 8, 8).close()  # type: ignore[attr-defined]
    from depth_perception.sim.frames import frames

    return list(frames(small_config, room))
