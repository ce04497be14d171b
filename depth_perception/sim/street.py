"""Streets: city, residential, country road and expressway, with traffic."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from depth_perception.sim import materials
from depth_perception.sim.figures import person
from depth_perception.sim.houses import fence, house
from depth_perception.sim.layout import Layout
from depth_perception.sim.mesh import Part, box, cylinder, place, quad
from depth_perception.sim.plants import bush, far_woods, hedge, tree
from depth_perception.sim.road import Road
from depth_perception.sim.scene import Scene
from depth_perception.sim.streetside import lamp_post, sign, street_things
from depth_perception.sim.vehicles import bicycle, vehicle

_ROADS = ("asphalt",) * 9 + ("speckle", "tiles", "bricks")
STYLES = ("city", "residential", "country", "expressway")


def build_street(scene: Scene) -> Layout:
    """A road of 240 m with both its sides."""
    rng = scene.rng
    style = str(rng.choice(STYLES, p=[0.33, 0.37, 0.15, 0.15]))
    curvature = float(rng.choice([0.0, 1.0, 1.0])) * rng.uniform(-1, 1) / rng.uniform(70.0, 300.0)
    road = Road(-90.0, 150.0, float(curvature))
    half = float(
        {
            "city": rng.uniform(2.8, 6.0),
            "residential": rng.uniform(2.4, 4.0),
            "country": rng.uniform(2.5, 3.8),
            "expressway": rng.uniform(5.0, 9.5),
        }[style]
    )
    _ground(scene, road, half, style)
    for side in (1.0, -1.0):
        _side(scene, road, half, style, side)
    _traffic(scene, road, half, style)
    for slot, part in far_woods(scene, float(rng.uniform(140.0, 260.0))):
        scene.add(slot, part)
    s = np.linspace(-60.0, 100.0, 81)
    x, y, _ = road.centre(s)
    line = np.column_stack([x, y])
    low, high = line.min(0) - 25.0, line.max(0) + 25.0
    return Layout(
        (float(low[0]), float(low[1]), float(high[0]), float(high[1])), (0.0, 0.0), np.zeros((0, 3)), line, False
    )


def put(scene: Scene, surfaces: list[tuple[str, Part]], T: np.ndarray) -> None:
    """Add several surfaces at one place."""
    for slot, part in surfaces:
        scene.add(slot, part, T)


def _ground(scene: Scene, road: Road, half: float, style: str) -> None:
    rng = scene.rng
    asphalt = scene.slot("road", _ROADS, (1.5, 5.0), loyalty=0.97)
    scene.add(asphalt, road.strip(-half, half, 0.0, 0.0))
    field = scene.slot("field", ("grass", "grass", "asphalt", "stone"), (2.0, 8.0), loyalty=0.95)
    far = 400.0
    scene.add(field, quad(np.array([[-far, -far, -0.06], [far, -far, -0.06], [far, far, -0.06], [-far, far, -0.06]])))
    white = scene.slot("marking", ("road paint",), (0.6, 2.0), loyalty=1.0, emission=0.15)
    offsets = [0.0] if style != "expressway" else list(np.arange(-half + 3.5, half - 2.0, 3.5))
    if rng.random() < 0.75 or style == "expressway":
        dash, gap = rng.uniform(1.5, 6.0), rng.uniform(2.0, 9.0)
        for d in offsets:
            for s in np.arange(road.start, road.end, dash + gap):
                scene.add(white, road.strip(d - 0.07, d + 0.07, 0.012, 0.012, float(s), float(s + dash)))
    if rng.random() < 0.5:
        for d in (-half + 0.3, half - 0.3):
            scene.add(white, road.strip(d - 0.07, d + 0.07, 0.012, 0.012))
    if style == "city" and rng.random() < 0.5:
        at = rng.uniform(-20, 40)
        for d in np.arange(-half + 0.3, half - 0.4, 1.0):
            scene.add(white, road.strip(float(d), float(d) + 0.5, 0.012, 0.012, at, at + 3.0))
    patch = scene.slot("patch", ("asphalt", "speckle"), (0.8, 3.0), loyalty=1.0)
    for _ in range(rng.integers(0, 10)):
        s, d, w = rng.uniform(-60, 100), rng.uniform(-half, half - 1.0), rng.uniform(0.3, 2.0)
        scene.add(patch, road.strip(d, min(half, d + w), 0.006, 0.006, s, s + rng.uniform(0.5, 12.0)))


def _side(scene: Scene, road: Road, half: float, style: str, side: float) -> None:
    """Everything from the road's edge outwards on one side; `side` is +1 on the left."""
    rng = scene.rng
    d = half
    kerb = scene.slot("kerb", ("speckle", "asphalt"), (0.5, 2.0))
    top = float(rng.uniform(0.06, 0.16)) if style in ("city", "residential") else 0.0
    parking = style in ("city", "residential") and rng.random() < 0.75
    if parking:
        _park(scene, road, d, side, float(rng.uniform(0.35, 0.9)))
        d += 2.1
        _flat(scene, materials.paving(scene) if rng.random() < 0.3 else "road", road, side, half, d, 0.0)
    if top > 0.0:
        _flat(scene, kerb, road, side, d, d + 0.02, 0.0, top)
        _flat(scene, kerb, road, side, d + 0.02, d + 0.16, top)
        d += 0.16
    if (style != "city" and rng.random() < 0.6) or style in ("country", "expressway"):
        wide = float(rng.uniform(1.0, 4.0))
        _flat(scene, scene.slot("verge", ("grass",), (1.0, 4.0), loyalty=0.95), road, side, d, d + wide, top)
        street_things(scene, road, side * (d + 0.5 * wide), top, trees=rng.random() < 0.6, spacing=rng.uniform(7, 22))
        d += wide
    if style == "expressway" or (style == "country" and rng.random() < 0.3):
        rail = materials.metal(scene)
        scene.add(rail, _upright(road, side, d, 0.45, 0.8))
        for s in np.arange(-80.0, 140.0, 4.0):
            scene.add(rail, box(0.1, 0.1, 0.75), road.pose(float(s), side * (d + 0.08)))
        d += 0.4
    if top > 0.0:
        wide = float(rng.uniform(1.4, 4.5))
        _flat(scene, materials.paving(scene), road, side, d, d + wide, top)
        street_things(scene, road, side * (d + 0.4), top, trees=rng.random() < 0.3, spacing=rng.uniform(12, 30))
        _pedestrians(scene, road, side, d, wide, top)
        d += wide
    _buildings(scene, road, style, side, d, top)


