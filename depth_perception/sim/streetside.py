"""What stands along a street: lamps, signs, bins, trees in a row."""

from __future__ import annotations

import numpy as np

from depth_perception.sim import materials
from depth_perception.sim.mesh import Part, box, cylinder, lathe, merge, place
from depth_perception.sim.plants import bush, tree
from depth_perception.sim.road import Road
from depth_perception.sim.scene import Scene

Surfaces = list[tuple[str, Part]]


def lamp_post(scene: Scene) -> Surfaces:
    """A street lamp whose arm points to +x."""
    height, arm = scene.rng.uniform(4.0, 9.0), scene.rng.uniform(0.0, 2.0)
    pole = lathe(np.array([[0.11, 0], [0.07, 1.0], [0.05, height], [0, height]]), 8)
    parts = [pole, box(arm + 0.5, 0.15, 0.1).moved(place(arm / 2, 0, height))]
    return [(materials.metal(scene), merge(parts))]


def sign(scene: Scene) -> Surfaces:
    """A traffic sign or advertising board facing -x."""
    rng = scene.rng
    face = scene.some("sign", 3, ("print", "picture"), (0.6, 2.0), loyalty=1.0)
    height = rng.uniform(2.0, 2.8)
    parts: Surfaces = [(materials.metal(scene), cylinder(0.035, height, 8))]
    if rng.random() < 0.6:
        disc = cylinder(rng.uniform(0.25, 0.4), 0.02, 16 if rng.random() < 0.6 else 3)
        return [*parts, (face, disc.moved(place(-0.04, 0, height - 0.2, 0, -np.pi / 2)))]
    return [
        *parts,
        (face, box(0.05, rng.uniform(0.5, 1.8), rng.uniform(0.4, 1.2)).moved(place(-0.05, 0, height - 0.6))),
    ]


def street_things(scene: Scene, road: Road, d: float, z: float, trees: bool, spacing: float) -> None:
    """A row along the offset d: trees or posts at regular spacing, and odd things between."""
    rng = scene.rng
    height = rng.uniform(4.0, 11.0)
    for s in np.arange(-75.0 + rng.uniform(0, 8), 135.0, spacing):
        if trees:
            surfaces = tree(scene, height * rng.uniform(0.85, 1.15))
        elif rng.random() < 0.5:
            surfaces = _small(scene)
        else:
            continue
        T = road.pose(float(s) + rng.normal(0, 0.4), d, z, rng.uniform(0, 6.28))
        for slot, part in surfaces:
            scene.add(slot, part, T)


def _small(scene: Scene) -> Surfaces:
    rng = scene.rng
    kind = rng.integers(5)
    if kind == 0:
        return [(materials.metal(scene), cylinder(0.06, rng.uniform(0.7, 1.1), 8))]
    if kind == 1:
        return [(materials.item(scene), box(0.6, 0.5, rng.uniform(0.8, 1.5)))]
    if kind == 2:
        return [(materials.item(scene), lathe(np.array([[0.22, 0], [0.28, 0.9], [0, 0.95]]), 12))]
    if kind == 3:
        return bush(scene, rng.uniform(0.6, 1.6))
    return [(materials.metal(scene), box(0.9, 0.5, rng.uniform(1.0, 1.6)))]
