"""Trees, hedges, bushes, stones."""

from __future__ import annotations

import numpy as np

from depth_perception.sim import materials
from depth_perception.sim.mesh import Part, blob, jitter, lathe, leaf_cloud, merge, place
from depth_perception.sim.scene import Scene

Surfaces = list[tuple[str, Part]]


def tree(scene: Scene, height: float) -> Surfaces:
    """A broad-leaved, coniferous or bare tree of that height."""
    kind = scene.rng.random()
    if kind < 0.68:
        return _broadleaf(scene, height)
    return _conifer(scene, height) if kind < 0.88 else _bare(scene, height)


def _broadleaf(scene: Scene, height: float) -> Surfaces:
    rng, leaf = scene.rng, materials.leaf(scene)
    clear = height * rng.uniform(0.2, 0.4)
    trunk = _trunk(rng, height * 0.8, rng.uniform(0.015, 0.03) * height)
    parts, reach = [], height * rng.uniform(0.16, 0.28)
    for _ in range(rng.integers(3, 8)):
        r = reach * rng.uniform(0.6, 1.1)
        radii = (r, r, r * rng.uniform(0.6, 1.0))
        T = place(*jitter(rng, 0.9 * reach, 0.9 * reach), rng.uniform(clear + 0.8 * r, max(clear + r, height - r)))
        inner = (0.85 * radii[0], 0.85 * radii[1], 0.85 * radii[2])
        parts.append(blob(rng, inner, 0.13, 5).moved(T))
        parts.append(leaf_cloud(rng, radii, int(rng.integers(50, 130)), r * rng.uniform(0.12, 0.26)).moved(T))
    return [(materials.bark(scene), trunk), (leaf, merge(parts))]


def _trunk(rng: np.random.Generator, height: float, radius: float) -> Part:
    bend = place(0, 0, 0, 0, rng.normal(0, 0.04), rng.normal(0, 0.04))
    return lathe(np.array([[radius * 1.5, 0], [radius, 0.1 * height], [radius * 0.5, height]]), 9).moved(bend)


def _conifer(scene: Scene, height: float) -> Surfaces:
    rng, parts = scene.rng, []
    width = height * rng.uniform(0.13, 0.25)
    for share in np.linspace(0.12, 0.8, 6):
        r = width * (1.0 - share) * rng.uniform(0.9, 1.1) + 0.15
        z = share * height
        parts.append(lathe(np.array([[r, z], [0.15 * r, z + height * 0.24]]), 9))
        parts.append(leaf_cloud(rng, (r, r, 0.08 * height), 40, 0.25 * r + 0.1).moved(place(0, 0, z + 0.05 * height)))
    return [(materials.bark(scene), _trunk(rng, height * 0.9, 0.02 * height)), (materials.leaf(scene), merge(parts))]


def _bare(scene: Scene, height: float) -> Surfaces:
    rng = scene.rng
    parts = [_trunk(rng, height, 0.02 * height)]
    for _ in range(rng.integers(8, 22)):
        start, length = rng.uniform(0.3, 0.9) * height, height * rng.uniform(0.15, 0.4)
        T = place(0, 0, start, rng.uniform(0, 6.28)) @ place(0, 0, 0, 0, rng.uniform(0.4, 1.2))
        parts.append(lathe(np.array([[0.008 * height, 0], [0.002 * height, length]]), 6).moved(T))
    return [(materials.bark(scene), merge(parts))]


def hedge(scene: Scene, length: float, height: float, width: float) -> Surfaces:
    """A hedge along x, centred."""
    rng, parts = scene.rng, []
    count = max(1, int(length / max(0.7, width)))
    for x in np.linspace(-length / 2, length / 2, count + 1):
        radii = (0.75 * length / count, width * rng.uniform(0.45, 0.6), height * rng.uniform(0.5, 0.6))
        T = place(float(x), rng.normal(0, 0.05), height * 0.45)
        parts += [blob(rng, radii, 0.1, 5).moved(T), leaf_cloud(rng, radii, 36, rng.uniform(0.04, 0.12)).moved(T)]
    return [(materials.leaf(scene), merge(parts))]


def bush(scene: Scene, size: float) -> Surfaces:
    """A bush about `size` metres wide."""
    rng = scene.rng
    radii = (size / 2, size / 2 * rng.uniform(0.7, 1.2), size * rng.uniform(0.3, 0.6))
    T = place(0, 0, radii[2] * 0.8)
    cloud = leaf_cloud(rng, radii, int(rng.integers(60, 180)), size * rng.uniform(0.04, 0.12))
    return [(materials.leaf(scene), merge([blob(rng, radii, 0.15, 6).moved(T), cloud.moved(T)]))]


def stone(scene: Scene, size: float) -> Surfaces:
    """A boulder half sunk in the ground."""
    rng = scene.rng
    radii = tuple(size * rng.uniform(0.35, 0.6, 3))
    slot = scene.some("stone", 2, ("stone", "speckle"), (0.5, 2.0))
    return [(slot, blob(rng, radii, 0.09, 6).moved(place(0, 0, radii[2] * 0.3)))]


def far_woods(scene: Scene, radius: float) -> Surfaces:
    """A rim of trees and hills far away all around, so that the ground doesn't end in nothing."""
    rng = scene.rng
    parts: list[Part] = []
    hills: list[Part] = []
    slot = scene.slot("farleaf", ("foliage", "grass"), (6.0, 20.0), loyalty=0.95)
    for angle in np.linspace(0, 2 * np.pi, 64, endpoint=False):
        r = radius * rng.uniform(0.75, 1.15)
        radii = (r * 0.06, r * 0.1, rng.uniform(3.0, 13.0))
        T = place(r * np.cos(angle), r * np.sin(angle), 0.0, angle)
        (parts if rng.random() < 0.8 else hills).append(blob(rng, radii, 0.14, 6).moved(T))
    return [(slot, merge(parts + hills))]