def _flat(
    scene: Scene, slot: str, road: Road, side: float, d0: float, d1: float, z0: float, z1: float | None = None
) -> None:
    z1 = z0 if z1 is None else z1
    scene.add(slot, road.strip(d0, d1, z0, z1) if side > 0 else road.strip(-d1, -d0, z1, z0))


def _upright(road: Road, side: float, d: float, z0: float, z1: float) -> Part:
    """A thin barrier that shows its face to the road."""
    return road.strip(d, d + 0.01, z0, z1) if side > 0 else road.strip(-d - 0.01, -d, z1, z0)


def _park(scene: Scene, road: Road, d: float, side: float, density: float) -> None:
    rng, s = scene.rng, -75.0
    while s < 130.0:
        if rng.random() < density:
            surfaces, length, width = vehicle(scene)
            turn = 0.0 if (side < 0) == (rng.random() < 0.85) else np.pi
            T = road.pose(s + length / 2, side * (d + 0.1 + width / 2), 0.0, turn + rng.normal(0, 0.02))
            put(scene, surfaces, T)
            s += length + rng.uniform(0.5, 1.5)
        else:
            s += rng.uniform(3.0, 9.0)


def _pedestrians(scene: Scene, road: Road, side: float, d: float, wide: float, top: float) -> None:
    rng = scene.rng
    for _ in range(rng.poisson(6)):
        aside = side * (d + rng.uniform(0.5, wide))
        if rng.random() < 0.35:
            way = _lane(road, aside, float(rng.choice([-1.0, 1.0])), rng.uniform(0.7, 1.7), rng.uniform(0, 200), top)
            scene.move(f"person{len(scene.movers)}", person(scene), way)
            continue
        T = road.pose(rng.uniform(-60, 100), aside, top, rng.uniform(0, 6.28))
        put(scene, bicycle(scene) if rng.random() < 0.3 else person(scene), T)


