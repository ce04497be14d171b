"""A smooth correction of log depth that meets the anchors, follows the image's edges and fades away from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from depth_perception.alignment.fit import trust

Float32 = NDArray[np.float32]

EDGE = 9.0  # a step of lightness (of 255) at which a link is half as stiff
ALONG_COLUMNS = 1.5  # vertical steps cost so much more: surfaces that LiDAR beams cross stand upright
CELL_WEIGHT = 6.0  # all anchors of one control point weigh at most so much: neighbours' errors are alike
TOLERANCE = 0.25  # of log depth: an anchor that is so far from the field counts a quarter


@dataclass(frozen=True)
class Level:
    """One grid of control points and its prior, in units of one anchor's weight."""

    rows: int  # control points along the image's shorter side
    stretch: float  # weight of a step between neighbours
    bend: float  # weight of a second difference: without it the field would be a tent with a pole at each anchor
    fade: float  # weight of the correction itself; times (reach * columns)^-2 where `scaled`
    scaled: bool
    tolerances: tuple[float, ...]  # pass by pass


ROUGH = Level(16, 0.2, 0.2, 0.05, True, (1.0, 0.6, 0.4))  # where a crowd of anchors outvotes gross errors
COARSE = Level(24, 0.2, 0.2, 0.05, True, (0.3, 0.2))
FINE = Level(48, 0.05, 0.0, 0.001, False, (0.15,))


@dataclass(frozen=True)
class Links:
    """How stiffly neighbouring control points are tied, less across an edge of the image."""

    right: Float32  # (rows, columns - 1)
    down: Float32  # (rows - 1, columns)


AllLinks = tuple[Links, Links, Links]


@dataclass(frozen=True)
class Field:
    """Correction of log depth at the control points; `weight` is what each anchor counted in the end (0 to 1)."""

    coarse: Float32  # (rows, columns)
    fine: Float32  # (rows, columns), on top
    weight: Float32  # (N,)

    def at_size(self, height: int, width: int) -> Float32:
        """(height, width) log depth to add."""
        return _resized(self.coarse, height, width) + _resized(self.fine, height, width)


