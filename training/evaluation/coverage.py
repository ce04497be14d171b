"""Which pixels a LiDAR taught: rows that its beams reach, and how far the next measured pixel is."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

DISTANCES_PX = (2.0, 8.0, 32.0)  # between groups


def reached_rows(measured: NDArray[np.floating]) -> NDArray[np.bool_]:
    """(H, W) True in rows from the first with a measurement (not NaN) to the last: the LiDAR's reach in the image."""
    rows = np.flatnonzero(np.isfinite(measured).any(axis=1))
    reached = np.zeros(measured.shape, bool)
    if rows.size:
        reached[rows[0] : rows[-1] + 1] = True
    return reached


def distance_px(measured: NDArray[np.floating]) -> NDArray[np.float32]:
    """(H, W) pixels from each pixel's centre to that of the nearest measured one; +Inf where nothing was measured."""
    import cv2

    known = np.isfinite(measured)
    if not known.any():
        return np.full(measured.shape, np.inf, np.float32)
    return cv2.distanceTransform((~known).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)  # type: ignore[return-value]


def groups(measured: NDArray[np.floating]) -> dict[str, NDArray[np.bool_]]:
    """Name → (H, W) pixels of it; inside and outside are each other's complement, and so are the distances together."""
    reached, distance = reached_rows(measured), distance_px(measured)
    found = {"inside coverage": reached, "outside coverage": ~reached}
    edges = (0.0, *DISTANCES_PX, np.inf)
    for low, high in pairwise(edges):
        within = (distance >= low) & ((distance < high) | (high == np.inf))
        found[f"{low:g} px or more from a beam" if high == np.inf else f"{low:g} to {high:g} px from a beam"] = within
    return found
