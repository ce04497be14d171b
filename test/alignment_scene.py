"""A slanted plane with a box before it, in closed form; LiDAR-like beams across it; networks that see it."""

from __future__ import annotations

import cv2
import numpy as np

from depth_perception.alignment import Unscaled
from depth_perception.records import Anchors

HEIGHT, WIDTH = 120, 200  # of the prediction
IMAGE = (192, 320)  # the camera's: 1.6 times as many
FARTHEST = 80.0
BOX = (slice(40, 90), slice(120, 170))
SECOND = 1_000_000_000
NOW = 1_700_000_000 * SECOND


def true_depth() -> np.ndarray:
    """(HEIGHT, WIDTH) m: a plane, whose inverse depth is affine in pixels, 12 m to 3.2 m; the box stands at 2.5 m."""
    v, u = np.mgrid[0:HEIGHT, 0:WIDTH]
    depth = 1.0 / (1 / 12 + 0.15 * v / HEIGHT + 0.08 * u / WIDTH)
    depth[BOX] = 2.5
    return depth.astype(np.float32)


def picture() -> np.ndarray:
    """(*IMAGE, 3): the box is brighter than the plane."""
    small = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    small[BOX] = 200
    return cv2.resize(small, IMAGE[::-1], interpolation=cv2.INTER_NEAREST)


def smooth_error(seed: int, std: float, reach: float) -> np.ndarray:
    """(HEIGHT, WIDTH) of log depth: random, alike within about `reach` pixels, as networks err."""
    noise = np.random.default_rng(seed).normal(size=(HEIGHT, WIDTH)).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), reach, borderType=cv2.BORDER_REFLECT)
    return std * (noise - noise.mean()) / noise.std()


def view(kind: str, error: np.ndarray | float = 0.0, prior_std: float = 0.2) -> Unscaled:
    """What a network of this kind says: 'metric' and 'scaled' 1.7 times too near, or 'inverse' (1 / z - 0.02) / 3."""
    depth = true_depth() * np.exp(np.float32(error))
    values = (1.0 / depth - 0.02) / 3.0 if kind == "inverse" else depth / 1.7
    prior = prior_std if kind == "metric" else None
    return Unscaled(values.astype(np.float32), kind == "inverse", prior, picture(), FARTHEST)


def beams(
    rows: tuple[int, ...] = (15, 45, 75, 105), each: int = 90, source: str = "lidar", stamp_ns: int = NOW,
    factor: float = 1.0, outliers: float = 0.0, seed: int = 0,
) -> Anchors:  # fmt: skip
    """Anchors along rows of the prediction, in pixels of the image, with 1 % of noise; depth is `factor` times true.

    `outliers`: share of them that say anything from a tenth to ten times the truth.
    """
    rng = np.random.default_rng(seed)
    row = np.repeat(np.array(rows, int), each)
    column = np.tile(np.linspace(0, WIDTH - 1, each).round().astype(int), len(rows))
    true = true_depth()[row, column]
    depth = true * factor * np.exp(rng.normal(0.0, 0.01, len(row)))
    wrong = rng.permutation(len(row)) < outliers * len(row)
    depth[wrong] *= np.exp(rng.uniform(np.log(0.1), np.log(10.0), int(wrong.sum())))
    uv = (np.stack([column, row], axis=1) + 0.5) * (IMAGE[1] / WIDTH) - 0.5
    return Anchors(
        uv.astype(np.float32), depth.astype(np.float32), (0.01 * true).astype(np.float32),
        np.repeat(np.arange(len(rows)), each).astype(np.int32), source, stamp_ns,
    )  # fmt: skip


def abs_rel(depth: np.ndarray | None) -> float:
    """Against the truth, over all pixels."""
    assert depth is not None
    return float(np.mean(np.abs(depth / true_depth() - 1.0)))
