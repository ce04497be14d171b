"""Skies for a cube of six pictures: a gradient from horizon to zenith, clouds, a far rim of hills or trees."""

from __future__ import annotations

import cv2
import numpy as np

from depth_perception.sim.colours import base_colour
from depth_perception.sim.noise import spectral_noise

# Cube faces in MuJoCo's order: right, left, up, down, front, back; GL's cube coordinates are (x, y up, -z forward)
_FACES = (
    ((1, 0, 0), (0, 0, -1), (0, -1, 0)),
    ((-1, 0, 0), (0, 0, 1), (0, -1, 0)),
    ((0, 1, 0), (1, 0, 0), (0, 0, 1)),
    ((0, -1, 0), (1, 0, 0), (0, 0, -1)),
    ((0, 0, 1), (1, 0, 0), (0, -1, 0)),
    ((0, 0, -1), (-1, 0, 0), (0, -1, 0)),
)


def make_sky(rng: np.random.Generator, size: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """Sky cube uint8 (6 size, size, 3) and its mean horizon colour float32 (3,) in [0, 1]."""
    zenith, horizon = _colours(rng)
    cover, softness = rng.uniform(-1.2, 1.4), rng.uniform(0.2, 1.0)
    clouds = spectral_noise(rng, 512, rng.uniform(1.2, 1.7), low=2.0)
    cloud_colour = np.clip(np.array([0.95, 0.95, 0.97]) * rng.uniform(0.6, 1.0), 0, 1)
    faces = []
    for axis, right, down in _FACES:
        v, u = np.meshgrid(np.linspace(-1, 1, size), np.linspace(-1, 1, size), indexing="ij")
        ray = np.asarray(axis) + u[..., None] * np.asarray(right) + v[..., None] * np.asarray(down)
        ray = ray / np.linalg.norm(ray, axis=2, keepdims=True)
        up = np.clip(ray[..., 1], 0.0, 1.0)
        colour = horizon + (zenith - horizon) * (up**0.5)[..., None]
        plane = ray[..., [0, 2]] / (up[..., None] + 0.12) * 60.0 + 256.0
        layer = cv2.remap(
            clouds,
            plane[..., 0].astype(np.float32),
            plane[..., 1].astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_WRAP,
        )
        amount = 1.0 / (1.0 + np.exp(np.clip(-(layer + cover) / (0.25 * softness), -30.0, 30.0)))
        amount = (amount * np.clip(up * 6.0, 0.0, 1.0))[..., None]
        shade = cloud_colour * (1.0 - 0.12 * np.clip(layer - 0.5, -1.0, 2.0))[..., None]
        faces.append(colour * (1.0 - amount) + shade * amount)
    cube = np.clip(np.concatenate(faces), 0.0, 1.0)
    return (cube * 255.0).astype(np.uint8), horizon.astype(np.float32)


def _colours(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Zenith and horizon colours: clear, overcast, low sun."""
    mood = rng.random()
    if mood < 0.45:
        zenith = np.array([0.25, 0.45, 0.8]) * rng.uniform(0.7, 1.2)
        return np.clip(zenith, 0, 1), np.clip(np.array([0.75, 0.85, 0.95]) * rng.uniform(0.85, 1.05), 0, 1)
    if mood < 0.85:
        grey = rng.uniform(0.55, 1.0)
        tint = rng.normal(1.0, 0.02, 3)
        return np.clip(grey * rng.uniform(0.8, 1.0) * tint, 0, 1), np.clip(grey * tint, 0, 1)
    return np.array([0.3, 0.4, 0.65]), np.clip(base_colour(rng, "earth") + 0.35, 0, 1)
