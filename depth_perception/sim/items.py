"""Small things that lie about: bottles, cups, bowls, boxes, balls, books, laptops."""

from __future__ import annotations

import numpy as np

from depth_perception.sim.materials import item
from depth_perception.sim.mesh import Part, blob, box, jitter, lathe, merge, place
from depth_perception.sim.scene import Scene


def clutter(scene: Scene, count: int, tallest: float = 0.4) -> list[tuple[str, Part]]:
    """`count` things at the origin, at most `tallest` metres high."""
    return [(item(scene), _thing(scene.rng, tallest)) for _ in range(count)]


def on_top(
    scene: Scene, depth: float, width: float, z: float, count: int, tallest: float = 0.45
) -> list[tuple[str, Part]]:
    """Things spread over a rectangle (depth along x, width along y) at height z."""
    spread = [
        place(*jitter(scene.rng, 0.42 * depth, 0.42 * width), z, scene.rng.uniform(0, 6.28)) for _ in range(count)
    ]
    return [(slot, part.moved(T)) for (slot, part), T in zip(clutter(scene, count, tallest), spread, strict=True)]


def _thing(rng: np.random.Generator, tallest: float) -> Part:
    height = min(float(np.exp(rng.uniform(np.log(0.06), np.log(0.4)))), tallest)
    r = float(rng.uniform(0.03, 0.09))
    kind = rng.integers(10)
    if kind == 0:
        neck = rng.uniform(0.2, 0.5) * r
        return lathe(
            np.array([[0, 0], [r, 0], [r, 0.6 * height], [neck, 0.75 * height], [neck, height], [0, height]]), 12
        )
    if kind == 1:
        return lathe(
            np.array([[0, 0.0], [r, 0], [r * 1.1, height * 0.5], [r, height * 0.5], [r * 0.9, 0.02], [0, 0.02]]), 14
        )
    if kind == 2:
        bend = np.linspace(0, np.pi / 2, 5)
        rim = np.column_stack([0.4 * r + 1.5 * r * np.sin(bend), 0.1 * (1 - np.cos(bend))])
        return merge([lathe(rim, 16), lathe(rim[::-1] * 0.97, 16)])
    if kind == 3:
        return blob(rng, (r, r, r), 0.02).moved(place(0, 0, r))
    if kind == 4:
        flat = box(0.24, 0.33, 0.018)
        return merge([flat, box(0.01, 0.33, 0.22).moved(place(-0.12, 0, 0.01, 0, -0.3))])
    if kind == 5:
        layers = [
            box(rng.uniform(0.14, 0.22), rng.uniform(0.18, 0.3), 0.03).moved(place(0, 0, 0.03 * i, rng.normal(0, 0.3)))
            for i in range(rng.integers(1, 6))
        ]
        return merge(layers)
    if kind > 6:
        # Papers, magazines, trays: flat things are most of what lies on tables
        return box(rng.uniform(0.1, 0.32), rng.uniform(0.15, 0.42), rng.uniform(0.003, 0.04))
    return box(rng.uniform(0.06, 0.3), rng.uniform(0.06, 0.3), height)
