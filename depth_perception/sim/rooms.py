"""Flats, halls and corridors: walls with doors and windows, then furniture along them and in the middle."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from depth_perception.sim import materials
from depth_perception.sim.furniture import PIECES, Piece, make_piece
from depth_perception.sim.layout import Layout
from depth_perception.sim.mesh import box, cylinder, jitter, place, quad
from depth_perception.sim.scene import Scene
from depth_perception.sim.walls import Opening, build_wall

WALL_M = 0.12


@dataclass(frozen=True)
class Room:
    """A rectangle of floor, metres."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def size(self) -> tuple[float, float]:
        return self.x1 - self.x0, self.y1 - self.y0


def build_room(scene: Scene) -> Layout:
    """One room, a flat of several, or a hall."""
    rng = scene.rng
    style = rng.random()
    if style < 0.4:
        outer, height, depth = _centred(rng.uniform(3.0, 7.5), rng.uniform(3.2, 9.0)), rng.uniform(2.3, 3.2), 0
    elif style < 0.85:
        outer, height, depth = _centred(rng.uniform(6.0, 12.0), rng.uniform(5.5, 12.0)), rng.uniform(2.3, 3.0), 2
    else:
        outer, height, depth = _centred(rng.uniform(9.0, 20.0), rng.uniform(12.0, 30.0)), rng.uniform(3.4, 7.0), 0
    rooms: list[Room] = []
    _split(scene, outer, depth, height, rooms)
    return _finish(scene, outer, rooms, height, clutter=float(rng.uniform(0.6, 2.0)))


def build_corridor(scene: Scene) -> Layout:
    """A long passage with rooms on one or both sides, doors open or shut."""
    rng = scene.rng
    length, width, height = rng.uniform(10.0, 40.0), rng.uniform(1.5, 3.6), rng.uniform(2.3, 3.6)
    left, right = (rng.uniform(2.8, 5.5) if rng.random() < 0.75 else 0.0 for _ in range(2))
    outer = Room(-length / 2, -width / 2 - right, length / 2, width / 2 + left)
    rooms = [Room(-length / 2, -width / 2, length / 2, width / 2)]
    for side, deep in ((1.0, left), (-1.0, right)):
        if deep == 0.0:
            continue
        cuts = np.linspace(-length / 2, length / 2, max(2, int(length / rng.uniform(3.0, 6.0))) + 1)
        openings = []
        for a, b in pairwise(cuts):
            wide = float(min(rng.choice([0.85, 0.95, 1.8]), b - a - 0.6))
            openings.append(_door(scene, float(rng.uniform(a + 0.3, b - 0.3 - wide)) + length / 2, wide))
            inner, far = side * width / 2, side * (width / 2 + deep)
            rooms.append(Room(float(a), min(inner, far), float(b), max(inner, far)))
        y = side * width / 2
        build_wall(scene, (-length / 2, y), (length / 2, y), height, WALL_M, tuple(openings))
        for cut in cuts[1:-1]:
            build_wall(scene, (float(cut), y), (float(cut), side * (width / 2 + deep)), height, WALL_M)
    return _finish(scene, outer, rooms, height, clutter=float(rng.uniform(0.3, 1.0)))


def _centred(width: float, length: float) -> Room:
    return Room(-width / 2, -length / 2, width / 2, length / 2)


def _door(scene: Scene, at: float, wide: float) -> Opening:
    rng = scene.rng
    leaf = str(rng.choice(["open", "none", "none", "shut"]))
    return Opening(at, at + wide, 0.0, float(rng.uniform(1.98, 2.15)), leaf)


def _split(scene: Scene, room: Room, depth: int, height: float, rooms: list[Room]) -> None:
    """Cut a room in two with a wall that has a passage, again and again."""
    rng, (sx, sy) = scene.rng, room.size
    if depth == 0 or max(sx, sy) < 5.2:
        rooms.append(room)
        return
    share, wide = rng.uniform(0.38, 0.62), float(rng.choice([0.9, 1.0, 1.6, 2.4]))
    if sx > sy:
        cut = room.x0 + share * sx
        at = float(rng.uniform(0.3, max(0.31, sy - 0.3 - wide)))
        build_wall(scene, (cut, room.y0), (cut, room.y1), height, WALL_M, (_door(scene, at, wide),))
        halves = Room(room.x0, room.y0, cut, room.y1), Room(cut, room.y0, room.x1, room.y1)
    else:
        cut = room.y0 + share * sy
        at = float(rng.uniform(0.3, max(0.31, sx - 0.3 - wide)))
        build_wall(scene, (room.x0, cut), (room.x1, cut), height, WALL_M, (_door(scene, at, wide),))
        halves = Room(room.x0, room.y0, room.x1, cut), Room(room.x0, cut, room.x1, room.y1)
    for half in halves:
        _split(scene, half, depth - 1, height, rooms)


