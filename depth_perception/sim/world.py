"""A world from a seed: rooms, a corridor, a yard or a street, with everything that follows from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from depth_perception.errors import SimulatorError
from depth_perception.sim.freespace import FreeSpace, free_space
from depth_perception.sim.layout import Layout
from depth_perception.sim.lighting import Lighting, indoor_light, outdoor_light
from depth_perception.sim.rooms import build_corridor, build_room
from depth_perception.sim.scene import Scene
from depth_perception.sim.sky import make_sky
from depth_perception.sim.street import build_street
from depth_perception.sim.yard import build_yard

KINDS = ("room", "corridor", "yard", "street")
_BUILDERS = {"room": build_room, "corridor": build_corridor, "yard": build_yard, "street": build_street}
# Share of each kind when only a seed is given
_SHARES = (0.36, 0.12, 0.17, 0.35)


@dataclass(frozen=True)
class World:
    """Everything that is fixed by the seed. The world frame has z up and the floor or ground at z = 0."""

    seed: int
    kind: str
    scene: Scene
    layout: Layout
    free: FreeSpace
    sky: np.ndarray
    horizon: np.ndarray

    def lighting(self, rng: np.random.Generator) -> Lighting:
        """A random light that suits the world."""
        return indoor_light(rng, self.layout.lamps) if self.layout.indoor else outdoor_light(rng, self.horizon)


def build_world(seed: int, kind: str | None = None, texture_size: int = 256) -> World:
    """The world of a seed; `kind` is one of `KINDS`, or None to let the seed choose."""
    kind = kind or str(np.random.default_rng([seed, 1]).choice(KINDS, p=_SHARES))
    if kind not in KINDS:
        raise SimulatorError(f"world kind {kind!r} is not one of {KINDS}")
    rng = np.random.default_rng([seed, 2, KINDS.index(kind)])
    scene = Scene(rng, texture_size)
    layout = _BUILDERS[kind](scene)
    parts = [part for group in scene.surfaces.values() for part in group]
    sky, horizon = make_sky(rng)
    return World(seed, kind, scene, layout, free_space(parts, layout), sky, horizon)
