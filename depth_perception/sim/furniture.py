"""Furniture from boxes and turned shapes. Each piece stands on z = 0, its back towards -x, and says its footprint."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from depth_perception.sim.items import clutter, on_top
from depth_perception.sim.materials import fabric, furniture_wood, item, leaf
from depth_perception.sim.mesh import Part, blob, box, cylinder, jitter, lathe, leaf_cloud, place
from depth_perception.sim.scene import Scene

Surfaces = list[tuple[str, Part]]


@dataclass(frozen=True)
class Piece:
    """Surfaces by slot in the piece's frame, and its size along x (depth_m) and y (width_m)."""

    surfaces: Surfaces
    depth_m: float
    width_m: float


def make_piece(scene: Scene, kind: str) -> Piece:
    """One piece of a kind: a key of `PIECES`."""
    return PIECES[kind](scene)


def _legs(scene: Scene, slot: str, depth: float, width: float, height: float, thick: float) -> Surfaces:
    a, b = depth / 2 - thick, width / 2 - thick
    round_leg = scene.rng.random() < 0.3
    leg = cylinder(thick / 2, height, 8) if round_leg else box(thick, thick, height)
    return [(slot, leg.moved(place(x, y))) for x in (-a, a) for y in (-b, b)]


def _table(scene: Scene) -> Piece:
    rng = scene.rng
    depth, width, height = rng.uniform(0.5, 1.1), rng.uniform(0.6, 2.2), rng.uniform(0.4, 0.85)
    top, legs = furniture_wood(scene), furniture_wood(scene)
    thick = rng.uniform(0.02, 0.06)
    if rng.random() < 0.2:
        depth = width = float(rng.uniform(0.6, 1.3))
        parts = [
            (top, cylinder(width / 2, thick, 24).moved(place(0, 0, height - thick))),
            (legs, cylinder(0.05, height - thick)),
            (legs, cylinder(0.25, 0.03, 16)),
        ]
    else:
        parts = [(top, box(depth, width, thick).moved(place(0, 0, height - thick)))]
        parts += _legs(scene, legs, depth, width, height - thick, rng.uniform(0.03, 0.09))
    parts += on_top(scene, depth, width, height, int(rng.integers(0, 8)))
    return Piece(parts, depth, width)


def _desk(scene: Scene) -> Piece:
    rng = scene.rng
    depth, width, height = rng.uniform(0.55, 0.85), rng.uniform(1.0, 1.9), rng.uniform(0.68, 0.78)
    wood, dark = furniture_wood(scene), item(scene)
    parts = [(wood, box(depth, width, 0.03).moved(place(0, 0, height - 0.03)))]
    parts += [(wood, box(depth * 0.95, 0.03, height - 0.03).moved(place(0, s * (width / 2 - 0.02)))) for s in (-1, 1)]
    if rng.random() < 0.6:
        parts.append((wood, box(depth * 0.8, 0.4, height * 0.8).moved(place(0, width / 2 - 0.25, 0.05))))
    for y in rng.uniform(-0.3, 0.3, rng.integers(0, 3)) * width:
        wide, tall = rng.uniform(0.35, 0.7), rng.uniform(0.25, 0.42)
        T = place(-depth * 0.2, y, height, rng.uniform(-0.4, 0.4))
        parts.append((dark, box(0.2, 0.25, 0.015).moved(T)))
        parts.append((dark, box(0.03, 0.05, 0.15).moved(T)))
        parts.append((dark, box(0.04, wide, tall).moved(T @ place(0.0, 0, 0.1))))
        screen = box(0.005, wide - 0.03, tall - 0.03).moved(T @ place(0.022, 0, 0.115))
        parts.append((scene.some("screen", 2, ("picture", "print"), (0.3, 1.0), emission=0.5), screen))
    return Piece(parts + on_top(scene, depth, width, height, int(rng.integers(1, 8))), depth, width)


def _chair(scene: Scene) -> Piece:
    rng = scene.rng
    seat, back, size = rng.uniform(0.4, 0.5), rng.uniform(0.35, 0.6), rng.uniform(0.38, 0.5)
    frame, cover = furniture_wood(scene), (fabric if rng.random() < 0.6 else furniture_wood)(scene)
    thick = rng.uniform(0.02, 0.09)
    parts = [(cover, box(size, size, thick, 0.04).moved(place(0, 0, seat - thick)))]
    if rng.random() < 0.35:
        parts.append((frame, cylinder(0.03, seat - thick, 8)))
        parts += [
            (frame, box(size * 0.6, 0.05, 0.05).moved(place(0, 0, 0.03, k * 2 * np.pi / 5) @ place(size * 0.3, 0)))
            for k in range(5)
        ]
    else:
        parts += _legs(scene, frame, size, size, seat - thick, rng.uniform(0.02, 0.05))
    tilt = place(-size / 2 + 0.02, 0, seat + rng.uniform(0.0, 0.12), 0, -rng.uniform(0.0, 0.25))
    if rng.random() < 0.6:
        parts.append((cover, box(0.04, size * rng.uniform(0.8, 1.0), back, 0.02).moved(tilt)))
    else:
        bars = int(rng.integers(2, 6))
        parts += [
            (frame, box(0.025, size * 0.86, 0.45 * back / bars).moved(tilt @ place(0, 0, back * i / bars)))
            for i in range(bars)
        ]
    parts += [(frame, box(0.03, 0.03, back + 0.1).moved(tilt @ place(-0.01, s * size * 0.42, -0.12))) for s in (-1, 1)]
    return Piece(parts, size + 0.1, size + 0.05)