def _finish(scene: Scene, outer: Room, rooms: list[Room], height: float, clutter: float) -> Layout:
    corners = [(outer.x0, outer.y0), (outer.x1, outer.y0), (outer.x1, outer.y1), (outer.x0, outer.y1)]
    for a, b in zip(corners, corners[1:] + corners[:1], strict=True):
        build_wall(scene, a, b, height, WALL_M, _windows(scene, float(np.hypot(b[0] - a[0], b[1] - a[1])), height))
    ceiling = scene.slot("ceiling", ("plaster",), (1.0, 4.0), loyalty=0.93)
    lamps = []
    for room in rooms:
        _floor_and_ceiling(scene, room, height, ceiling)
        lamps += _ceiling_lamps(scene, room, height)
        _furnish(scene, room, clutter, height)
    start = ((rooms[0].x0 + rooms[0].x1) / 2, (rooms[0].y0 + rooms[0].y1) / 2)
    return Layout((outer.x0, outer.y0, outer.x1, outer.y1), start, np.array(lamps))


def _windows(scene: Scene, length: float, height: float) -> tuple[Opening, ...]:
    rng, openings, at = scene.rng, [], float(scene.rng.uniform(0.4, 2.0))
    if rng.random() < 0.3:
        return ()
    while at + 0.8 < length - 0.3:
        wide = float(rng.uniform(0.6, min(2.6, length - 0.3 - at)))
        low = float(rng.choice([0.05, 0.8, 0.95, 1.1]))
        openings.append(Opening(at, at + wide, low, float(min(height - 0.15, rng.uniform(1.9, 2.4))), "window"))
        at += wide + float(rng.uniform(0.5, 4.0))
    return tuple(openings)


def _floor_and_ceiling(scene: Scene, room: Room, height: float, ceiling: str) -> None:
    (sx, sy), rng = room.size, scene.rng
    T = place((room.x0 + room.x1) / 2, (room.y0 + room.y1) / 2)
    plate = np.array([[-sx / 2, -sy / 2, 0], [sx / 2, -sy / 2, 0], [sx / 2, sy / 2, 0], [-sx / 2, sy / 2, 0]])
    scene.add(materials.floor(scene), quad(plate), T)
    scene.add(ceiling, quad(plate[::-1] + np.array([0.0, 0.0, height])), T)
    if rng.random() < 0.45:
        size = np.minimum(rng.uniform(0.8, 3.0, 2), (sx - 0.6, sy - 0.6))
        rug = scene.slot(f"rug{rng.integers(2)}", ("fabric", "picture"), (0.8, 3.0), loyalty=0.9)
        scene.add(rug, box(float(size[0]), float(size[1]), 0.012), T @ place(*jitter(rng, 0.3, 0.3)))
    if height > 2.8 and rng.random() < 0.5:
        for x in np.arange(room.x0 + 0.8, room.x1, 1.6):
            beam = box(0.15, sy, rng.uniform(0.12, 0.3)).moved(place(float(x), (room.y0 + room.y1) / 2, height - 0.3))
            scene.add(materials.furniture_wood(scene), beam)


def _ceiling_lamps(scene: Scene, room: Room, height: float) -> list[list[float]]:
    rng, lamps = scene.rng, []
    shine = scene.slot("lamp", ("plaster",), (1.0, 3.0), loyalty=1.0, emission=0.8)
    long = rng.random() < 0.5
    for x in np.linspace(room.x0, room.x1, max(1, round(room.size[0] / 4.5)) + 2)[1:-1]:
        for y in np.linspace(room.y0, room.y1, max(1, round(room.size[1] / 4.5)) + 2)[1:-1]:
            drop = rng.uniform(0.05, 0.5) if height > 2.5 else 0.05
            body = box(1.2, 0.18, 0.05) if long else cylinder(rng.uniform(0.1, 0.25), 0.06, 16)
            scene.add(shine, body, place(float(x), float(y), height - drop))
            scene.add(materials.metal(scene), box(0.02, 0.02, drop), place(float(x), float(y), height - drop))
            lamps.append([float(x), float(y), height - drop - 0.05])
    return lamps


