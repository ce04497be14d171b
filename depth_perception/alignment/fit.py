"""Robust fits of what the model leaves open: a scale, or a scale and a shift of inverse depth."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

TOLERANCES = (0.5, 0.35, 0.2)  # of log depth, pass by pass; both starts are robust, and wide passes would spoil them
SHARPEST = 0.05  # the last passes' tolerance is two spreads, at least this and at most the last of TOLERANCES
LAST_PASSES = 2
SMALLEST_SPREAD = 0.01
OUTLIER = 0.4  # of log depth: so far off no anchor is an inlier, however far off the others are
RIDGE = 1e-9  # share of the normal matrix's diagonal: keeps it regular where all predictions are the same
PAIRS = 256  # that vote for scale and shift
VOTERS = 512  # anchors that are asked
AGREES = 0.25  # share of depth within which an anchor agrees with a pair


@dataclass(frozen=True)
class Fit:
    """`theta` is (log scale,) or (scale, shift in 1/m), with the covariance of its estimate."""

    theta: Float64  # (k,)
    covariance: Float64  # (k, k)
    spread: float  # robust standard deviation of log depth about the fit: what the model gets wrong locally
    inlier_share: float

    @property
    def is_affine(self) -> bool:
        return len(self.theta) == 2


def apply(theta: Float64, prediction: Float32, farthest: float) -> Float32:
    """Metres (…) of a prediction (…) under a fit: scale * depth, or 1 / (scale * inverse + shift), up to `farthest`.

    An inverse depth that the shift makes zero or negative is as far as can be.
    """
    if len(theta) == 1:
        return prediction * np.float32(np.exp(theta[0]))
    inverse = prediction * np.float32(theta[0]) + np.float32(theta[1])
    return np.reciprocal(np.maximum(inverse, np.float32(1.0 / farthest)))


def fit_scale(prediction: Float32, depth: Float32, weight: Float32, block: NDArray[np.int32]) -> Fit:
    """Minimises Σ w ρ(log depth - log prediction - θ), ρ of Geman and McClure, over the log scale θ.

    Starts from the weighted median, which withstands outliers up to half of the weight; the tolerance then narrows.

    Args:
        prediction, depth: (N,) positive; depth in metres.
        weight: (N,) trust in each, from sigma and density.
        block: (N,) part of the image; errors within one are alike, so the count of blocks says how sure θ is.
    """
    residual: Float32 = np.log(depth) - np.log(prediction)
    theta = np.float32(weighted_median(residual, weight))
    for tolerance in TOLERANCES:
        theta = _trusted_mean(residual, weight, theta, tolerance)
    for _ in range(LAST_PASSES):
        theta = _trusted_mean(residual, weight, theta, _sharp(residual - theta))
    spread, inliers = _spread(residual - theta)
    variance = spread**2 / _independent(block[inliers])
    return Fit(np.array([theta], np.float64), np.array([[variance]]), spread, float(np.mean(inliers)))


def fit_affine(inverse: Float32, depth: Float32, weight: Float32, block: NDArray[np.int32]) -> Fit | None:
    """Minimises Σ w ρ(depth * (scale * inverse + shift) - 1) over scale and shift; None if no positive scale fits.

    The residual is the relative error of depth to first order, so that near and far anchors count alike; the
    column of the shift is weighted like the other one. Starts from the pair of anchors that most others agree with
    (RANSAC, with a fixed seed: the same anchors always give the same fit).

    Args:
        inverse: (N,) the network's relative inverse depth. Others as `fit_scale`.
    """
    theta = _voted(inverse.astype(np.float64), depth.astype(np.float64), weight)
    if theta is None:
        return None
    columns = np.stack([depth * inverse, depth], axis=1).astype(np.float64)
    for tolerance in TOLERANCES:
        theta = _trusted_line(columns, weight, theta, tolerance)
    for _ in range(LAST_PASSES):
        theta = _trusted_line(columns, weight, theta, _sharp((columns @ theta - 1.0).astype(np.float32)))
    if not theta[0] > 0.0:
        return None
    spread, inliers = _spread((columns @ theta - 1.0).astype(np.float32))
    kept = columns[inliers]
    normal = kept.T @ kept / max(len(kept), 1) * _independent(block[inliers])
    covariance = (spread**2 * np.linalg.inv(_regular(normal))).astype(np.float64, copy=False)
    return Fit(theta, covariance, spread, float(np.mean(inliers)))


def widened(fit: Fit, systematic: float) -> Fit:
    """The fit with what is wrong in all anchors alike: a share of depth that averaging many doesn't make smaller.

    Depth times 1 + ε adds ε to log scale, and divides scale and shift of inverse depth both by 1 + ε.
    """
    direction = np.ones(1) if len(fit.theta) == 1 else fit.theta
    return replace(fit, covariance=fit.covariance + systematic**2 * np.outer(direction, direction))


def _trusted_mean(residual: Float32, weight: Float32, theta: np.float32, tolerance: float) -> np.float32:
    trusted = weight * trust(residual - theta, tolerance)
    return np.float32(np.sum(trusted * residual) / np.sum(trusted))


def _trusted_line(columns: Float64, weight: Float32, theta: Float64, tolerance: float) -> Float64:
    trusted = weight * trust((columns @ theta - 1.0).astype(np.float32), tolerance)
    normal = columns.T @ (columns * trusted[:, None])
    return np.linalg.solve(_regular(normal), columns.T @ trusted).astype(np.float64, copy=False)


def _regular(normal: Float64) -> Float64:
    return normal + np.diag(np.diag(normal)) * RIDGE


def _sharp(misfit: Float32) -> float:
    return min(max(2.0 * _spread(misfit)[0], SHARPEST), TOLERANCES[-1])


def _voted(inverse: Float64, depth: Float64, weight: Float32) -> Float64 | None:
    rng = np.random.default_rng(0)
    chosen = rng.choice(len(depth), (PAIRS, 2), p=weight / np.sum(weight, dtype=np.float64))
    voters = rng.permutation(len(depth))[:VOTERS]
    (q0, q1), (y0, y1) = inverse[chosen].T, (1.0 / depth[chosen]).T
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = (y1 - y0) / (q1 - q0)
    shift = y0 - scale * q0
    good = np.isfinite(scale) & (scale > 0.0)
    if not good.any():
        return None
    scale, shift = scale[good], shift[good]
    error = depth[voters] * (scale[:, None] * inverse[voters] + shift[:, None]) - 1.0
    votes = (np.abs(error) < AGREES) @ weight[voters].astype(np.float64)
    best = int(np.argmax(votes))
    return np.array([scale[best], shift[best]])


def trust(misfit: Float32, tolerance: float) -> Float32:
    """Weights (N,) of Geman and McClure: 1 at no misfit, 1/4 at `tolerance`, towards 0 beyond."""
    with np.errstate(over="ignore"):  # beyond all measure: weight 0
        ratio = misfit * np.float32(1.0 / tolerance)
        return np.reciprocal(np.square(1.0 + ratio * ratio))


def weighted_median(values: Float32, weight: Float32) -> float:
    """The value at which half of the weight is reached."""
    order = np.argsort(values)
    cumulated = np.cumsum(weight[order], dtype=np.float64)
    return float(values[order[int(np.searchsorted(cumulated, 0.5 * cumulated[-1]))]])


def _spread(misfit: Float32) -> tuple[float, NDArray[np.bool_]]:
    """Robust standard deviation (1.4826 * median absolute value), and who lies within three of them and `OUTLIER`.

    Three of them alone would always hold more than half, and no misfit could ever be told from a fit.
    """
    size = np.abs(misfit)
    spread = max(1.4826 * float(np.median(size)), SMALLEST_SPREAD)
    return spread, size <= min(3.0 * spread, OUTLIER)


def _independent(block: NDArray[np.int32]) -> float:
    return float(max(len(np.unique(block)), 1))
