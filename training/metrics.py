"""The metrics of `depth_perception.metrics`, under the name that training code uses, and those of inverse depth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from depth_perception.metrics import DepthMetrics, comparable, depth_metrics, mean_metrics, median_scale

__all__ = [
    "DepthMetrics", "InverseMetrics", "comparable", "depth_metrics", "inverse_metrics", "mean_metrics", "median_scale",
]  # fmt: skip


@dataclass(frozen=True)
class InverseMetrics:
    """Errors of inverse depth in 1/km, as KITTI's depth completion benchmark prints them (Uhrig et al. 2017)."""

    irmse: float  # sqrt(mean (1/p - 1/t)^2)
    imae: float  # mean |1/p - 1/t|


def inverse_metrics(
    prediction: NDArray[np.floating], target: NDArray[np.floating], valid: NDArray[np.bool_] | None = None
) -> InverseMetrics:
    """Of depth in metres, any equal shape; NaN where no pixel is valid. Raises ValueError as `comparable`."""
    known = comparable(prediction, target, valid)
    if not known.any():
        return InverseMetrics(float("nan"), float("nan"))
    error = 1000.0 / prediction[known].astype(np.float64) - 1000.0 / target[known].astype(np.float64)
    return InverseMetrics(float(np.sqrt(np.mean(error**2))), float(np.mean(np.abs(error))))
