"""People, from tapered limbs."""

from __future__ import annotations

import numpy as np

from depth_perception.sim.materials import fabric, item
from depth_perception.sim.mesh import Part, blob, lathe, place
from depth_perception.sim.scene import Scene


def person(scene: Scene) -> list[tuple[str, Part]]:
    """A standing or walking person, about 1.5 to 1.95 m, facing +x."""
    rng = scene.rng
    scale, step = rng.uniform(0.86, 1.1), rng.uniform(0.0, 0.45)
    trousers, shirt, skin = fabric(scene), fabric(scene), scene.slot("skin", ("plaster",), (0.5, 1.0), loyalty=1.0)
    parts = []
    for side in (-1, 1):
        hip = place(0, side * 0.1, 0.9, 0, side * step)
        parts.append((trousers, _limb(0.085, 0.055, 0.88).moved(hip @ place(0, 0, -0.88))))
        shoulder = place(0, side * 0.22, 1.42, 0, -side * step * 0.8, -side * 0.12)
        parts.append((shirt, _limb(0.055, 0.04, 0.62).moved(shoulder @ place(0, 0, -0.62))))
    torso = np.array([[0.12, 0], [0.16, 0.1], [0.17, 0.4], [0.13, 0.58], [0.05, 0.62]])
    parts.append((shirt, lathe(torso, 12).moved(place(0, 0, 0.85))))
    parts.append((skin, blob(rng, (0.1, 0.085, 0.125), 0.02).moved(place(0.01, 0, 1.6))))
    if rng.random() < 0.4:
        parts.append((item(scene), blob(rng, (0.12, 0.16, 0.22), 0.05).moved(place(-0.22, 0, 1.2))))
    return [(slot, _scaled(part, scale)) for slot, part in parts]


def _limb(top: float, bottom: float, length: float) -> Part:
    return lathe(np.array([[0, 0], [bottom, 0.02], [top, length], [0, length + 0.03]]), 8)


def _scaled(part: Part, scale: float) -> Part:
    return Part(part.vertices * np.float32(scale), part.normals, part.uv, part.faces)