def _buildings(scene: Scene, road: Road, style: str, side: float, d: float, top: float) -> None:
    rng, s = scene.rng, -88.0
    garden = 0.0 if style == "city" else float(rng.uniform(1.5, 9.0))
    storeys = int(rng.integers(2, 7)) if style == "city" else int(rng.integers(1, 4))
    while s < 148.0:
        width = float(rng.uniform(6.0, 18.0) if style == "city" else rng.uniform(6.5, 13.0))
        open_land = rng.random() < {"city": 0.1, "residential": 0.2, "country": 0.85, "expressway": 0.8}[style]
        middle = s + width / 2
        if garden > 0.0 and rng.random() < 0.75:
            border = (
                fence(scene, width * 0.85)
                if rng.random() < 0.5
                else hedge(scene, width * 0.85, rng.uniform(0.6, 2.2), rng.uniform(0.5, 1.1))
            )
            put(scene, border, road.pose(middle, side * (d + 0.5), top))
        if open_land:
            for _ in range(rng.integers(1, 5)):
                at = road.pose(middle + rng.uniform(-4, 4), side * (d + rng.uniform(2.0, 18.0)))
                put(
                    scene,
                    tree(scene, rng.uniform(4, 14)) if rng.random() < 0.7 else bush(scene, rng.uniform(0.7, 2.5)),
                    at,
                )
        else:
            height = 3.0 * max(1, storeys + int(rng.integers(-1, 2))) + 0.8
            front = d + garden + rng.uniform(0.0, 1.0 if style == "city" else 3.0)
            turn = 0.0 if side > 0 else np.pi
            put(scene, house(scene, width, rng.uniform(7, 13), height), road.pose(middle, side * front, 0.0, turn))
        s += width + (rng.uniform(0.0, 0.4) if style == "city" and rng.random() < 0.8 else rng.uniform(1.5, 7.0))


def _bridge(scene: Scene, road: Road, half: float) -> None:
    """An overpass on pillars, or a gantry."""
    rng = scene.rng
    at, high = rng.uniform(15.0, 70.0), rng.uniform(5.0, 7.0)
    slot, wide = materials.masonry(scene), rng.uniform(0.4, 14.0)
    turn = rng.normal(0.0, 0.2)
    deck = box(wide, 2 * half + 50.0, rng.uniform(0.5, 1.4))
    scene.add(slot, deck, road.pose(at, 0.0, high, turn))
    rail = materials.metal(scene)
    for side in (-1.0, 1.0):
        scene.add(rail, box(0.1, 2 * half + 50.0, 1.0), road.pose(at + side * wide / 2, 0.0, high + 1.0, turn))
        for d in (half + 4.5, half + 16.0):
            scene.add(slot, cylinder(rng.uniform(0.3, 0.6), high, 12), road.pose(at, side * d))


def _lane(
    road: Road, d: float, direction: float, speed: float, offset: float, z: float = 0.0
) -> Callable[[float], np.ndarray]:
    """T_world_body at t seconds: along offset d at constant speed, coming back at the start when the road ends."""

    def way(t: float) -> np.ndarray:
        s = (offset + speed * t) % 200.0 - 70.0
        return road.pose(s if direction > 0 else 60.0 - s, d, z, 0.0 if direction > 0 else np.pi)

    return way


def _traffic(scene: Scene, road: Road, half: float, style: str) -> None:
    """Cars on the lanes, as bodies that move: on the right-hand side in their direction."""
    rng = scene.rng
    lanes = max(1, int(half / 3.2))
    jam = style in ("city", "expressway") and rng.random() < 0.5
    count = rng.integers(2, 5) if style in ("residential", "country") else rng.integers(3, 8)
    speed, offset = rng.uniform(3.0, 16.0), rng.uniform(0, 200)
    for index in range(int(2 * count if jam else count)):
        surfaces, length, _ = vehicle(scene, "lorry" if rng.random() < 0.12 else None)
        direction = 1.0 if rng.random() < (0.75 if jam else 0.5) else -1.0
        d = float(-direction * half * (rng.integers(lanes) + 0.5) / lanes + rng.normal(0.0, 0.15))
        # In a jam all go at one speed, a few metres apart, so that queues stay queues
        offset = offset + length + rng.uniform(1.5, 9.0) if jam else rng.uniform(0, 200)
        scene.move(f"car{index}", surfaces, _lane(road, d, direction, speed if jam else rng.uniform(3, 16), offset))
    if rng.random() < 0.18:
        _bridge(scene, road, half)
    if rng.random() < 0.7:
        for side in (1.0, -1.0):
            for s in np.arange(-70.0, 140.0, rng.uniform(20, 45)):
                put(scene, lamp_post(scene), road.pose(float(s), side * (half + 2.6), 0.0, -side * np.pi / 2))
    for _ in range(rng.integers(0, 6)):
        put(
            scene,
            sign(scene),
            road.pose(rng.uniform(-60, 110), rng.choice([-1.0, 1.0]) * (half + 2.5), 0.0, rng.choice([0.0, np.pi])),
        )
    if rng.random() < 0.3:
        cable = materials.metal(scene)
        for s in np.arange(-60.0, 120.0, 30.0):
            put(
                scene,
                [(cable, cylinder(0.02, half * 2 + 6))],
                road.pose(float(s), -half - 3, rng.uniform(5, 8)) @ place(0, 0, 0, 0, 0, -np.pi / 2),
            )