def _sofa(scene: Scene) -> Piece:
    rng = scene.rng
    depth, width, seat = rng.uniform(0.75, 1.05), rng.uniform(0.8, 2.4), rng.uniform(0.35, 0.46)
    cover, pillow = fabric(scene), fabric(scene)
    arm, back = rng.uniform(0.1, 0.25), rng.uniform(0.3, 0.5)
    parts = [(cover, box(depth, width, seat, 0.05).moved(place(0, 0, 0.04)))]
    parts.append((cover, box(0.22, width, back + 0.1, 0.06).moved(place(-depth / 2 + 0.11, 0, seat, 0, -0.1))))
    parts += [(cover, box(depth, arm, seat + 0.2, 0.05).moved(place(0, s * (width - arm) / 2))) for s in (-1, 1)]
    for y in rng.uniform(-0.4, 0.4, rng.integers(0, 4)) * (width - 0.4):
        T = place(-depth * 0.12, y, seat + 0.22, rng.uniform(-0.5, 0.5), -0.4)
        parts.append((pillow, blob(rng, (0.09, 0.22, 0.2), 0.03).moved(T)))
    return Piece(parts, depth, width)


def _bed(scene: Scene) -> Piece:
    rng = scene.rng
    depth, width, height = 2.05, rng.uniform(0.9, 1.8), rng.uniform(0.35, 0.6)
    wood, sheet, cushion = furniture_wood(scene), fabric(scene), fabric(scene)
    parts = [
        (wood, box(depth, width, height * 0.5)),
        (wood, box(0.05, width, height + 0.5).moved(place(-depth / 2, 0))),
    ]
    parts.append((sheet, box(depth - 0.05, width - 0.04, height * 0.5, 0.06).moved(place(0, 0, height * 0.5))))
    parts.append((fabric(scene), blob(rng, (0.75, width / 2, 0.09), 0.06).moved(place(0.25, 0, height))))
    cushions = [blob(rng, (0.22, width * 0.22, 0.1), 0.03).moved(place(-0.75, s * width / 4, height)) for s in (-1, 1)]
    parts += [(cushion, part) for part in cushions]
    return Piece(parts, depth, width)


def _cabinet(scene: Scene) -> Piece:
    rng = scene.rng
    depth, width, height = rng.uniform(0.35, 0.65), rng.uniform(0.45, 1.8), rng.uniform(0.6, 2.2)
    body, front, knob = furniture_wood(scene), furniture_wood(scene), item(scene)
    parts = [(body, box(depth, width, height))]
    columns, rows = max(1, round(width / rng.uniform(0.4, 0.7))), int(rng.integers(1, 6))
    w, h = width / columns, (height - 0.1) / rows
    for i in range(columns):
        for j in range(rows):
            T = place(depth / 2, -width / 2 + (i + 0.5) * w, 0.08 + j * h)
            parts.append((front, box(0.03, w - 0.015, h - 0.015).moved(T)))
            parts.append((knob, box(0.05, 0.12, 0.015).moved(T @ place(0.02, 0, h * 0.8))))
    top = on_top(scene, depth, width, height, int(rng.integers(0, 6))) if height < 1.6 else []
    return Piece(parts + top, depth, width)


def _shelf(scene: Scene) -> Piece:
    rng = scene.rng
    depth, width, height = rng.uniform(0.25, 0.5), rng.uniform(0.6, 2.4), rng.uniform(0.9, 2.3)
    wood, boards = furniture_wood(scene), int(rng.integers(3, 7))
    parts = [(wood, box(depth, 0.03, height).moved(place(0, s * width / 2))) for s in (-1, 1)]
    if rng.random() < 0.7:
        parts.append((wood, box(0.02, width, height).moved(place(-depth / 2, 0))))
    gap = height / (boards - 1)
    for i in range(boards):
        z = min(i * gap, height - 0.025)
        parts.append((wood, box(depth, width, 0.025).moved(place(0, 0, z))))
        if i == boards - 1:
            continue
        if rng.random() < 0.4:
            tall = gap * rng.uniform(0.55, 0.9)
            row = box(depth * 0.7, width * rng.uniform(0.3, 0.95), tall).moved(place(0, 0, z + 0.025))
            parts.append((scene.some("books", 2, ("books",), (0.3, 0.6), loyalty=1.0), row))
        else:
            parts += on_top(scene, depth, width, z + 0.025, int(rng.integers(1, 9)), gap * 0.85)
    return Piece(parts, depth, width)


