"""Single viewpoints in a world, as robots, cars and hands hold cameras: varied, in free space, worth looking at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from depth_perception.camera import CameraModel
from depth_perception.sim.mesh import place
from depth_perception.sim.rays import cast
from depth_perception.sim.render import WorldRenderer
from depth_perception.sim.world import World

# Columns: the optical axes (x right, y down, z forward) in a body frame (x forward, y left, z up)
T_BODY_OPTICAL = np.array([[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]])


@dataclass(frozen=True)
class View:
    """One picture to take. Angles in degrees; pitch is positive downwards; height is above the ground below."""

    camera: CameraModel
    T_world_camera: np.ndarray
    hfov_deg: float
    camera_height_m: float
    pitch_deg: float
    roll_deg: float


def sample_view(renderer: WorldRenderer, rng: np.random.Generator, height: int, width: int, attempts: int = 40) -> View:
    """A random view that isn't blocked: the best of `attempts` if none passes."""
    best, best_score = None, -1.0
    for _ in range(attempts):
        view = _candidate(renderer.world, rng, height, width)
        score = _openness(renderer, view, rng)
        if score >= 1.0:
            return view
        if score > best_score:
            best, best_score = view, score
    assert best is not None
    return best


def _candidate(world: World, rng: np.random.Generator, height: int, width: int) -> View:
    on_road = world.kind == "street" and rng.random() < 0.7
    x, y, yaw = _road_place(world, rng) if on_road else _free_place(world, rng)
    low = rng.random() < (0.25 if on_road else 0.5)
    lens = float(rng.uniform(0.15, 0.8) if low else rng.uniform(0.8, 1.8))
    pitch = float(np.clip(rng.normal(0.0, 3.0 if on_road else 7.0), -15.0, 15.0))
    roll = float(np.clip(rng.normal(0.0, 1.2), -3.0, 3.0))
    if world.layout.indoor and rng.random() < 0.3:
        # Held in the hand, over a table
        lens, pitch, roll = float(rng.uniform(1.1, 1.8)), float(rng.uniform(10.0, 40.0)), float(rng.normal(0.0, 7.0))
    hfov = float(rng.uniform(65.0, 100.0) if on_road and rng.random() < 0.6 else rng.uniform(45.0, 100.0))
    T = place(x, y, lens, yaw, np.deg2rad(pitch), np.deg2rad(roll)) @ T_BODY_OPTICAL
    return View(CameraModel.pinhole(height, width, hfov), T, hfov, lens, pitch, roll)


def _road_place(world: World, rng: np.random.Generator) -> tuple[float, float, float]:
    """On the road, mostly looking along it, either way."""
    line = world.layout.road
    assert line is not None
    index = int(rng.integers(5, len(line) - 6))
    along = line[index + 1] - line[index]
    heading = float(np.arctan2(along[1], along[0]))
    aside = rng.uniform(-3.5, 3.5)
    x, y = line[index] + aside * np.array([-np.sin(heading), np.cos(heading)])
    turn = rng.normal(0.0, np.deg2rad(7.0)) if rng.random() < 0.75 else rng.uniform(-0.9, 0.9)
    return float(x), float(y), float(heading + turn + np.pi * rng.integers(2))


def _free_place(world: World, rng: np.random.Generator) -> tuple[float, float, float]:
    at = world.free.sample(rng, float(rng.uniform(0.32, 0.7))) or world.free.sample(rng, 0.3) or world.layout.start
    if world.layout.road is not None:
        # Beyond the houses there is little to see
        for _ in range(20):
            if np.hypot(*(world.layout.road - at).T).min() < 14.0:
                break
            at = world.free.sample(rng, 0.4) or at
    return at[0], at[1], float(rng.uniform(0.0, 2 * np.pi))


def _openness(renderer: WorldRenderer, view: View, rng: np.random.Generator) -> float:
    """1 if the view is clear enough, else how near it comes to that; the demand is random, so that near views occur."""
    camera = view.camera
    u, v = np.meshgrid(np.linspace(0, camera.width - 1, 9), np.linspace(0, camera.height - 1, 7))
    rays = np.column_stack([(u.ravel() - camera.cx) / camera.fx, (v.ravel() - camera.cy) / camera.fy, np.ones(u.size)])
    scale = np.linalg.norm(rays, axis=1)
    T = view.T_world_camera
    distance, _ = cast(renderer.model, renderer.data, T[:3, 3], (rays / scale[:, None]) @ T[:3, :3].T)
    depth = np.minimum(distance / scale, 200.0)
    nearest, middle, far = np.quantile(depth, [0.02, 0.5, 0.9])
    want = float(np.exp(rng.uniform(np.log(0.8), np.log(3.2))))
    spread = min(1.0, (far / max(middle, 0.1) - 1.0) / 0.25)
    return float(min(1.0, nearest / 0.28) * min(1.0, middle / want) * min(1.0, 0.55 + spread))
