"""Structure on textures: courses of bricks and boards, leaves, weaves, print, windows, and dead leaves.

A dead-leaves picture (shapes of power-law sizes that hide each other) has the edge and scale statistics of photographs.
"""

from __future__ import annotations

import cv2
import numpy as np

from depth_perception.sim.colours import base_colour, paint, palette
from depth_perception.sim.noise import spectral_noise


def courses(
    rng: np.random.Generator, image: np.ndarray, rows: int, columns: int, gap: float, tint: float, running: bool = False
) -> np.ndarray:
    """Cut the image (S, S, 3) into rows × columns stones with joints `gap` of its width; each stone tinted anew."""
    size = image.shape[0]
    v, u = np.meshgrid(np.arange(size) / size, np.arange(size) / size, indexing="ij")
    row = np.floor(v * rows).astype(int)
    shift = (row % 2) * 0.5 if running else np.zeros_like(u)
    along = u * columns + shift
    column = np.floor(along).astype(int) % columns
    tints = 1.0 + tint * rng.standard_normal((rows, columns, 1)) + 0.3 * tint * rng.standard_normal((rows, columns, 3))
    image = image * tints[row, column].astype(np.float32)
    wobble = 1.0 + 0.3 * spectral_noise(rng, size, 1.0)
    joint = np.minimum(_edge(v * rows) / rows, _edge(along) / columns) < 0.5 * gap * wobble
    joint_colour = base_colour(rng, str(rng.choice(["grey", "dark", "white"])))
    soft = cv2.blur(joint.astype(np.float32), (3, 3))[..., None]
    return (image * (1.0 - soft) + soft * joint_colour * (1.0 + 0.1 * wobble[..., None])).astype(np.float32)


def _edge(x: np.ndarray) -> np.ndarray:
    fraction = x - np.floor(x)
    return np.minimum(fraction, 1.0 - fraction)


def crack(rng: np.random.Generator, image: np.ndarray) -> None:
    """Draw one dark wandering line, in place."""
    size = image.shape[0]
    steps = rng.normal(0.0, 0.35, 60).cumsum() + rng.uniform(0.0, 2.0 * np.pi)
    path = rng.uniform(0.0, size, 2) + np.stack([np.cos(steps), np.sin(steps)], 1).cumsum(0) * size / 40.0
    colour = tuple(float(c) for c in image.mean((0, 1)) * rng.uniform(0.3, 0.7))
    cv2.polylines(image, [path.astype(np.int32)], False, colour, int(rng.integers(1, 3)), cv2.LINE_AA)


def strokes(rng: np.random.Generator, image: np.ndarray, colours: np.ndarray, count: int, length: float) -> np.ndarray:
    """Short mostly upright lines: grass, straw, carpet."""
    image = np.ascontiguousarray(image)
    size = image.shape[0]
    start = rng.uniform(0, size, (count, 2))
    delta = np.stack([rng.normal(0.0, 0.4, count), -rng.uniform(0.3, 1.0, count)], 1) * length
    shade = colours[rng.integers(0, len(colours), count)] * rng.uniform(0.5, 1.15, (count, 1))
    for a, b, colour in zip(start.astype(int), (start + delta).astype(int), shade, strict=True):
        cv2.line(image, a.tolist(), b.tolist(), colour.tolist(), 1)
    return image


def leaves(rng: np.random.Generator, image: np.ndarray, colours: np.ndarray, count: int) -> np.ndarray:
    """Layers of leaf-like ellipses, dark ones below."""
    image = np.ascontiguousarray(image)
    size = image.shape[0]
    length = size * np.exp(rng.uniform(np.log(0.008), np.log(0.035), count))
    for i in range(count):
        shade = colours[rng.integers(len(colours))] * (0.35 + 0.75 * i / count) * rng.uniform(0.8, 1.2)
        axes = (max(1, int(length[i])), max(1, int(length[i] * rng.uniform(0.25, 0.6))))
        centre = rng.integers(0, size, 2).tolist()
        cv2.ellipse(image, centre, axes, rng.uniform(0, 180), 0, 360, shade.tolist(), -1)
    return image


