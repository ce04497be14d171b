"""Closed-form scale and shift between a relative prediction and its reference."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def fit_scale_shift(
    prediction: NDArray[np.floating],
    target: NDArray[np.floating],
    weights: NDArray[np.floating] | None = None,
) -> tuple[float, float]:
    """argmin over (scale, shift) of sum w (scale p + shift - t)^2, over pixels where both are finite.

    Convention: both live in the same space (here inverse depth); the weight multiplies both columns of the system, the
    intercept's too (conventions §4, trap 1: on y = 2x + 3 leaving it out gives (2.15, 1.46)).

    Args:
        prediction, target: any equal shape.
        weights: the same shape, not negative; None: all 1.

    Returns:
        scale, shift. A constant prediction has no scale: (0, weighted mean of the target). (NaN, NaN) where no pixel
        has both values and a positive weight.

    Raises:
        ValueError: the shapes differ.
    """
    if prediction.shape != target.shape or (weights is not None and weights.shape != target.shape):
        shapes = (prediction.shape, target.shape, None if weights is None else weights.shape)
        raise ValueError(f"prediction, target, weights have shapes {shapes!r}; they must be equal")
    w = np.ones(target.shape) if weights is None else weights.astype(np.float64)
    known = np.isfinite(prediction) & np.isfinite(target) & (w > 0)
    if not known.any():
        return float("nan"), float("nan")
    p, t, w = prediction[known].astype(np.float64), target[known].astype(np.float64), w[known] / w[known].sum()
    mean_p, mean_t = float(w @ p), float(w @ t)
    variance = float(w @ (p - mean_p) ** 2)
    if variance <= 1e-12 * float(w @ p**2):  # constant up to rounding
        return 0.0, mean_t
    scale = float(w @ ((p - mean_p) * (t - mean_t))) / variance
    return scale, mean_t - scale * mean_p
