"""Yards: gardens, courtyards, car parks and storage grounds, with a house on one side and a border all round."""

from __future__ import annotations

import numpy as np

from depth_perception.sim import materials
from depth_perception.sim.figures import person
from depth_perception.sim.furniture import make_piece
from depth_perception.sim.houses import fence, house, shed
from depth_perception.sim.layout import Layout
from depth_perception.sim.mesh import Part, blob, box, jitter, place, quad
from depth_perception.sim.plants import bush, far_woods, hedge, stone, tree
from depth_perception.sim.scene import Scene
from depth_perception.sim.vehicles import bicycle, vehicle

Surfaces = list[tuple[str, Part]]


def build_yard(scene: Scene) -> Layout:
    """A plot of 8 to 45 m with borders, buildings and things on it."""
    rng = scene.rng
    style = str(rng.choice(["garden", "court", "parking", "storage"], p=[0.45, 0.2, 0.2, 0.15]))
    a, b = rng.uniform(4.0, 14.0, 2) if style == "garden" else rng.uniform(7.0, 22.0, 2)
    _ground(scene, style, float(a), float(b))
    taken: list[tuple[float, float, float]] = []
    _borders(scene, style, float(a), float(b))
    things = {
        "garden": ("tree", "bush", "bush", "stone", "table", "chair", "plant", "shed", "person", "stack"),
        "court": ("tree", "plant", "bicycle", "bin", "car", "stack", "person", "table", "bush"),
        "parking": ("car", "car", "car", "car", "tree", "person", "bin", "bush"),
        "storage": ("container", "stack", "stack", "heap", "car", "shelf", "stack", "pile", "person", "shed"),
    }[style]
    for _ in range(int(a * b * rng.uniform(0.05, 0.16)) + 4):
        _drop(scene, str(rng.choice(things)), float(a), float(b), taken)
    for slot, part in far_woods(scene, float(rng.uniform(70.0, 200.0))):
        scene.add(slot, part)
    return Layout((-a - 1, -b - 1, a + 1, b + 1), (0.0, 0.0), np.zeros((0, 3)), None, False)


def _ground(scene: Scene, style: str, a: float, b: float) -> None:
    rng, far = scene.rng, 400.0
    field = scene.slot("field", ("grass", "asphalt", "stone"), (2.0, 8.0), loyalty=0.9)
    scene.add(field, quad(np.array([[-far, -far, -0.03], [far, -far, -0.03], [far, far, -0.03], [-far, far, -0.03]])))
    families = ("grass", "grass", "grass", "stone") if style == "garden" else ("asphalt", "tiles", "bricks", "speckle")
    slot = scene.slot("ground", families, (0.8, 4.0), loyalty=0.9)
    scene.add(slot, quad(np.array([[-a, -b, 0], [a, -b, 0], [a, b, 0], [-a, b, 0]])))
    for _ in range(rng.integers(0, 4)):
        size = rng.uniform(0.8, 6.0, 2)
        T = place(*jitter(rng, 0.8 * a, 0.8 * b), 0.0, rng.normal(0, 0.3))
        scene.add(materials.paving(scene), box(size[0], size[1], 0.02 * rng.uniform(0.5, 2.0)), T)


def _borders(scene: Scene, style: str, a: float, b: float) -> None:
    rng = scene.rng
    sides = [(0.0, b, 0.0, 2 * a), (0.0, -b, np.pi, 2 * a), (a, 0.0, -np.pi / 2, 2 * b), (-a, 0.0, np.pi / 2, 2 * b)]
    for x, y, yaw, length in sides:
        T, kind = place(x, y, 0.0, yaw), rng.random()
        if kind < 0.3:
            at = -length / 2
            while at < length / 2:
                width = float(rng.uniform(6.0, 14.0))
                tall = 3.0 * int(rng.integers(1, 4 if style == "garden" else 7)) + 0.5
                _put(scene, house(scene, width, rng.uniform(6, 10), tall), T @ place(at + width / 2, rng.uniform(0, 1)))
                at += width + rng.uniform(0, 3)
        elif kind < 0.55:
            _put(scene, hedge(scene, length, rng.uniform(1.0, 3.0), rng.uniform(0.6, 1.3)), T)
        elif kind < 0.75:
            _put(scene, fence(scene, length), T)
        elif kind < 0.9:
            _put(scene, [(materials.masonry(scene), box(length, 0.25, rng.uniform(1.0, 3.0)))], T)
        for _ in range(rng.integers(0, 6)):
            _put(
                scene, tree(scene, rng.uniform(3.5, 13)), T @ place(rng.uniform(-0.5, 0.5) * length, rng.uniform(2, 15))
            )


def _drop(scene: Scene, kind: str, a: float, b: float, taken: list[tuple[float, float, float]]) -> None:
    rng = scene.rng
    surfaces, radius = _thing(scene, kind)
    reach_x, reach_y = a - radius - 0.3, b - radius - 0.3
    if reach_x < 0.5 or reach_y < 0.5:
        return
    x, y = rng.uniform(-reach_x, reach_x), rng.uniform(-reach_y, reach_y)
    if any(np.hypot(x - tx, y - ty) < radius + tr for tx, ty, tr in taken):
        return
    taken.append((x, y, radius))
    _put(scene, surfaces, place(x, y, 0.0, rng.uniform(0, 2 * np.pi)))


def _thing(scene: Scene, kind: str) -> tuple[Surfaces, float]:
    rng = scene.rng
    if kind == "tree":
        return tree(scene, rng.uniform(2.5, 8.0)), 1.0
    if kind == "bush":
        size = rng.uniform(0.4, 1.8)
        return bush(scene, size), size / 2 + 0.1
    if kind == "stone":
        size = rng.uniform(0.2, 1.4)
        return stone(scene, size), size / 2 + 0.1
    if kind == "car":
        return vehicle(scene)[0], 2.5
    if kind == "person":
        return person(scene), 0.4
    if kind == "bicycle":
        return bicycle(scene), 0.9
    if kind == "shed":
        return shed(scene, rng.uniform(1.8, 3.5), rng.uniform(1.5, 3.0)), 2.8
    if kind == "container":
        slot = scene.some("container", 2, ("sheet",), (1.0, 4.0), loyalty=0.9)
        return [(slot, box(rng.uniform(3.0, 6.1), 2.4, 2.5))], 3.2
    if kind == "heap":
        slot = scene.some("heap", 2, ("speckle", "stone", "grass"), (0.5, 2.5), loyalty=0.9)
        return [(slot, blob(rng, tuple(rng.uniform(0.7, 2.0, 3)), 0.08))], 2.0
    piece = make_piece(scene, kind)
    return piece.surfaces, 0.6 * max(piece.depth_m, piece.width_m)


def _put(scene: Scene, surfaces: Surfaces, T: np.ndarray) -> None:
    for slot, part in surfaces:
        scene.add(slot, part, T)
