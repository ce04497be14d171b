"""Walls with doors and windows in them, skirting boards and pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from depth_perception.sim import materials
from depth_perception.sim.mesh import box, place
from depth_perception.sim.scene import Scene


@dataclass(frozen=True)
class Opening:
    """A hole in a wall from `start` to `end` along it and `low` to `high`, metres. `leaf`: none, open, shut, window."""

    start: float
    end: float
    low: float
    high: float
    leaf: str = "none"


def build_wall(
    scene: Scene,
    a: tuple[float, float],
    b: tuple[float, float],
    height: float,
    thick: float,
    openings: tuple[Opening, ...] = (),
) -> None:
    """A wall from a to b (x, y) with openings, and what hangs on it."""
    length = float(np.hypot(b[0] - a[0], b[1] - a[1]))
    T = place(a[0], a[1], 0.0, float(np.arctan2(b[1] - a[1], b[0] - a[0])))
    slot = materials.wall(scene)
    at = 0.0
    for hole in sorted(openings, key=lambda o: o.start):
        _block(scene, slot, T, at, hole.start, 0.0, height, thick)
        _block(scene, slot, T, hole.start, hole.end, hole.high, height, thick)
        _block(scene, slot, T, hole.start, hole.end, 0.0, hole.low, thick)
        _fill(scene, T, hole, thick)
        at = hole.end
    _block(scene, slot, T, at, length, 0.0, height, thick)
    _decorate(scene, T, length, height, thick, openings)


def _block(
    scene: Scene, slot: str, T: np.ndarray, start: float, end: float, low: float, high: float, thick: float
) -> None:
    if end - start < 1e-3 or high - low < 1e-3:
        return
    scene.add(slot, box(end - start, thick, high - low), T @ place((start + end) / 2, 0.0, low))
    if low == 0.0 and high > 1.5:
        skirting = scene.slot("skirting", ("wood", "plaster"), (0.5, 2.0))
        scene.add(skirting, box(end - start, thick + 0.03, 0.09), T @ place((start + end) / 2, 0.0))


def _fill(scene: Scene, T: np.ndarray, hole: Opening, thick: float) -> None:
    """Frame, and door leaf or window pane with curtains."""
    rng, wide, tall = scene.rng, hole.end - hole.start, hole.high - hole.low
    frame = scene.some("frame", 2, ("wood", "sheet", "plaster"), (0.5, 2.0))
    middle = (hole.start + hole.end) / 2
    for x in (hole.start, hole.end):
        scene.add(frame, box(0.06, thick + 0.04, tall), T @ place(x, 0.0, hole.low))
    scene.add(frame, box(wide, thick + 0.04, 0.06), T @ place(middle, 0.0, hole.high - 0.06))
    if hole.leaf in ("open", "shut"):
        swing = rng.uniform(0.6, 1.9) if hole.leaf == "open" else 0.0
        door = T @ place(hole.start, 0.0, 0.0, swing * rng.choice([-1, 1]))
        scene.add(materials.furniture_wood(scene), box(wide, 0.045, tall - 0.04), door @ place(wide / 2, 0.0))
        scene.add(materials.metal(scene), box(0.12, 0.14, 0.02), door @ place(wide - 0.1, 0.0, 1.0))
    if hole.leaf == "window":
        view = scene.some("view", 2, ("outlook", "outlook", "outlook", "glass"), (1.8, 4.0), loyalty=1.0, emission=0.8)
        scene.add(view, box(wide, 0.01, tall), T @ place(middle, 0.0, hole.low))
        for x in np.linspace(hole.start, hole.end, int(rng.integers(2, 5)))[1:-1]:
            scene.add(frame, box(0.05, 0.07, tall), T @ place(float(x), 0.0, hole.low))
        scene.add(frame, box(wide, 0.3, 0.03), T @ place(middle, 0.0, hole.low - 0.03))
        if rng.random() < 0.45:
            _curtain(scene, T, hole, thick)


def _curtain(scene: Scene, T: np.ndarray, hole: Opening, thick: float) -> None:
    cloth, share = materials.fabric(scene), scene.rng.uniform(0.15, 0.5)
    folds = max(3, int(share * (hole.end - hole.start) / 0.07))
    for side in (-1.0, 1.0):
        for i in range(folds):
            x = (hole.start if side > 0 else hole.end) + side * (i + 0.5) * 0.07
            for face in (-1.0, 1.0):
                strip = box(0.075, 0.03 + 0.03 * (i % 2), hole.high - 0.1)
                scene.add(cloth, strip, T @ place(x, face * (thick / 2 + 0.06), 0.08, face * 0.35 * (-1) ** i))


def _decorate(
    scene: Scene, T: np.ndarray, length: float, height: float, thick: float, openings: tuple[Opening, ...]
) -> None:
    """Pictures, boards, radiators and pipes on both faces, clear of the openings."""
    rng = scene.rng
    for _ in range(int(rng.poisson(length * 0.35))):
        wide, tall = rng.uniform(0.2, 1.3, 2)
        if length < wide + 0.4:
            continue
        x = rng.uniform(wide / 2 + 0.1, length - wide / 2 - 0.1)
        if any(x + wide / 2 > o.start - 0.1 and x - wide / 2 < o.end + 0.1 for o in openings):
            continue
        face = rng.choice([-1.0, 1.0])
        low = rng.uniform(0.9, max(0.95, height - tall - 0.2)) if rng.random() < 0.85 else 0.12
        picture = scene.some(
            "picture", 4, ("picture", "print", "picture", "foliage", "stone"), (0.4, 1.6), loyalty=0.95
        )
        deep = rng.uniform(0.01, 0.05) if low > 0.5 else 0.1
        at = T @ place(x, face * (thick / 2 + deep / 2), low)
        scene.add(picture, box(wide, deep, tall), at)
        scene.add(materials.furniture_wood(scene), box(wide + 0.06, deep * 0.8, tall + 0.06), at @ place(0, 0, -0.03))
