"""Where a robot or a hand-held camera may be: an occupancy grid drawn from the surfaces themselves."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from depth_perception.sim.layout import Layout
from depth_perception.sim.mesh import Part


@dataclass(frozen=True)
class FreeSpace:
    """`clearance` float32 (rows, columns): metres to the nearest obstacle, 0 where blocked or out of reach.

    Convention: cell (row, column) covers y = y0 + row * cell_m … and x = x0 + column * cell_m ….
    """

    clearance: np.ndarray
    x0: float
    y0: float
    cell_m: float

    def at(self, x: float, y: float) -> float:
        """Clearance at (x, y) metres, 0 outside."""
        row, column = int((y - self.y0) / self.cell_m), int((x - self.x0) / self.cell_m)
        rows, columns = self.clearance.shape
        return float(self.clearance[row, column]) if 0 <= row < rows and 0 <= column < columns else 0.0

    def sample(self, rng: np.random.Generator, margin_m: float) -> tuple[float, float] | None:
        """A random point with at least that clearance, or None."""
        rows, columns = np.nonzero(self.clearance >= margin_m)
        if len(rows) == 0:
            return None
        pick = rng.integers(len(rows))
        jitter = rng.random(2)
        return (self.x0 + (columns[pick] + jitter[0]) * self.cell_m, self.y0 + (rows[pick] + jitter[1]) * self.cell_m)


def free_space(parts: list[Part], layout: Layout, low_m: float = 0.2, high_m: float = 1.9) -> FreeSpace:
    """Draw every triangle that reaches into low..high metres; keep the largest connected region."""
    x0, y0, x1, y1 = layout.bounds
    cell = 0.05 if (x1 - x0) * (y1 - y0) < 900.0 else 0.15
    blocked = np.zeros((int((y1 - y0) / cell) + 1, int((x1 - x0) / cell) + 1), np.uint8)
    for part in parts:
        _draw(blocked, part, low_m, high_m, x0, y0, cell)
    blocked[[0, -1], :] = blocked[:, [0, -1]] = 1
    clearance = cv2.distanceTransform(1 - blocked, cv2.DIST_L2, 5) * cell
    _, regions = cv2.connectedComponents((clearance > 0.28).astype(np.uint8))
    reachable = regions == _largest(regions)
    return FreeSpace(np.where(reachable, clearance, 0.0).astype(np.float32), x0, y0, cell)


def _draw(blocked: np.ndarray, part: Part, low: float, high: float, x0: float, y0: float, cell: float) -> None:
    triangles = part.vertices[part.faces]
    z = triangles[:, :, 2]
    pixels = (triangles[(z.max(1) > low) & (z.min(1) < high)][:, :, :2] - (x0, y0)) / cell
    pixels = np.floor(pixels).astype(np.int32)
    # Leaves and other specks are as small as a cell: mark their corners, draw only what is larger
    small = np.ptp(pixels, axis=1).max(1) <= 1
    corners = pixels[small].reshape(-1, 2)
    inside = (corners >= 0).all(1) & (corners < blocked.shape[::-1]).all(1)
    blocked[corners[inside, 1], corners[inside, 0]] = 1
    for triangle in pixels[~small]:
        cv2.fillConvexPoly(blocked, triangle, 1)


def _largest(regions: np.ndarray) -> int:
    """The label of the largest region that is not the background (0)."""
    sizes = np.bincount(regions.ravel())
    sizes[0] = 0
    return int(sizes.argmax())