def dead_leaves(rng: np.random.Generator, size: int) -> np.ndarray:
    """Occluding shapes with power-law sizes, each shaded and grained: float32 (size, size, 3)."""
    image = np.empty((size, size, 3), np.float32)
    image[:] = base_colour(rng)
    small, large = size * rng.uniform(0.015, 0.05), size * rng.uniform(0.25, 0.7)
    count = int(rng.integers(120, 420))
    quantile = np.sort(rng.random(count))
    radius = 1.0 / np.sqrt(quantile * (1.0 / small**2 - 1.0 / large**2) + 1.0 / large**2)
    family = [base_colour(rng) for _ in range(int(rng.integers(3, 9)))]
    for r in radius:
        colour = np.clip(family[rng.integers(len(family))] * rng.uniform(0.5, 1.4) + rng.normal(0, 0.03, 3), 0, 1)
        _shape(rng, image, rng.uniform(0, size, 2), float(r), colour)
    shade = 1.0 + 0.12 * spectral_noise(rng, size, 1.2, low=1.5) + 0.05 * spectral_noise(rng, size, 0.4)
    image *= shade[..., None]
    return cv2.GaussianBlur(image, (0, 0), 0.7) if rng.random() < 0.5 else image


def _shape(rng: np.random.Generator, image: np.ndarray, centre: np.ndarray, r: float, colour: np.ndarray) -> None:
    at = centre.astype(int).tolist()
    if rng.random() < 0.35:
        axes = (max(1, int(r)), max(1, int(r * rng.uniform(0.3, 1.0))))
        cv2.ellipse(image, at, axes, rng.uniform(0, 180), 0, 360, colour.tolist(), -1, cv2.LINE_AA)
        return
    corners = int(rng.integers(3, 7))
    angle = np.sort(rng.uniform(0, 2 * np.pi, corners)) if rng.random() < 0.5 else np.arange(4) * np.pi / 2 + 0.78
    reach = r * (rng.uniform(0.6, 1.0, len(angle)) if len(angle) != 4 else 1.0)
    points = centre + np.stack([reach * np.cos(angle) * rng.uniform(0.4, 1.0), reach * np.sin(angle)], 1)
    cv2.fillPoly(image, [points.astype(np.int32)], colour.tolist(), cv2.LINE_AA)


def weave(rng: np.random.Generator, size: int, colours: np.ndarray) -> np.ndarray:
    """Cloth: stripes, checks or spots under a fine weave; float32 (size, size, 3)."""
    v, u = np.meshgrid(np.arange(size) / size, np.arange(size) / size, indexing="ij")
    periods = rng.integers(1, 14, 2)
    bands_u = np.sign(np.sin(2 * np.pi * periods[0] * u)) * (rng.random() < 0.6)
    bands_v = np.sign(np.sin(2 * np.pi * periods[1] * v)) * (rng.random() < 0.6)
    field = rng.uniform(0.0, 1.2) * (bands_u + bands_v) + rng.uniform(0.3, 0.9) * spectral_noise(rng, size, 1.0)
    threads = size / rng.uniform(3.0, 8.0)
    fine = np.sin(2 * np.pi * np.round(threads) * u) * np.sin(2 * np.pi * np.round(threads) * v)
    return paint((field + rng.uniform(0.1, 0.5) * fine).astype(np.float32), colours)


