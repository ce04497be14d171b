"""Random fields that tile, the raw material of every texture."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np


def spectral_noise(
    rng: np.random.Generator, size: int, exponent: float, stretch: tuple[float, float] = (1.0, 1.0), low: float = 1.0
) -> np.ndarray:
    """Gaussian noise with amplitude spectrum 1/f^exponent, float32 (size, size), zero mean, unit variance, tiling.

    `stretch` (u, v) draws features out along that axis; frequencies under `low` cycles a tile are flattened, so that
    a repeated texture shows no tile-sized blotch.
    """
    amplitude = _amplitude(size, round(exponent, 2), round(stretch[0], 1), round(stretch[1], 1), low)
    spectrum = rng.standard_normal((*amplitude.shape, 2), dtype=np.float32).view(np.complex64)[..., 0] * amplitude
    field = np.fft.irfft2(spectrum, s=(size, size)).astype(np.float32)
    return field / max(float(field.std()), 1e-9)


@lru_cache(maxsize=64)
def _amplitude(size: int, exponent: float, stretch_u: float, stretch_v: float, low: float) -> np.ndarray:
    fv = np.fft.fftfreq(size).astype(np.float32)[:, None] * size * stretch_v
    fu = np.fft.rfftfreq(size).astype(np.float32)[None, :] * size * stretch_u
    amplitude = np.maximum(np.sqrt(fu * fu + fv * fv), low) ** np.float32(-exponent)
    amplitude[0, 0] = 0.0
    return amplitude


def warp(field: np.ndarray, du: np.ndarray, dv: np.ndarray) -> np.ndarray:
    """Field (H, W[, C]) sampled at (u + du, v + dv) pixels, wrapping around."""
    height, width = field.shape[:2]
    u, v = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return cv2.remap(field, u + du, v + dv, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)


def cells(rng: np.random.Generator, size: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Voronoi cells: index int32 (size, size) and distance in pixels to the nearest seed, float32; tiling."""
    seeds = np.ones((size, size), np.uint8)
    at = rng.integers(0, size, (count, 2))
    seeds[at[:, 0], at[:, 1]] = 0
    tiled = cv2.copyMakeBorder(seeds, size // 4, size // 4, size // 4, size // 4, cv2.BORDER_WRAP)
    distance, label = cv2.distanceTransformWithLabels(tiled, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL)
    inner = slice(size // 4, size // 4 + size)
    # The border copies of a seed carry labels of their own; random lookups below make that invisible.
    return label[inner, inner], distance[inner, inner]


def per_index(rng: np.random.Generator, index: np.ndarray, channels: int = 1) -> np.ndarray:
    """A random normal value for each value of the integer map (H, W): float32 (H, W, channels)."""
    table = rng.standard_normal((int(index.max()) + 1, channels)).astype(np.float32)
    return table[index]
