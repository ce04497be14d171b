"""Procedural textures with the statistics of photographs: one function a family, all tiling, all from a generator.

Geometry never decides what a texture looks like: a slot names plausible families, and often gets any other one.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from depth_perception.sim import patterns
from depth_perception.sim.colours import base_colour, paint, palette
from depth_perception.sim.noise import cells, per_index, spectral_noise, warp

Painter = Callable[[np.random.Generator, int], np.ndarray]


def make_texture(rng: np.random.Generator, family: str, size: int) -> np.ndarray:
    """One texture of a family, uint8 (size, size, 3) RGB. Families: the keys of `FAMILIES`."""
    image = FAMILIES[family](rng, size)
    image = _weather(rng, image)
    return (np.clip(image, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)


def any_family(rng: np.random.Generator, likely: tuple[str, ...] = (), loyalty: float = 0.78) -> str:
    """A family out of `likely` with probability `loyalty`, else any."""
    if likely and rng.random() < loyalty:
        return str(rng.choice(likely))
    return str(rng.choice(GENERIC))


def _plaster(rng: np.random.Generator, size: int) -> np.ndarray:
    coarse = spectral_noise(rng, size, rng.uniform(1.0, 1.6), low=2.0)
    fine = spectral_noise(rng, size, rng.uniform(0.2, 0.7))
    spread = rng.uniform(0.01, 0.11)
    mood = str(rng.choice(["white", "white", "white", "grey", "earth", "blue", "green", "red"]))
    return paint(coarse + rng.uniform(0.2, 0.9) * fine, palette(rng, base_colour(rng, mood), spread))


def _stone(rng: np.random.Generator, size: int) -> np.ndarray:
    field = spectral_noise(rng, size, rng.uniform(0.9, 1.5), low=2.0)
    amount = rng.uniform(3.0, 22.0) * size / 256.0
    du, dv = (amount * spectral_noise(rng, size, 1.6) for _ in range(2))
    field = warp(field, du, dv)
    if rng.random() < 0.4:
        field = np.abs(field) * 2.0 - 1.5
    return paint(field, palette(rng, base_colour(rng), rng.uniform(0.2, 0.8)))


def _speckle(rng: np.random.Generator, size: int) -> np.ndarray:
    label, distance = cells(rng, size, int(size * size / rng.uniform(8.0, 90.0)))
    field = per_index(rng, label)[..., 0] * 0.9 + 0.5 * spectral_noise(rng, size, 1.1, low=2.0)
    field -= 0.1 * (distance - distance.mean())
    mood = str(rng.choice(["grey", "earth", "dark", "grey"]))
    return paint(field, palette(rng, base_colour(rng, mood), rng.uniform(0.15, 0.6)))


def _asphalt(rng: np.random.Generator, size: int) -> np.ndarray:
    field = spectral_noise(rng, size, rng.uniform(0.0, 0.6)) + rng.uniform(0.1, 0.8) * spectral_noise(
        rng, size, 1.2, low=2.5
    )
    mood = str(rng.choice(["grey", "dark", "grey", "grey"]))
    image = paint(field, palette(rng, base_colour(rng, mood), rng.uniform(0.08, 0.35)))
    for _ in range(rng.integers(0, 4)):
        patterns.crack(rng, image)
    return image


def _grass(rng: np.random.Generator, size: int) -> np.ndarray:
    mood = "green" if rng.random() < 0.7 else "earth"
    colours = palette(rng, base_colour(rng, mood), rng.uniform(0.25, 0.55), 8)
    image = paint(rng.uniform(0.3, 0.9) * spectral_noise(rng, size, 1.1, low=2.5), colours)
    return patterns.strokes(rng, image, colours, count=int(size * size / 60), length=size * rng.uniform(0.015, 0.06))


def _foliage(rng: np.random.Generator, size: int) -> np.ndarray:
    mood = "green" if rng.random() < 0.75 else "earth"
    colours = palette(rng, base_colour(rng, mood), rng.uniform(0.5, 0.9), 8)
    image = paint(spectral_noise(rng, size, 1.0, low=2.0), colours * 0.35)
    return patterns.leaves(rng, image, colours, count=int(size * rng.uniform(2.0, 5.0)))


def _wood(rng: np.random.Generator, size: int) -> np.ndarray:
    grain = spectral_noise(rng, size, rng.uniform(0.7, 1.2), stretch=(1.0, rng.uniform(6.0, 20.0)))
    rings = np.sin(spectral_noise(rng, size, 1.8, stretch=(1.0, 5.0), low=1.5) * rng.uniform(4.0, 14.0))
    colours = palette(rng, base_colour(rng, "earth" if rng.random() < 0.8 else None), rng.uniform(0.15, 0.5))
    image = paint(grain * 0.8 + rings * rng.uniform(0.1, 0.7), colours)
    if rng.random() < 0.6:
        image = patterns.courses(rng, image, rows=1, columns=int(rng.integers(2, 9)), gap=0.006, tint=0.16)
    return image


def _bricks(rng: np.random.Generator, size: int) -> np.ndarray:
    colours = palette(rng, base_colour(rng, str(rng.choice(["earth", "red", "grey", "white"]))), rng.uniform(0.2, 0.5))
    image = paint(spectral_noise(rng, size, 0.8), colours)
    rows = int(rng.integers(4, 14)) * 2
    return patterns.courses(
        rng, image, rows, max(2, rows // int(rng.integers(2, 5))), rng.uniform(0.006, 0.02), 0.22, running=True
    )


def _tiles(rng: np.random.Generator, size: int) -> np.ndarray:
    colours = palette(rng, base_colour(rng), rng.uniform(0.05, 0.35))
    image = paint(spectral_noise(rng, size, 1.2), colours)
    rows = int(rng.integers(2, 12))
    columns = rows if rng.random() < 0.7 else int(rng.integers(1, 8))
    tint = rng.uniform(0.0, 0.3)
    return patterns.courses(rng, image, rows, columns, rng.uniform(0.004, 0.02), tint, running=rng.random() < 0.2)


def _fabric(rng: np.random.Generator, size: int) -> np.ndarray:
    return patterns.weave(rng, size, palette(rng, base_colour(rng), rng.uniform(0.2, 0.7)))


def _paint_sheet(rng: np.random.Generator, size: int) -> np.ndarray:
    """Lacquer or sheet metal: nearly flat, with faint broad reflections and a few scratches."""
    field = spectral_noise(rng, size, 2.0, stretch=(rng.uniform(0.5, 3.0), 1.0))
    return paint(field + 0.15 * spectral_noise(rng, size, 0.4), palette(rng, base_colour(rng), rng.uniform(0.05, 0.3)))


def _outlook(rng: np.random.Generator, size: int) -> np.ndarray:
    """What is seen through a window: bright sky above, blurred greenery or houses below."""
    scenery = patterns.facade(rng, size) if rng.random() < 0.4 else _foliage(rng, size)
    scenery = cv2.GaussianBlur(scenery.astype(np.float32), (0, 0), size * rng.uniform(0.004, 0.02)) * rng.uniform(
        0.9, 1.7
    )
    sky = (
        rng.uniform(0.75, 1.0) * (1.0 + 0.05 * spectral_noise(rng, size, 1.6))[..., None] * np.array([0.95, 0.98, 1.0])
    )
    border = size * (rng.uniform(0.2, 0.8) + 0.05 * spectral_noise(rng, size, 1.6)[0])
    above = np.clip(0.3 * (border[None, :] - np.arange(size)[:, None]), 0.0, 1.0)[..., None]
    return (scenery * (1.0 - above) + sky * above).astype(np.float32)


def _road_paint(rng: np.random.Generator, size: int) -> np.ndarray:
    """Worn white paint, rarely yellow."""
    colour = base_colour(rng, "white") * (np.array([1.0, 0.8, 0.3]) if rng.random() < 0.2 else 1.0)
    return paint(spectral_noise(rng, size, rng.uniform(0.3, 1.0)), palette(rng, colour, rng.uniform(0.05, 0.3)))


def _glass(rng: np.random.Generator, size: int) -> np.ndarray:
    """A pane that mirrors something blurred: sky above, dark below."""
    scenery = cv2.GaussianBlur(patterns.dead_leaves(rng, size), (0, 0), size * 0.02)
    tint = base_colour(rng, str(rng.choice(["dark", "dark", "grey", "blue"])))
    fade = np.linspace(1.2, 0.5, size, dtype=np.float32)[:, None, None]
    return (0.5 * scenery * tint * 2.0 + 0.6 * tint * fade).astype(np.float32)


FAMILIES: dict[str, Painter] = {
    "plaster": _plaster,
    "stone": _stone,
    "speckle": _speckle,
    "asphalt": _asphalt,
    "grass": _grass,
    "foliage": _foliage,
    "wood": _wood,
    "bricks": _bricks,
    "tiles": _tiles,
    "fabric": _fabric,
    "sheet": _paint_sheet,
    "picture": patterns.dead_leaves,
    "books": patterns.books,
    "print": patterns.printed,
    "facade": patterns.facade,
    "glass": _glass,
    "outlook": _outlook,
    "road paint": _road_paint,
}
GENERIC = ("plaster", "stone", "speckle", "asphalt", "wood", "bricks", "tiles", "fabric", "sheet", "picture", "foliage")


def _weather(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Dirt, streaks and uneven fading on top of any family."""
    size = image.shape[0]
    stretch = (1.0, rng.uniform(1.0, 6.0))
    dirt = spectral_noise(rng, size, rng.uniform(1.0, 1.6), stretch=stretch, low=1.5)
    image = image * (1.0 + rng.uniform(0.0, 0.08) * dirt)[..., None]
    grain = rng.standard_normal((size, size)).astype(np.float32)
    return image * (1.0 + rng.uniform(0.0, 0.05) * cv2.blur(grain, (2, 2)))[..., None]