def _furnish(scene: Scene, room: Room, clutter: float, height: float) -> None:
    rng = scene.rng
    taken: list[tuple[float, float, float, float]] = []
    sx, sy = room.size
    narrow = min(sx, sy) < 2.4
    along = [k for k in PIECES if k not in ("chair", "person", "pile", "lamp")]
    for _ in range(int(clutter * (sx + sy) * (0.4 if narrow else 1.4))):
        kind = str(rng.choice(["bin", "plant", "stack", "cabinet", "shelf"] if narrow else along))
        piece = make_piece(scene, kind)
        side = rng.integers(4)
        deep = piece.depth_m / 2 + WALL_M / 2 + 0.02
        if (narrow and piece.depth_m > 0.7) or piece.width_m > (sx if side % 2 else sy) - 0.3:
            continue
        x, y, yaw = _against(rng, room, int(side), deep, piece.width_m / 2)
        _try_place(scene, room, piece, x, y, yaw, taken)
    middle = ["table", "table", "chair", "sofa", "stack", "pile", "person", "lamp", "plant", "chair"]
    for _ in range(0 if narrow else int(clutter * sx * sy * 0.24)):
        x, y = rng.uniform(room.x0 + 0.5, room.x1 - 0.5), rng.uniform(room.y0 + 0.5, room.y1 - 0.5)
        kind = str(rng.choice(middle))
        if _try_place(scene, room, make_piece(scene, kind), x, y, rng.uniform(0, 2 * np.pi), taken) and kind == "table":
            for _ in range(rng.integers(0, 5)):
                angle, far = rng.uniform(0, 2 * np.pi), rng.uniform(0.8, 1.3)
                _try_place(
                    scene,
                    room,
                    make_piece(scene, "chair"),
                    x + far * np.cos(angle),
                    y + far * np.sin(angle),
                    angle + np.pi + rng.normal(0, 0.3),
                    taken,
                )


def _against(rng: np.random.Generator, room: Room, side: int, deep: float, half: float) -> tuple[float, float, float]:
    """A place (x, y, yaw) with the back to wall 0 (x0), 1 (y0), 2 (x1) or 3 (y1)."""
    if side % 2 == 0:
        y = rng.uniform(room.y0 + half + 0.1, max(room.y0 + half + 0.11, room.y1 - half - 0.1))
        return (room.x0 + deep, y, 0.0) if side == 0 else (room.x1 - deep, y, np.pi)
    x = rng.uniform(room.x0 + half + 0.1, max(room.x0 + half + 0.11, room.x1 - half - 0.1))
    return (x, room.y0 + deep, np.pi / 2) if side == 1 else (x, room.y1 - deep, -np.pi / 2)


def _try_place(
    scene: Scene,
    room: Room,
    piece: Piece,
    x: float,
    y: float,
    yaw: float,
    taken: list[tuple[float, float, float, float]],
) -> bool:
    """Put a piece down unless it overlaps another or a wall; its footprint is kept as a rectangle."""
    c, s = abs(np.cos(yaw)), abs(np.sin(yaw))
    hx = 0.5 * (piece.depth_m * c + piece.width_m * s)
    hy = 0.5 * (piece.depth_m * s + piece.width_m * c)
    mine = (x - hx, y - hy, x + hx, y + hy)
    if mine[0] < room.x0 + 0.05 or mine[1] < room.y0 + 0.05 or mine[2] > room.x1 - 0.05 or mine[3] > room.y1 - 0.05:
        return False
    if any(mine[0] < t[2] and mine[2] > t[0] and mine[1] < t[3] and mine[3] > t[1] for t in taken):
        return False
    taken.append(mine)
    for slot, part in piece.surfaces:
        scene.add(slot, part, place(x, y, 0.0, yaw))
    return True
