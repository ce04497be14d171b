"""Cars, vans, lorries and bicycles from flat facets, x forward, wheels on z = 0."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from depth_perception.sim import materials
from depth_perception.sim.mesh import Part, box, lathe, merge, place, quad
from depth_perception.sim.scene import Scene

Surfaces = list[tuple[str, Part]]

# Stations from nose to tail: share of the length, height of the top over the belt's base (m), half-width share.
# Between stations 2-3 is the windscreen, 3-4 the roof, 4-5 the rear window.
_SHAPES = {
    "hatch": [
        (0.0, 0.62, 0.84),
        (0.05, 0.78, 0.96),
        (0.27, 0.93, 1.0),
        (0.44, 1.44, 0.8),
        (0.84, 1.42, 0.8),
        (0.97, 0.98, 0.97),
        (1.0, 0.6, 0.9),
    ],
    "saloon": [
        (0.0, 0.6, 0.84),
        (0.05, 0.75, 0.96),
        (0.28, 0.92, 1.0),
        (0.43, 1.4, 0.78),
        (0.68, 1.38, 0.78),
        (0.84, 0.98, 0.98),
        (1.0, 0.88, 0.88),
    ],
    "estate": [
        (0.0, 0.62, 0.84),
        (0.05, 0.78, 0.96),
        (0.27, 0.95, 1.0),
        (0.42, 1.46, 0.8),
        (0.93, 1.45, 0.8),
        (0.99, 0.95, 0.95),
        (1.0, 0.6, 0.92),
    ],
    "suv": [
        (0.0, 0.75, 0.86),
        (0.04, 0.95, 0.96),
        (0.25, 1.1, 1.0),
        (0.38, 1.68, 0.84),
        (0.9, 1.66, 0.84),
        (0.98, 1.12, 0.97),
        (1.0, 0.7, 0.92),
    ],
    "van": [
        (0.0, 0.8, 0.9),
        (0.03, 1.0, 0.97),
        (0.14, 1.2, 1.0),
        (0.27, 2.0, 0.9),
        (0.97, 2.05, 0.92),
        (0.995, 1.2, 0.98),
        (1.0, 0.6, 0.96),
    ],
}


def vehicle(scene: Scene, kind: str | None = None) -> tuple[Surfaces, float, float]:
    """A vehicle's surfaces with its length and width in metres. Kinds: hatch, saloon, estate, suv, van, lorry."""
    rng = scene.rng
    kind = kind or str(rng.choice([*_SHAPES, "lorry"], p=[0.28, 0.22, 0.17, 0.14, 0.13, 0.06]))
    if kind == "lorry":
        return _lorry(scene)
    length = rng.uniform(3.5, 4.3) if kind == "hatch" else rng.uniform(4.2, 5.2)
    width, tall = rng.uniform(1.62, 1.92), rng.uniform(0.95, 1.08)
    surfaces = _body(scene, np.array(_SHAPES[kind]) * (1.0, tall, 1.0), float(length), float(width))
    surfaces += _wheels(scene, float(length), float(width), rng.uniform(0.29, 0.36))
    return surfaces + _details(scene, float(length), float(width)), float(length), float(width)


def _body(scene: Scene, stations: np.ndarray, length: float, width: float) -> Surfaces:
    paint, glass, dark = materials.lacquer(scene), materials.glass(scene), _dark(scene)
    floor, belt = 0.22, float(stations[2, 1])
    skin: list[Part] = []
    panes: list[Part] = []
    for index, (a, b) in enumerate(pairwise(stations)):
        xa, xb = (0.5 - a[0]) * length, (0.5 - b[0]) * length
        cabin = 2 <= index <= 4
        ha, hb = min(a[1], belt), min(b[1], belt)
        # At belt level the body keeps its full width; only what rises above leans in
        wa, wb = (_belt_half(s, belt, width) for s in (a, b))
        ta, tb = a[2] * width / 2, b[2] * width / 2
        for side in (1.0, -1.0):
            low = [[xb, side * wb, floor], [xa, side * wa, floor], [xa, side * wa, ha], [xb, side * wb, hb]]
            skin.append(_facet(low, side))
            high = [[xb, side * wb, hb], [xa, side * wa, ha], [xa, side * ta, a[1]], [xb, side * tb, b[1]]]
            if a[1] > belt + 0.02 or b[1] > belt + 0.02:
                (panes if cabin else skin).append(_facet(high, side))
        top = [[xa, -ta, a[1]], [xa, ta, a[1]], [xb, tb, b[1]], [xb, -tb, b[1]]]
        (panes if index in (2, 4) else skin).append(quad(np.array(top)))
    nose, tail = stations[0], stations[-1]
    for station, sign in ((nose, 1.0), (tail, -1.0)):
        x, w = (0.5 - station[0]) * length, station[2] * width / 2
        face = [[x, -sign * w, floor], [x, sign * w, floor], [x, sign * w, station[1]], [x, -sign * w, station[1]]]
        skin.append(quad(np.array(face)))
    underside = box(length * 0.96, width * 0.9, 0.08).moved(place(0, 0, floor - 0.06))
    pillars = _pillars(stations, length, width, belt)
    return [(paint, merge(skin + pillars)), (glass, merge(panes)), (dark, underside)]


def _belt_half(station: np.ndarray, belt: float, width: float) -> float:
    return width / 2 * (1.0 if station[1] > belt + 0.02 else float(station[2]))


def _facet(corners: list[list[float]], side: float) -> Part:
    """Corners given for a face seen from -y; the other side is turned over."""
    points = np.array(corners)
    return quad(points[::-1] if side > 0 else points)


