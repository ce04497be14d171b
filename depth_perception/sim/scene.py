"""A scene under construction: textured slots, the surfaces painted with them, and what moves. Compiles to MuJoCo."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from depth_perception.sim.mesh import Part, merge
from depth_perception.sim.textures import any_family, make_texture

if TYPE_CHECKING:
    import mujoco

NEAR_M = 0.05
FAR_M = 400.0
LIGHTS = 5


@dataclass(frozen=True)
class Slot:
    """A texture in use: image uint8 (S, S, 3), metres that one tile covers, and how it shines."""

    image: np.ndarray
    tile_m: float
    specular: float = 0.0
    emission: float = 0.0
    offset: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Mover:
    """A body that moves: its surfaces by slot name, in its own frame (x forward, z = 0 on the ground).

    `way(t)` is T_world_body (4, 4) at t seconds.
    """

    name: str
    surfaces: tuple[tuple[str, Part], ...]
    way: Callable[[float], np.ndarray]


@dataclass
class Scene:
    """Surfaces by slot name, all in the world frame (z up, metres)."""

    rng: np.random.Generator
    texture_size: int = 256
    slots: dict[str, Slot] = field(default_factory=dict)
    surfaces: dict[str, list[Part]] = field(default_factory=dict)
    movers: list[Mover] = field(default_factory=list)

    def slot(
        self, name: str, likely: tuple[str, ...], tile_m: tuple[float, float], loyalty: float = 0.78, **shine: float
    ) -> str:
        """Make a slot (once) with a random texture and a log-uniform tile size between the two of `tile_m`."""
        if name not in self.slots:
            rng = self.rng
            image = make_texture(rng, any_family(rng, likely, loyalty), self.texture_size)
            size = float(np.exp(rng.uniform(*np.log(tile_m))))
            offset = (float(rng.random()), float(rng.random()))
            self.slots[name] = Slot(image, size, shine.get("specular", 0.0), shine.get("emission", 0.0), offset)
        return name

    def some(
        self, group: str, count: int, likely: tuple[str, ...], tile_m: tuple[float, float], **options: float
    ) -> str:
        """One of `count` slots of a group, chosen at random: a world has a limited set of materials."""
        return self.slot(f"{group}{self.rng.integers(count)}", likely, tile_m, **options)

    def exact(self, name: str, image: np.ndarray, tile_m: float, emission: float = 0.0) -> str:
        """A slot with a given picture, not shifted."""
        self.slots.setdefault(name, Slot(image, tile_m, emission=emission))
        return name

    def add(self, slot: str, part: Part, T_world_part: np.ndarray | None = None) -> None:
        """Paint a surface with a slot; `T_world_part` (4, 4) moves it into the world."""
        self.surfaces.setdefault(slot, []).append(part if T_world_part is None else part.moved(T_world_part))

    def move(self, name: str, surfaces: list[tuple[str, Part]], way: Callable[[float], np.ndarray]) -> None:
        """Add a moving body; `way(t)` is T_world_body at t seconds."""
        merged: dict[str, list[Part]] = {}
        for slot, part in surfaces:
            merged.setdefault(slot, []).append(part)
        whole = tuple((slot, merge(parts)) for slot, parts in merged.items())
        self.movers.append(Mover(name, whole, way))


def compile_scene(
    scene: Scene, sky: np.ndarray | None, buffer_size: tuple[int, int], shadow_map: int
) -> mujoco.MjModel:
    """MuJoCo model of a scene. `sky` uint8 (6 S, S, 3) or None; `buffer_size` (height, width) of the largest render."""
    import mujoco

    spec = mujoco.MjSpec()
    spec.visual.quality.offsamples = 0
    spec.visual.quality.shadowsize = shadow_map
    spec.visual.global_.offheight, spec.visual.global_.offwidth = buffer_size
    spec.visual.map.znear, spec.visual.map.zfar, spec.stat.extent = NEAR_M, FAR_M, 1.0
    spec.visual.headlight.diffuse = spec.visual.headlight.specular = [0.0, 0.0, 0.0]
    if sky is not None:
        texture = spec.add_texture(
            name="sky", type=mujoco.mjtTexture.mjTEXTURE_SKYBOX, width=sky.shape[1], height=sky.shape[0], nchannel=3
        )
        texture.data = sky.tobytes()
    for index in range(LIGHTS):
        spec.worldbody.add_light(
            name=f"light{index}",
            pos=[0, 0, 5],
            dir=[0, 0, -1],
            castshadow=index == 0,
            diffuse=[0.5, 0.5, 0.5],
            ambient=[0, 0, 0],
            specular=[0.2, 0.2, 0.2],
        )
    for name, slot in scene.slots.items():
        _add_material(spec, name, slot)
    for name, parts in scene.surfaces.items():
        _add_mesh(spec, spec.worldbody, f"static_{name}", name, merge(parts), scene.slots[name])
    for mover in scene.movers:
        _add_mover(spec, mover, scene)
    return spec.compile()


def _add_material(spec: mujoco.MjSpec, name: str, slot: Slot) -> None:
    import mujoco

    size = slot.image.shape[0]
    texture = spec.add_texture(name=name, type=mujoco.mjtTexture.mjTEXTURE_2D, width=size, height=size, nchannel=3)
    # GL's first row is the bottom one
    texture.data = np.ascontiguousarray(slot.image[::-1]).tobytes()
    material = spec.add_material(
        name=name, specular=slot.specular, emission=slot.emission, shininess=0.4, rgba=[1, 1, 1, 1]
    )
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = name


def _add_mesh(spec: mujoco.MjSpec, body: mujoco.MjsBody, name: str, material: str, part: Part, slot: Slot) -> None:
    import mujoco

    mesh = spec.add_mesh(name=name, inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL)
    faces = part.faces.reshape(-1)
    mesh.uservert = part.vertices.reshape(-1)
    mesh.usernormal = part.normals.reshape(-1)
    mesh.usertexcoord = (part.uv / slot.tile_m + np.asarray(slot.offset, np.float32)).reshape(-1)
    mesh.userface = mesh.userfacenormal = mesh.userfacetexcoord = faces
    body.add_geom(
        name=name, type=mujoco.mjtGeom.mjGEOM_MESH, meshname=name, material=material, contype=0, conaffinity=0
    )


def _add_mover(spec: mujoco.MjSpec, mover: Mover, scene: Scene) -> None:
    body = spec.worldbody.add_body(name=mover.name, mocap=True, pos=mover.way(0.0)[:3, 3])
    for index, (slot, part) in enumerate(mover.surfaces):
        _add_mesh(spec, body, f"{mover.name}_{index}", slot, part, scene.slots[slot])
