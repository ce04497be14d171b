"""A smooth correction of log depth that meets the anchors, follows the image's edges and fades away from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from depth_perception.alignment.fit import trust

Float32 = NDArray[np.float32]

ROWS = 48  # control points along the image's shorter side
COARSE_ROWS = 24  # of the grid on which outliers are found
STIFFNESS = 0.4  # weight of a step between neighbouring control points, against one anchor's
ALONG_COLUMNS = 3.0  # vertical steps cost so much more: surfaces that LiDAR beams cross stand upright
EDGE = 9.0  # a step of lightness (of 255) at which a link is half as stiff
CELL_WEIGHT = 6.0  # all anchors of one control point weigh at most so much: neighbours' errors are alike
TOLERANCES = (1.0, 0.6, 0.4, 0.25)  # of log depth, pass by pass: farther from the field before counts less
TOLERANCE = 0.25  # in the end


@dataclass(frozen=True)
class Links:
    """How stiffly neighbouring control points are tied, less across an edge of the image."""

    right: Float32  # (rows, columns - 1)
    down: Float32  # (rows - 1, columns)


@dataclass(frozen=True)
class Field:
    """Correction of log depth at the control points; `weight` is what each anchor counted in the end (0 to 1)."""

    values: Float32  # (rows, columns)
    weight: Float32  # (N,)

    def at_size(self, height: int, width: int) -> Float32:
        """(height, width) log depth to add."""
        import cv2

        return cv2.resize(self.values, (width, height), interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]


class ResidualField:
    """Minimises  Σ w_i (f(u_i) - r_i)² + Σ g_ab (f_a - f_b)² + κ Σ f_a²  over the control points f.

    A Gaussian Markov random field: r_i is anchor i's log depth minus the aligned prediction's; the stiffness g_ab of
    neighbours a, b is less across an edge of the image (as in Barron & Poole 2016, The Fast Bilateral Solver, but on
    the image's own grid); κ = STIFFNESS / reach² lets the correction fade within `reach` control points. Anchors that
    the field can't meet lose weight from pass to pass (Geman-McClure, on a coarse grid), so that gross outliers count
    for nothing. The matrix is banded: one Cholesky factorisation a pass.

    Convention: pixel centres are integers; control point (0, 0) is the centre of the first cell, cells tile the image.
    """

    def __init__(self, height: int, width: int, reach: float) -> None:
        """`height`, `width`: of the prediction; `reach`: share of the image's width within which the pull fades."""
        self.height, self.width, self.reach = height, width, reach
        self._coarse, self._fine = (_Grid(height, width, rows, reach) for rows in (COARSE_ROWS, ROWS))
        self.rows, self.columns = self._fine.rows, self._fine.columns

    def links(self, image: NDArray[np.uint8]) -> tuple[Links, Links]:
        """Of the coarse and the fine grid, from an image (H, W, 3) RGB."""
        return self._coarse.links(image), self._fine.links(image)

    def fit(self, uv: Float32, residual: Float32, weight: Float32, links: tuple[Links, Links]) -> Field:
        """The field that these anchors ask for.

        Args:
            uv: (N, 2) pixels of the prediction.
            residual: (N,) log depth of the anchors minus that of the prediction.
            weight: (N,) 0 to 1, how far each can be trusted.
            links: of the method `links`.
        """
        band, cells = self._coarse.band(links[0]), self._coarse.cells(uv)
        values = np.zeros(band.shape[1], np.float32)
        for tolerance in TOLERANCES:
            counts = weight * trust(residual - values[cells], tolerance)
            values = _solve(band, cells, residual, counts)
        counts = weight * trust(residual - values[cells], TOLERANCE)
        cells = self._fine.cells(uv)
        values = _solve(self._fine.band(links[1]), cells, residual, counts)
        return Field(self._fine.as_image(values), trust(residual - values[cells], TOLERANCE))


class _Grid:
    """Control points and their order in the band: along the image's shorter side first, which keeps the band narrow."""

    def __init__(self, height: int, width: int, rows: int, reach: float) -> None:
        self._landscape = width >= height
        short = min(rows, height, width)
        long = min(max(short, round(short * max(height, width) / min(height, width))), 2 * short)
        self.rows, self.columns = (short, long) if self._landscape else (long, short)
        self._scale = np.array([self.columns / width, self.rows / height], np.float32)
        self._fade = STIFFNESS / max(reach * self.columns, 1.0) ** 2

    def links(self, image: NDArray[np.uint8]) -> Links:
        import cv2

        small = cv2.resize(image, (self.columns, self.rows), interpolation=cv2.INTER_AREA)
        grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32) * np.float32(1.0 / EDGE)
        right: Float32 = np.diff(grey, axis=1)
        down: Float32 = np.diff(grey, axis=0)
        soft, stiff = np.float32(STIFFNESS), np.float32(STIFFNESS * ALONG_COLUMNS)
        return Links(soft / (1.0 + right * right), stiff / (1.0 + down * down))

    def cells(self, uv: Float32) -> NDArray[np.intp]:
        """(N,) control point of each pixel (N, 2), in the band's order."""
        place = (uv + np.float32(0.5)) * self._scale
        column = np.clip(place[:, 0], 0, self.columns - 1).astype(np.intp)
        row = np.clip(place[:, 1], 0, self.rows - 1).astype(np.intp)
        return column * self.rows + row if self._landscape else row * self.columns + column

    def as_image(self, values: Float32) -> Float32:
        """Values (n,) in the band's order → (rows, columns)."""
        if self._landscape:
            return np.ascontiguousarray(values.reshape(self.columns, self.rows).T)
        return values.reshape(self.rows, self.columns)

    def band(self, links: Links) -> Float32:
        """The prior's matrix in LAPACK's lower banded form (bandwidth + 1, n)."""
        across, along = (links.right.T, links.down.T) if self._landscape else (links.down, links.right)
        lines, size = (self.columns, self.rows) if self._landscape else (self.rows, self.columns)
        diagonal = np.full((lines, size), self._fade, np.float32)
        diagonal[:, :-1] += along
        diagonal[:, 1:] += along
        diagonal[:-1] += across
        diagonal[1:] += across
        band = np.zeros((size + 1, lines * size), np.float32)
        band[0] = diagonal.ravel()
        band[1].reshape(lines, size)[:, :-1] = -along
        band[size, : (lines - 1) * size] -= across.ravel()
        return band


def _solve(band: Float32, cells: NDArray[np.intp], residual: Float32, weight: Float32) -> Float32:
    from scipy.linalg import solveh_banded

    n = band.shape[1]
    total = np.bincount(cells, weight, n)
    limited = np.minimum(1.0, CELL_WEIGHT / np.maximum(total, 1e-9))
    pull = np.bincount(cells, weight * residual, n) * limited
    matrix = band.copy()
    matrix[0] += (total * limited).astype(np.float32)
    solution = solveh_banded(matrix, pull.astype(np.float32), True, True, lower=True, check_finite=False)
    return solution.astype(np.float32, copy=False)  # type: ignore[no-any-return]
