"""Standard deviation → confidence, for those who take one byte a pixel."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

TOLERANCE = 0.1  # share of depth
_STEPS = 4096  # of the table: relative deviations from 0 to 1, of which the confidence changes least at the far end
_TABLE = np.array(
    [255] + [round(255.0 * math.erf(TOLERANCE / (i / (_STEPS - 1) * math.sqrt(2.0)))) for i in range(1, _STEPS)],
    np.uint8,
)


def confidence(depth: NDArray[np.float32], std: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The chance that the truth lies within 10 % of `depth`, 255 = certain, for a normal error: (H, W) uint8.

    Convention: P(|error| <= 0.1 depth) = erf(0.1 depth / (sqrt(2) std)). A relative deviation beyond 1 counts as 1
    (20 of 255); 0 where depth or std isn't finite.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        relative = std / depth
    known = np.isfinite(relative)
    steps = np.where(known, np.minimum(relative, 1.0), 0.0) * np.float32(_STEPS - 1)
    return np.where(known, _TABLE[np.rint(steps).astype(np.int32)], np.uint8(0))
