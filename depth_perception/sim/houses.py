"""Houses, sheds, fences and walls; a house's front faces -y and its front foot is at the origin."""

from __future__ import annotations

import numpy as np

from depth_perception.sim import materials
from depth_perception.sim.mesh import Part, box, cylinder, merge, place, quad
from depth_perception.sim.scene import Scene

Surfaces = list[tuple[str, Part]]


def house(scene: Scene, width: float, depth: float, height: float) -> Surfaces:
    """A house `width` along x, `depth` along +y, eaves at `height`."""
    rng = scene.rng
    front = materials.facade(scene)
    body = box(width, depth, height).moved(place(0, depth / 2))
    parts: Surfaces = [(front, body)]
    parts += (
        _gable(scene, width, depth, height)
        if height < 11 and rng.random() < 0.75
        else _flat(scene, width, depth, height)
    )
    plinth = materials.masonry(scene)
    parts.append((plinth, box(width + 0.1, depth + 0.1, rng.uniform(0.3, 1.0)).moved(place(0, depth / 2))))
    return parts + _front(scene, width, height)


def _gable(scene: Scene, width: float, depth: float, height: float) -> Surfaces:
    rng, tiles = scene.rng, materials.roof(scene)
    rise, over = rng.uniform(0.25, 0.55) * min(width, depth), 0.35
    along = rng.random() < 0.6
    a, b = (width, depth) if along else (depth, width)
    h, x, y = height + rise, a / 2 + over, b / 2 + over
    low = height - over * rise / (b / 2)
    sides = [
        quad(np.array([[-x, -y, low], [x, -y, low], [x, 0, h], [-x, 0, h]])),
        quad(np.array([[x, y, low], [-x, y, low], [-x, 0, h], [x, 0, h]])),
    ]
    under = [_flipped(p) for p in sides]
    ends = [
        _triangle(np.array([[s * a / 2, -s * b / 2, height], [s * a / 2, s * b / 2, height], [s * a / 2, 0, h]]))
        for s in (1.0, -1.0)
    ]
    T = place(0, depth / 2, 0, 0.0 if along else np.pi / 2)
    parts = [(tiles, merge(sides + under).moved(T)), (materials.masonry(scene), merge(ends).moved(T))]
    if rng.random() < 0.6:
        chimney = box(0.6, 0.6, rise + 0.9).moved(T @ place(rng.uniform(-0.35, 0.35) * a, 0.2 * b, height))
        parts.append((materials.masonry(scene), chimney))
    return parts


def _flipped(part: Part) -> Part:
    return Part(part.vertices, -part.normals, part.uv, part.faces[:, ::-1])


def _triangle(corners: np.ndarray) -> Part:
    square = quad(np.concatenate([corners, corners[2:]]))
    return Part(
        square.vertices[:3],
        square.normals[:3],
        np.column_stack([corners[:, 1], corners[:, 2]]).astype(np.float32),
        square.faces[:1],
    )


def _flat(scene: Scene, width: float, depth: float, height: float) -> Surfaces:
    edge = box(width + 0.3, depth + 0.3, 0.35).moved(place(0, depth / 2, height))
    return [(materials.masonry(scene), edge)]


def _front(scene: Scene, width: float, height: float) -> Surfaces:
    """What stands out from the front: door, steps, canopy, shop window, balconies, pipes."""
    rng, parts = scene.rng, []
    door = rng.uniform(-0.4, 0.4) * width
    wood = materials.furniture_wood(scene)
    parts.append((wood, box(1.0, 0.08, 2.1).moved(place(door, 0, 0.15))))
    parts.append((materials.masonry(scene), box(1.5, 0.8, 0.15).moved(place(door, -0.4))))
    if rng.random() < 0.5:
        parts.append((materials.roof(scene), box(1.7, 0.9, 0.1).moved(place(door, -0.45, 2.45))))
    if rng.random() < 0.3 and width > 5:
        pane = box(width * 0.8, 0.06, 1.9).moved(place(0, 0, 0.6))
        parts.append((materials.glass(scene), pane))
        sign = scene.some("sign", 3, ("print", "picture"), (1.0, 3.0), loyalty=1.0)
        parts.append((sign, box(width * 0.8, 0.15, 0.6).moved(place(0, -0.05, 2.6))))
        if rng.random() < 0.5:
            awning = box(width * 0.7, 1.4, 0.05).moved(place(0, -0.7, 2.4, 0, 0, 0.3))
            parts.append((materials.fabric(scene), awning))
    if height > 6 and rng.random() < 0.4:
        for z in np.arange(3.2, height - 1.5, 3.0):
            for x in np.arange(-width / 2 + 1.5, width / 2 - 1.0, 3.4):
                rail = merge([box(2.0, 1.0, 0.15), box(2.0, 0.05, 0.95).moved(place(0, -0.5))])
                parts.append((materials.metal(scene), rail.moved(place(float(x), -0.5, float(z)))))
    pipes = [x for x in (-width / 2 + 0.15, width / 2 - 0.15) if rng.random() < 0.5]
    parts += [(materials.metal(scene), cylinder(0.05, height, 8).moved(place(x, -0.06))) for x in pipes]
    if rng.random() < 0.6:
        parts.append((materials.masonry(scene), box(width, 0.12, 0.25).moved(place(0, 0, height - 0.3))))
    return parts


def shed(scene: Scene, width: float, depth: float) -> Surfaces:
    """A small wooden building with a gable roof."""
    height = scene.rng.uniform(1.8, 2.6)
    body = scene.some("shed", 2, ("wood", "sheet", "bricks"), (1.0, 3.0))
    return [
        (body, box(width, depth, height).moved(place(0, depth / 2))),
        *_gable(scene, width, depth, height),
        (materials.furniture_wood(scene), box(0.85, 0.06, 1.8).moved(place(0, 0))),
    ]


def fence(scene: Scene, length: float) -> Surfaces:
    """A fence along x, centred: pickets, rails, a low wall or a dense screen."""
    rng = scene.rng
    height, style = rng.uniform(0.7, 1.9), rng.integers(4)
    slot = materials.bark(scene)
    if style == 0:
        return [(materials.masonry(scene), box(length, 0.22, height * 0.7))]
    if style == 1:
        return [(slot, box(length, 0.04, height))]
    posts = [
        box(0.08, 0.08, height + 0.1).moved(place(float(x), 0)) for x in np.arange(-length / 2, length / 2 + 0.1, 2.0)
    ]
    rails = [
        box(length, 0.03, 0.08).moved(place(0, 0, z)) for z in np.linspace(0.25, height - 0.1, int(rng.integers(2, 5)))
    ]
    pickets = []
    if style == 2:
        step = rng.uniform(0.12, 0.3)
        pickets = [
            box(0.07, 0.02, height).moved(place(float(x), -0.02)) for x in np.arange(-length / 2, length / 2, step)
        ]
    return [(slot, merge(posts + rails + pickets))]
