"""Worlds: every kind builds, the same from the same seed; textures and free space are what they claim."""

from __future__ import annotations

import numpy as np
import pytest

from depth_perception.errors import SimulatorError
from depth_perception.sim.textures import FAMILIES, make_texture
from depth_perception.sim.world import KINDS, World, build_world


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_builds_with_room_to_be_in(kind: str, request: pytest.FixtureRequest) -> None:
    world = request.getfixturevalue(kind) if kind in ("room", "street") else build_world(7, kind, texture_size=64)
    assert world.kind == kind
    assert float((world.free.clearance > 0.3).mean()) > 0.05
    triangles = sum(len(part.faces) for parts in world.scene.surfaces.values() for part in parts)
    assert triangles > 1000
    assert set(world.scene.surfaces) <= set(world.scene.slots)


def test_same_seed_same_world_other_seed_another() -> None:
    worlds = [build_world(seed, "yard", texture_size=64) for seed in (11, 11, 12)]
    points = [np.concatenate([p.vertices for ps in w.scene.surfaces.values() for p in ps]) for w in worlds]
    assert np.array_equal(points[0], points[1])
    assert points[0].shape != points[2].shape
    images = [next(iter(w.scene.slots.values())).image for w in worlds]
    assert np.array_equal(images[0], images[1]) and not np.array_equal(images[0], images[2])


def test_unknown_kind_names_the_kinds() -> None:
    with pytest.raises(SimulatorError, match="'castle' is not one of"):
        build_world(0, "castle")


def test_seed_alone_chooses_the_kind() -> None:
    kinds = {str(np.random.default_rng([seed, 1]).choice(KINDS)) for seed in range(40)}
    assert kinds == set(KINDS)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_textures_have_structure_and_tile_range(family: str) -> None:
    image = make_texture(np.random.default_rng(3), family, 128)
    assert image.shape == (128, 128, 3) and image.dtype == np.uint8
    grey = image.astype(np.float32).mean(axis=2)
    assert float(np.abs(np.diff(grey, axis=1)).mean()) > 0.2
    assert float(grey.std()) > 0.8


def test_free_space_is_clear_of_surfaces(room: World) -> None:
    """Wherever 0.5 m are promised, no corner of any surface between 0.2 and 1.9 m height is nearer than that."""
    rng = np.random.default_rng(0)
    vertices = np.concatenate([p.vertices for parts in room.scene.surfaces.values() for p in parts])
    standing = vertices[(vertices[:, 2] > 0.25) & (vertices[:, 2] < 1.85)][:, :2]
    for _ in range(20):
        at = room.free.sample(rng, 0.5)
        if at is None:
            pytest.skip("this room has no such place")
        nearest = float(np.hypot(*(standing - at).T).min())
        assert nearest > 0.5 - 2 * room.free.cell_m
