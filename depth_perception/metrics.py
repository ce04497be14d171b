"""The field's depth metrics over `valid`, in the words of conventions §2 (Eigen et al. 2014, section 4.1)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


@dataclass(frozen=True)
class DepthMetrics:
    """Errors of positive predictions; `sq_rel`, `rmse`, `mae` carry the unit of the target (metres for depth)."""

    abs_rel: float  # mean |p - t| / t
    sq_rel: float  # mean (p - t)^2 / t
    rmse: float  # sqrt(mean (p - t)^2)
    rmse_log: float  # sqrt(mean (ln p - ln t)^2)
    delta1: float  # share with max(p / t, t / p) < 1.25
    delta2: float  # ... < 1.25^2
    delta3: float  # ... < 1.25^3
    silog: float  # 100 * sqrt(var(ln p - ln t)): scale-invariant, as KITTI's benchmark prints it
    mae: float  # mean |p - t|


def comparable(prediction: Array, target: Array, valid: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
    """Pixels at which the target says something: `valid`, finite, positive (NaN, +Inf, 0 are no reference).

    Raises:
        ValueError: the shapes differ, or the prediction isn't finite and positive at a pixel that has a reference
            (dropping it silently would flatter the predictor).
    """
    if prediction.shape != target.shape or (valid is not None and valid.shape != target.shape):
        shapes = (prediction.shape, target.shape, None if valid is None else valid.shape)
        raise ValueError(f"prediction, target, valid have shapes {shapes!r}; they must be equal")
    known = np.isfinite(target) & (target > 0)
    if valid is not None:
        known &= valid
    bad = ~(np.isfinite(prediction[known]) & (prediction[known] > 0))
    if bad.any():
        raise ValueError(f"{int(bad.sum())!r} predictions at valid pixels aren't positive and finite; clamp them first")
    return known


def depth_metrics(prediction: Array, target: Array, valid: NDArray[np.bool_] | None = None) -> DepthMetrics:
    """Metrics of one image (or any equal shapes); all NaN where no pixel is valid.

    Args:
        prediction, target: any equal shape, same positive unit (depth m, or inverse depth 1/m).
        valid: bool, same shape; None: every pixel whose target is finite and positive.
    """
    known = comparable(prediction, target, valid)
    if not known.any():
        return DepthMetrics(*[float("nan")] * len(dataclasses.fields(DepthMetrics)))
    p, t = prediction[known].astype(np.float64), target[known].astype(np.float64)
    error, log_error, ratio = p - t, np.log(p) - np.log(t), np.maximum(p / t, t / p)
    return DepthMetrics(
        abs_rel=float(np.mean(np.abs(error) / t)),
        sq_rel=float(np.mean(error**2 / t)),
        rmse=float(np.sqrt(np.mean(error**2))),
        rmse_log=float(np.sqrt(np.mean(log_error**2))),
        delta1=float(np.mean(ratio < 1.25)),
        delta2=float(np.mean(ratio < 1.25**2)),
        delta3=float(np.mean(ratio < 1.25**3)),
        silog=float(100.0 * np.std(log_error)),
        mae=float(np.mean(np.abs(error))),
    )


def median_scale(prediction: Array, target: Array, valid: NDArray[np.bool_] | None = None) -> float:
    """Factor median(target) / median(prediction) over valid pixels (Zhou et al. 2017); NaN where none is valid."""
    known = comparable(prediction, target, valid)
    return float(np.median(target[known]) / np.median(prediction[known])) if known.any() else float("nan")


def mean_metrics(items: Sequence[DepthMetrics]) -> DepthMetrics:
    """Mean over images, each of equal weight; images without a valid pixel don't count."""
    rows = np.array([dataclasses.astuple(item) for item in items], np.float64)
    rows = rows.reshape(len(items), len(dataclasses.fields(DepthMetrics)))
    rows = rows[np.isfinite(rows).all(axis=1)]
    if not len(rows):
        return DepthMetrics(*[float("nan")] * len(dataclasses.fields(DepthMetrics)))
    return DepthMetrics(*(float(value) for value in rows.mean(axis=0)))