def _pillars(stations: np.ndarray, length: float, width: float, belt: float) -> list[Part]:
    """Posts between the side windows, just outside the glass."""
    roof, rear = stations[3], stations[4]
    parts = []
    for share in (0.02, 0.5, 0.98):
        x = (0.5 - (roof[0] + (rear[0] - roof[0]) * share)) * length
        for side in (1.0, -1.0):
            top, base = roof[2] * width / 2 + 0.01, width / 2 + 0.01
            post = [
                [x - 0.05, side * base, belt],
                [x + 0.05, side * base, belt],
                [x + 0.05, side * top, roof[1]],
                [x - 0.05, side * top, roof[1]],
            ]
            parts.append(_facet(post, side))
    return parts


def _dark(scene: Scene) -> str:
    image = np.full((64, 64, 3), 22, np.uint8) + scene.rng.integers(0, 16, (64, 64, 1), dtype=np.uint8)
    return scene.exact("tyre", image, 0.3)


def _plain(scene: Scene, name: str, colour: tuple[int, int, int], emission: float) -> str:
    noise = scene.rng.normal(0, 12, (32, 32, 1))
    return scene.exact(name, np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8), 0.3, emission=emission)


def _wheels(scene: Scene, length: float, width: float, radius: float) -> Surfaces:
    dark, rim = _dark(scene), materials.metal(scene)
    tyre = lathe(np.array([[0, 0], [radius, 0.0], [radius, 0.2], [0, 0.2]]), 14)
    hub = lathe(np.array([[radius * 0.62, 0], [radius * 0.6, 0.215], [0, 0.2]]), 9).moved(place(0, 0, -0.008))
    tyres, hubs = [], []
    for x in (0.31 * length, -0.29 * length):
        for side in (1.0, -1.0):
            T = place(x, side * (width / 2 - 0.19), radius, 0, 0, -side * np.pi / 2)
            tyres.append(tyre.moved(T))
            hubs.append(hub.moved(T))
    return [(dark, merge(tyres)), (rim, merge(hubs))]


def _details(scene: Scene, length: float, width: float) -> Surfaces:
    """Lamps, plates, bumpers, mirrors."""
    white, red = _plain(scene, "headlamp", (225, 228, 235), 0.3), _plain(scene, "taillamp", (150, 20, 18), 0.2)
    plate, dark = _plain(scene, "plate", (215, 210, 190), 0.0), _dark(scene)
    parts: Surfaces = []
    z = scene.rng.uniform(0.55, 0.75)
    for side in (1.0, -1.0):
        y = side * width * 0.34
        parts.append((white, box(0.1, 0.3, 0.14).moved(place(length / 2 - 0.04, y, z - 0.1))))
        parts.append((red, box(0.06, 0.16, 0.24).moved(place(-length / 2 + 0.02, side * width * 0.38, z + 0.02))))
        parts.append((dark, box(0.1, 0.16, 0.11).moved(place(length * 0.2, side * (width / 2 + 0.08), 0.93))))
    for sign in (1.0, -1.0):
        parts.append((plate, box(0.03, 0.5, 0.11).moved(place(sign * (length / 2 + 0.015), 0, 0.42))))
        parts.append((dark, box(0.06, width * 0.7, 0.1).moved(place(sign * length / 2, 0, 0.28))))
    return parts


def _lorry(scene: Scene) -> tuple[Surfaces, float, float]:
    rng = scene.rng
    length, width, height = rng.uniform(5.5, 9.5), rng.uniform(2.1, 2.5), rng.uniform(2.6, 3.6)
    cab, load, dark = materials.lacquer(scene), materials.item(scene), _dark(scene)
    front = box(1.7, width, height * 0.72, 0.08).moved(place(length / 2 - 0.85, 0, 0.45))
    pane = box(0.03, width * 0.86, height * 0.26).moved(place(length / 2 + 0.005, 0, 0.45 + height * 0.36))
    sides = [
        box(0.8, 0.02, height * 0.24).moved(place(length / 2 - 0.7, s * (width / 2 + 0.005), 0.5 + height * 0.36))
        for s in (-1, 1)
    ]
    cargo = box(length - 1.9, width, height - 0.8).moved(place(-0.95, 0, 0.8))
    frame = box(length - 0.5, width * 0.5, 0.35).moved(place(-0.2, 0, 0.45))
    surfaces = [(cab, front), (materials.glass(scene), merge([pane, *sides])), (load, cargo), (dark, frame)]
    return (
        surfaces + _wheels(scene, float(length), float(width), 0.45) + _details(scene, float(length), float(width)),
        float(length),
        float(width),
    )


def bicycle(scene: Scene) -> Surfaces:
    """A bicycle, x forward."""
    dark, paint = _dark(scene), materials.lacquer(scene)
    ring = np.array([[0.33 + 0.02 * np.cos(t), 0.02 * np.sin(t)] for t in np.linspace(0, -2 * np.pi, 6)])
    wheels = merge([lathe(ring, 20).moved(place(x, 0, 0.35, 0, 0, np.pi / 2)) for x in (-0.52, 0.52)])
    bars = merge(
        [
            box(0.62, 0.03, 0.03).moved(place(0.1, 0, 0.75, 0, -0.1)),
            box(0.03, 0.03, 0.62).moved(place(-0.2, 0, 0.35, 0, -0.2)),
            box(0.6, 0.03, 0.03).moved(place(0.05, 0, 0.55, 0, -0.75)),
            box(0.03, 0.03, 0.72).moved(place(0.5, 0, 0.35, 0, -0.25)),
            box(0.04, 0.5, 0.03).moved(place(0.36, 0, 1.05)),
        ]
    )
    return [(dark, merge([wheels, box(0.25, 0.14, 0.06).moved(place(-0.33, 0, 0.95))])), (paint, bars)]
