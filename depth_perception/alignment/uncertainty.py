"""How far off each pixel may be: near an anchor, far from one, and as measured on anchors that were left out."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

# Fitted to simulated worlds that are in no test, over all sensors (benchmarks/accuracy.py scores the result)
NEAR_SHARE = 0.06  # at an anchor the field leaves this share of what the model gets wrong locally
UNSEEN = 0.3  # what the model gets wrong where no anchor looks, if none did anywhere
REACH = 0.25  # of the image's width: 63 % of the way from near to far
SMALLEST = 0.01  # of depth
ONE_SIGMA = 0.6827
MEMORY = 0.05  # share of each frame's held-out anchors in the running calibration
LIMITS = (0.5, 4.0)  # of the calibration
FEWEST = 8  # anchors that say something about it


def distance_to_anchors(uv: Float32, size: tuple[int, int], grid: tuple[int, int]) -> Float32:
    """(rows, columns) distance of each grid cell to the nearest anchor, as a share of the image's width.

    Smoothed with its neighbours (1 2 1 along each axis): in whole cells it would draw the grid into std.

    Args:
        uv: (N, 2) pixels of an image of `size` (h, w).
        grid: (rows, columns) that cover it.
    """
    import cv2

    empty = np.ones(grid, np.uint8)
    row = np.clip((uv[:, 1] + 0.5) * (grid[0] / size[0]), 0, grid[0] - 1).astype(np.intp)
    column = np.clip((uv[:, 0] + 0.5) * (grid[1] / size[1]), 0, grid[1] - 1).astype(np.intp)
    empty[row, column] = 0
    cells = cv2.distanceTransform(empty, cv2.DIST_L2, 3)
    smooth: Float32 = cv2.GaussianBlur(cells, (3, 3), 0, borderType=cv2.BORDER_REPLICATE)  # type: ignore[assignment]
    return smooth / np.float32(grid[1])


def relative_std(distance: Float32, spread: float, coverage: float) -> Float32:
    """One standard deviation of log depth (…) at a distance (…) from the nearest anchor, before calibration.

    σ² = near² + (far² - near²) (1 - exp(-distance / REACH)). At an anchor it is a share of `spread`, the model's local
    error about the global fit. Far from all, far² = spread² + (UNSEEN (1 - coverage))²: the anchors know the model's
    errors only where they are, in the share `coverage` of the image (one beam of a laser scanner: hardly anywhere).
    """
    near = max(NEAR_SHARE * spread, SMALLEST)
    far = max(math.hypot(spread, UNSEEN * (1.0 - coverage)), near)
    grown = -np.expm1(-distance / np.float32(REACH))
    return np.sqrt(np.float32(near**2) + np.float32(far**2 - near**2) * grown)


class Calibration:
    """A running factor on std that lets 68.27 % of the held-out anchors' errors lie within one."""

    def __init__(self) -> None:
        self.factor = 1.0

    def see(self, error: Float32, predicted: Float32) -> None:
        """`error` of log depth (N,) at held-out anchors, and its predicted standard deviation (N,), uncalibrated."""
        ratios = np.abs(error) / predicted
        ratios = ratios[np.isfinite(ratios)]
        if len(ratios) < FEWEST:
            return
        ratio = float(np.quantile(ratios, ONE_SIGMA))
        ratio = min(max(ratio, LIMITS[0]), LIMITS[1])
        self.factor = math.exp((1.0 - MEMORY) * math.log(self.factor) + MEMORY * math.log(ratio))