class ResidualField:
    """Minimises  Σ w_i (f(u_i) - r_i)² + Σ s_ab (f_a - f_b)² + Σ b_abc (f_a - 2 f_b + f_c)² + κ Σ f_a².

    A Gaussian Markov random field over control points f: r_i is anchor i's log depth minus the aligned prediction's.
    Stretch s_ab and bending b_abc cost less across an edge of the image (as in Barron & Poole 2016, The Fast Bilateral
    Solver, but on the image's own grid); κ lets the correction fade with distance. Solved from rough to fine; anchors
    that the field can't meet lose weight from pass to pass (Geman-McClure), so that gross outliers count for nothing.
    What the coarse grid leaves is fitted on a fine one without bending. The matrices are banded: one Cholesky
    factorisation a pass.

    Convention: pixel centres are integers; control point (0, 0) is the centre of the first cell, cells tile the image.
    """

    def __init__(self, height: int, width: int, reach: float) -> None:
        """`height`, `width`: of the prediction; `reach`: share of the image's width within which the pull fades."""
        self.height, self.width, self.reach = height, width, reach
        self._rough, self._coarse, self._fine = (_Grid(height, width, level, reach) for level in (ROUGH, COARSE, FINE))
        self.rows, self.columns = self._fine.rows, self._fine.columns

    def links(self, image: NDArray[np.uint8]) -> AllLinks:
        """Of the rough, the coarse and the fine grid, from an image (H, W, 3) RGB."""
        return self._rough.links(image), self._coarse.links(image), self._fine.links(image)

    def fit(self, uv: Float32, residual: Float32, weight: Float32, links: AllLinks) -> Field:
        """The field that these anchors ask for.

        Args:
            uv: (N, 2) pixels of the prediction.
            residual: (N,) log depth of the anchors minus that of the prediction.
            weight: (N,) 0 to 1, how far each can be trusted.
            links: of the method `links`.
        """
        pixels, misfit = self._pixels(uv), residual
        coarse = np.zeros((1, 1), np.float32)
        for grid, its_links in ((self._rough, links[0]), (self._coarse, links[1])):
            coarse, misfit = grid.settle(uv, residual, misfit, weight, its_links)
        remaining = residual - _resized(coarse, self.height, self.width)[pixels]
        fine, misfit = self._fine.settle(uv, remaining, remaining, weight, links[2])
        return Field(coarse, fine, trust(misfit, TOLERANCE))

    def _pixels(self, uv: Float32) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Rows and columns (N,) of the nearest pixels."""
        row, column = np.rint(uv[:, 1]).astype(np.intp), np.rint(uv[:, 0]).astype(np.intp)
        return np.clip(row, 0, self.height - 1), np.clip(column, 0, self.width - 1)


class _Grid:
    """Control points and their order in the band: along the image's shorter side first, which keeps the band narrow."""

    def __init__(self, height: int, width: int, level: Level, reach: float) -> None:
        self._landscape, self._level = width >= height, level
        short = min(level.rows, height, width)
        long = min(max(short, round(short * max(height, width) / min(height, width))), 2 * short)
        self.rows, self.columns = (short, long) if self._landscape else (long, short)
        self._scale = np.array([self.columns / width, self.rows / height], np.float32)
        self._fade = level.fade / max(reach * self.columns, 1.0) ** 2 if level.scaled else level.fade

    def links(self, image: NDArray[np.uint8]) -> Links:
        import cv2

        small = cv2.resize(image, (self.columns, self.rows), interpolation=cv2.INTER_AREA)
        grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32) * np.float32(1.0 / EDGE)
        right: Float32 = np.diff(grey, axis=1)
        down: Float32 = np.diff(grey, axis=0)
        return Links(np.reciprocal(1.0 + right * right), np.float32(ALONG_COLUMNS) / (1.0 + down * down))

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

    def settle(
        self, uv: Float32, residual: Float32, misfit: Float32, weight: Float32, links: Links
    ) -> tuple[Float32, Float32]:
        """The field (rows, columns) after this level's passes and what it leaves at the anchors (N,).

        `misfit` (N,) is what the level before left, which decides how far each anchor is trusted in the first pass.
        """
        band, cells = self.band(links), self.cells(uv)
        values = np.zeros(band.shape[1], np.float32)
        for tolerance in self._level.tolerances:
            values = _solve(band, cells, residual, weight * trust(misfit, tolerance))
            misfit = residual - values[cells]
        return self.as_image(values), misfit

    def band(self, links: Links) -> Float32:
        """The prior's matrix in LAPACK's lower banded form (bandwidth + 1, n)."""
        across, along = (links.right.T, links.down.T) if self._landscape else (links.down, links.right)
        lines, size = (self.columns, self.rows) if self._landscape else (self.rows, self.columns)
        width = 2 * size if self._level.bend else size
        band = np.zeros((width + 1, lines, size), np.float32)
        band[0] = self._fade
        _stretch(band, np.float32(self._level.stretch) * along, 2, 1)
        _stretch(band, np.float32(self._level.stretch) * across, 1, size)
        if self._level.bend:
            bend = np.float32(self._level.bend)
            _bend(band, bend * np.minimum(along[:, 1:], along[:, :-1]), 2, 1)
            _bend(band, bend * np.minimum(across[1:], across[:-1]), 1, size)
        return band.reshape(width + 1, -1)


def _stretch(band: Float32, weight: Float32, axis: int, offset: int) -> None:
    """Add Σ weight (f_a - f_b)² for neighbours along an axis of `band` (offsets, lines, size), `offset` apart."""
    near, far = _parts(axis, 2)
    band[(0, *near)] += weight
    band[(0, *far)] += weight
    band[(offset, *near)] -= weight


def _bend(band: Float32, weight: Float32, axis: int, offset: int) -> None:
    """Add Σ weight (f_a - 2 f_b + f_c)² for three in a row along an axis of `band`."""
    first, middle, last = _parts(axis, 3)
    band[(0, *first)] += weight
    band[(0, *middle)] += 4.0 * weight
    band[(0, *last)] += weight
    band[(offset, *first)] -= 2.0 * weight
    band[(offset, *middle)] -= 2.0 * weight
    band[(2 * offset, *first)] += weight


def _parts(axis: int, count: int) -> list[tuple[slice, slice]]:
    """Slices of (lines, size): the first, second, … of every `count` neighbours along axis 1 (lines) or 2 (size)."""
    whole = slice(None)
    parts = [slice(k, k - count + 1 or None) for k in range(count)]
    return [(part, whole) if axis == 1 else (whole, part) for part in parts]


def _resized(values: Float32, height: int, width: int) -> Float32:
    import cv2

    return cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]


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