def books(rng: np.random.Generator, size: int) -> np.ndarray:
    """A row of upright spines with marks on them; float32 (size, size, 3)."""
    image = np.zeros((size, size, 3), np.float32)
    left = 0
    while left < size:
        width = int(size * rng.uniform(0.03, 0.11)) + 2
        top = int(size * rng.uniform(0.0, 0.3))
        colour = base_colour(rng)
        image[top:, left : left + width - 1] = colour * (1.0 + 0.2 * np.linspace(-1, 1, size - top)[:, None, None])
        ink = base_colour(rng)
        for _ in range(rng.integers(1, 5)):
            a, length = int(rng.uniform(top, size)), int(size * rng.uniform(0.02, 0.3))
            image[a : a + length, left + width // 4 : left + max(width // 4 + 1, 3 * width // 4)] = ink
        left += width
    return image


def printed(rng: np.random.Generator, size: int) -> np.ndarray:
    """Print: lines of word-like blocks and a picture, as on posters, boxes and signs; float32 (size, size, 3)."""
    image = np.empty((size, size, 3), np.float32)
    image[:] = base_colour(rng)
    ink = base_colour(rng)
    line = int(size * rng.uniform(0.02, 0.09)) + 2
    for top in range(line, size - line, int(line * 1.7) + 1):
        left = int(size * rng.uniform(0.03, 0.2))
        while left < size * rng.uniform(0.6, 1.0):
            word = int(line * rng.uniform(0.5, 4.0)) + 1
            image[top : top + int(line * rng.uniform(0.6, 1.0)), left : left + word] = ink * rng.uniform(0.7, 1.2)
            left += word + line // 2
    half = size // 2
    a, b = rng.integers(0, half, 2)
    image[a : a + half, b : b + half] = dead_leaves(rng, half)
    return image


def facade(rng: np.random.Generator, size: int) -> np.ndarray:
    """One bay pattern of a house front: windows with frames, panes, curtains, sills; float32 (size, size, 3)."""
    wall = paint(
        spectral_noise(rng, size, rng.uniform(0.6, 1.3)), palette(rng, base_colour(rng), rng.uniform(0.05, 0.3))
    )
    if rng.random() < 0.3:
        wall = courses(rng, wall, int(rng.integers(16, 40)), int(rng.integers(6, 16)), 0.004, 0.12, running=True)
    columns, rows = int(rng.integers(2, 4)), int(rng.integers(2, 4))
    frame, share = base_colour(rng), rng.uniform(0.35, 0.75, 2)
    cell_w, cell_h = size // columns, size // rows
    for row in range(rows):
        if rng.random() < 0.5:
            wall[row * cell_h : row * cell_h + max(2, size // 90)] *= rng.uniform(0.6, 1.3)
        for column in range(columns):
            w, h = int(cell_w * share[0]), int(cell_h * share[1])
            left, top = column * cell_w + (cell_w - w) // 2, row * cell_h + int((cell_h - h) * 0.4)
            _window(rng, wall[top : top + h, left : left + w], frame)
            sill = max(2, size // 100)
            wall[top + h : top + h + sill, max(0, left - sill) : left + w + sill] *= 1.25
    return wall


def _window(rng: np.random.Generator, view: np.ndarray, frame: np.ndarray) -> None:
    h, w = view.shape[:2]
    edge = max(2, w // 14)
    view[:] = frame
    glass = base_colour(rng, str(rng.choice(["dark", "dark", "blue", "grey"])))
    shine = np.linspace(rng.uniform(0.6, 1.4), rng.uniform(0.6, 1.8), h)[:, None, None]
    pane = glass * shine * (1.0 + 0.15 * rng.standard_normal((1, w, 1)))
    view[edge : h - edge, edge : w - edge] = pane[edge : h - edge, edge : w - edge]
    if rng.random() < 0.4:
        curtain = int(h * rng.uniform(0.2, 0.9))
        view[edge:curtain, edge : w - edge] = (
            base_colour(rng, "white") * (1 + 0.1 * np.sin(np.arange(w) * 0.9))[None, edge : w - edge, None]
        )
    for split in range(1, int(rng.integers(1, 4))):
        middle = split * w // 3
        view[:, middle : middle + max(1, edge // 2)] = frame
