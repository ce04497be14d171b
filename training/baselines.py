"""What a predictor that never looks at the image scores: one depth everywhere, or one depth for each pixel."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class Baselines:
    """Fitted on training frames only. Geometric means: they score better in relative error than arithmetic ones."""

    constant: float  # metres, or canonical metres, as the depth it was fitted on
    mean_map: Float32  # (H, W), same unit


def fit_baselines(depths: Iterable[Float32], farthest: float) -> Baselines:
    """Baselines from depth images (H, W), all of one size; sky and what is unknown (not finite) doesn't count.

    Args:
        farthest: depth beyond this doesn't count either, as in the evaluation.

    Raises:
        ValueError: there is no depth image, or no valid pixel at all.
    """
    total: NDArray[np.float64] | None = None
    for depth in depths:
        known = np.isfinite(depth) & (depth > 0) & (depth <= farthest)
        if total is None:
            total, count = np.zeros(depth.shape), np.zeros(depth.shape)
        total[known] += np.log(depth[known])
        count += known
    if total is None or not count.any():
        raise ValueError("no valid depth to fit a baseline on; give at least one frame with a finite depth")
    constant = float(np.exp(total.sum() / count.sum()))
    mean_map = np.where(count > 0, np.exp(total / np.maximum(count, 1)), constant)
    return Baselines(constant, mean_map.astype(np.float32))