def _counter(scene: Scene) -> Piece:
    rng = scene.rng
    depth, width, height = 0.62, rng.uniform(1.2, 3.2), rng.uniform(0.85, 0.95)
    body, top, wall = furniture_wood(scene), furniture_wood(scene), furniture_wood(scene)
    parts = [
        (body, box(depth - 0.06, width, height - 0.04)),
        (top, box(depth, width, 0.04).moved(place(0, 0, height - 0.04))),
    ]
    doors = max(2, round(width / 0.5))
    for i in range(doors):
        y = -width / 2 + (i + 0.5) * width / doors
        parts.append((wall, box(0.02, width / doors - 0.015, height - 0.2).moved(place(depth / 2 - 0.03, y, 0.1))))
        if rng.random() < 0.75:
            T = place(-depth / 2 + 0.17, y, 1.45)
            parts.append((wall, box(0.34, width / doors - 0.015, 0.65).moved(T)))
    return Piece(parts + on_top(scene, depth, width, height, int(rng.integers(3, 10)), 0.4), depth, width)


def _plant(scene: Scene) -> Piece:
    rng = scene.rng
    pot, height = rng.uniform(0.12, 0.25), rng.uniform(0.4, 1.7)
    parts = [(item(scene), lathe(np.array([[pot * 0.7, 0], [pot, pot * 1.5], [0, pot * 1.4]]), 14))]
    parts.append((furniture_wood(scene), cylinder(0.015, height)))
    crown = rng.uniform(0.2, 0.45)
    T = place(0, 0, pot * 1.5 + height * 0.6)
    cloud = leaf_cloud(rng, (crown, crown, height * 0.5), int(rng.integers(40, 160)), rng.uniform(0.06, 0.18))
    return Piece([*parts, (leaf(scene), cloud.moved(T))], crown * 1.6, crown * 1.6)


def _lamp(scene: Scene) -> Piece:
    height, r = scene.rng.uniform(1.2, 1.8), scene.rng.uniform(0.15, 0.25)
    shade = lathe(np.array([[r, 0], [r * 0.6, 0.3]]), 16)
    inside = lathe(np.array([[r * 0.6, 0.3], [r, 0.0]]), 16)
    shine = scene.slot("shade", ("fabric", "plaster"), (0.3, 1.0), emission=0.5)
    T = place(0, 0, height - 0.3)
    return Piece(
        [
            (item(scene), cylinder(0.015, height)),
            (item(scene), cylinder(0.16, 0.03)),
            (shine, shade.moved(T)),
            (shine, inside.moved(T)),
        ],
        0.4,
        0.4,
    )


def _stack(scene: Scene) -> Piece:
    rng, parts, z = scene.rng, [], 0.0
    a, b = rng.uniform(0.25, 0.9, 2)
    for _ in range(rng.integers(1, 5)):
        h, shrink = rng.uniform(0.15, 0.5), rng.uniform(0.7, 1.0)
        T = place(*jitter(rng, 0.05, 0.05), z, rng.normal(0, 0.15))
        parts.append((item(scene), box(a * shrink, b * shrink, h).moved(T)))
        z += h
    return Piece(parts, a, b)


def _bin(scene: Scene) -> Piece:
    r, h = scene.rng.uniform(0.12, 0.3), scene.rng.uniform(0.25, 0.9)
    return Piece([(item(scene), lathe(np.array([[r * 0.8, 0], [r, h], [r * 0.9, h], [0, h * 0.9]]), 16))], 2 * r, 2 * r)


def _person(scene: Scene) -> Piece:
    from depth_perception.sim.figures import person

    return Piece(person(scene), 0.5, 0.6)


def _pile(scene: Scene) -> Piece:
    parts = [(slot, p.moved(place(*scene.rng.normal(0, 0.15, 2)))) for slot, p in clutter(scene, 4, 0.5)]
    return Piece(parts, 0.6, 0.6)


PIECES = {
    "table": _table,
    "desk": _desk,
    "chair": _chair,
    "sofa": _sofa,
    "bed": _bed,
    "cabinet": _cabinet,
    "shelf": _shelf,
    "counter": _counter,
    "plant": _plant,
    "lamp": _lamp,
    "stack": _stack,
    "bin": _bin,
    "person": _person,
    "pile": _pile,
}
