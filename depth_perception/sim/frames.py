"""A simulated drive, frame by frame, without ROS: `for frame in frames(SimConfig(seed=3)): …`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from depth_perception.camera import CameraModel
from depth_perception.errors import SimulatorError
from depth_perception.sim.drive import Drive, plan_drive
from depth_perception.sim.lidar import LidarSample, ScanSample, measure_lidar, measure_scan
from depth_perception.sim.odometry import OdometrySample, measure_odometry
from depth_perception.sim.render import WorldRenderer
from depth_perception.sim.setup import CameraSetup, SimConfig
from depth_perception.sim.world import World, build_world

# A moving car nearer to the robot than this at any time of the drive is taken out of it
_CAR_CLEARANCE_M = 3.0


@dataclass(frozen=True)
class SimFrame:
    """What the robot's camera saw at `stamp_ns`, and what its other sensors measured since the frame before.

    Images are uint8 (H, W, 3) RGB; depth float32 (H, W) metres along the optical axis, +Inf where nothing is within
    reach. What is switched off is None or empty. Samples are in order of their stamps, none later than the frame's.
    """

    stamp_ns: int
    image: np.ndarray
    depth: np.ndarray
    camera: CameraModel
    right_image: np.ndarray | None
    right_depth: np.ndarray | None
    right_camera: CameraModel | None
    lidar: tuple[LidarSample, ...]
    scans: tuple[ScanSample, ...]
    odometry: tuple[OdometrySample, ...]
    T_world_body: np.ndarray
    T_body_camera: np.ndarray
    T_body_right: np.ndarray | None
    T_body_lidar: np.ndarray | None
    T_body_scan: np.ndarray | None


def frames(config: SimConfig | None = None, world: World | None = None) -> Iterator[SimFrame]:
    """Frames of a drive at the camera's rate, as fast as they render; the same configuration gives the same bytes.

    `world` saves building it again when the caller has it already.
    """
    config = config or SimConfig()
    if config.camera is None:
        raise SimulatorError("frames are paced by the camera, so it can't be None; set camera.right=False to save time")
    world = world or build_world(config.seed, config.kind)
    renderer = WorldRenderer(world, config.camera.height, config.camera.width, config.oversample, config.shadow_map)
    try:
        yield from _Simulation(config, config.camera, renderer).run()
    finally:
        renderer.close()


class _Simulation:
    """The state of one drive."""

    def __init__(self, config: SimConfig, camera: CameraSetup, renderer: WorldRenderer) -> None:
        self.config, self.camera, self.renderer = config, camera, renderer
        seed = config.seed
        self.drive = plan_drive(renderer.world, np.random.default_rng([seed, 10]), config.duration_s, config.speed_mps)
        self.lighting = renderer.world.lighting(np.random.default_rng([seed, 11]))
        self.lidar_rng, self.scan_rng = (np.random.default_rng([seed, stream]) for stream in (12, 13))
        self.odometry: list[OdometrySample] = []
        if config.odometry is not None:
            self.odometry = measure_odometry(
                self.drive, config.odometry, config.duration_s, config.start_ns, np.random.default_rng([seed, 14])
            )
        self.movers = _clear_movers(renderer.world, self.drive, config.duration_s)
        self.T_body_camera = camera.T_body_camera()
        shift = np.eye(4)
        shift[0, 3] = camera.baseline_m
        self.T_body_right = self.T_body_camera @ shift

    def run(self) -> Iterator[SimFrame]:
        """All frames."""
        count = int(self.config.duration_s * self.camera.rate_hz + 1e-6)
        for index in range(count):
            yield self._frame(index / self.camera.rate_hz, (index - 1) / self.camera.rate_hz)

    def _stamp(self, t: float) -> int:
        return self.config.start_ns + round(t * 1e9)

    def _frame(self, t: float, before: float) -> SimFrame:
        lidar, scans = self._lidar(before, t), self._scans(before, t)
        stamp = self._stamp(t)
        odometry = tuple(s for s in self.odometry if self._stamp(before) < s.stamp_ns <= stamp)
        T_world_body = self.drive.T_world_body(t)
        self._set_movers(t)
        left = self.camera.model()
        image, depth = self.renderer.render(left, T_world_body @ self.T_body_camera, self.lighting)
        right_image = right_depth = right_camera = None
        if self.camera.right:
            right_camera = self.camera.right_model()
            right_image, right_depth = self.renderer.render(
                right_camera, T_world_body @ self.T_body_right, self.lighting
            )
        config = self.config
        return SimFrame(
            stamp,
            image,
            depth,
            left,
            right_image,
            right_depth if self.camera.right_depth else None,
            right_camera,
            lidar,
            scans,
            odometry,
            T_world_body,
            self.T_body_camera,
            self.T_body_right if self.camera.right else None,
            config.lidar.T_body_lidar() if config.lidar else None,
            config.scan.T_body_scan() if config.scan else None,
        )

    def _lidar(self, before: float, t: float) -> tuple[LidarSample, ...]:
        """Turns that ended since the frame before; a turn's stamp is its beginning."""
        setup = self.config.lidar
        if setup is None:
            return ()
        turn, T_body_lidar, samples = 1.0 / setup.rate_hz, setup.T_body_lidar(), []
        for start in _ticks(before - turn, t - turn, setup.rate_hz):
            self._set_movers(start + 0.5 * turn)
            pose = _moved(self.drive, start, T_body_lidar)
            samples.append(
                measure_lidar(self.renderer.model, self.renderer.data, setup, self._stamp(start), pose, self.lidar_rng)
            )
        return tuple(samples)

    def _scans(self, before: float, t: float) -> tuple[ScanSample, ...]:
        setup, samples = self.config.scan, []
        if setup is None:
            return ()
        for at in _ticks(before, t, setup.rate_hz):
            self._set_movers(at)
            T = self.drive.T_world_body(at) @ setup.T_body_scan()
            samples.append(
                measure_scan(self.renderer.model, self.renderer.data, setup, self._stamp(at), T, self.scan_rng)
            )
        return tuple(samples)

    def _set_movers(self, t: float) -> None:
        for name, way in self.movers.items():
            self.renderer.place_body(name, way(t))
        if self.movers:
            self.renderer.settle()


def _ticks(after: float, until: float, rate_hz: float) -> list[float]:
    """Multiples of the period in (after, until], from 0 on."""
    first = max(0, int(np.floor(after * rate_hz + 1e-6)) + 1)
    last = int(np.floor(until * rate_hz + 1e-6))
    return [index / rate_hz for index in range(first, last + 1)]


def _moved(drive: Drive, start: float, T_body_sensor: np.ndarray) -> Callable[[float], np.ndarray]:
    return lambda t: drive.T_world_body(start + t) @ T_body_sensor


def _clear_movers(world: World, drive: Drive, duration_s: float) -> dict[str, Callable[[float], np.ndarray]]:
    """The way of each moving body; one that would run the robot over waits out of sight instead."""
    ways: dict[str, Callable[[float], np.ndarray]] = {}
    away = np.eye(4)
    away[2, 3] = -50.0
    for mover in world.scene.movers:
        apart = [
            np.hypot(*(mover.way(t) - drive.T_world_body(t))[:2, 3]) for t in np.arange(0.0, duration_s + 0.2, 0.1)
        ]
        ways[mover.name] = mover.way if min(apart) > _CAR_CLEARANCE_M else lambda t: away
    return ways
