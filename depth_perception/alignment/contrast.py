"""How much too strong or too weak a network draws the difference between near and far, as its anchors tell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from depth_perception.alignment.fit import TOLERANCES, trust, weighted_median

Float32 = NDArray[np.float32]

PRIOR_STD = 0.15  # of the exponent: 0.05 ± 0.2 in simulation, -0.3 on recorded streets; chosen on worlds in no test


@dataclass(frozen=True)
class Contrast:
    """Depth d of the network becomes d (d / pivot)^exponent, up to scale; 0 leaves it alone."""

    exponent: float
    pivot: float

    def log(self, depth: Float32) -> Float32:
        """Log depth (…) to add for the network's depth (…); 0 where that is no positive finite number."""
        if self.exponent == 0.0:
            return np.zeros_like(depth)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            added = np.float32(self.exponent) * np.log(depth * np.float32(1.0 / self.pivot))
        return np.where(np.isfinite(added), added, np.float32(0.0))


def fit_contrast(
    prediction: Float32, residual: Float32, weight: Float32, block: NDArray[np.int32], spread: float
) -> Contrast:
    """The exponent γ that minimises  Σ w ρ(r - a - γ log(d / pivot)) + λ γ²,  with ρ of Geman and McClure.

    A network that was trained on other scenes gets the order of depths right before it gets their ratios right. λ is
    the ratio of what one block of the image says to what is known beforehand: (spread / PRIOR_STD)² / blocks. So one
    beam, or anchors all at one depth, leave γ near 0.

    Args:
        prediction: (N,) the network's depth, positive.
        residual: (N,) log depth of the anchors minus that of the scaled prediction.
        weight: (N,) 0 to 1.
        block: (N,) part of the image; errors within one are alike.
        spread: standard deviation of the network's error in log depth.
    """
    if not len(prediction):
        return Contrast(0.0, 1.0)
    logs: Float32 = np.log(prediction)
    pivot = np.float32(weighted_median(logs, weight))
    x = logs - pivot
    stiffness = (spread / PRIOR_STD) ** 2 / len(np.unique(block))
    offset, exponent = np.float32(weighted_median(residual, weight)), np.float32(0.0)
    for tolerance in TOLERANCES:
        trusted = weight * trust(residual - offset - exponent * x, tolerance)
        share = trusted / np.sum(trusted)
        mean_x, mean_r = np.sum(share * x), np.sum(share * residual)
        variance = np.sum(share * np.square(x - mean_x))
        exponent = np.float32(np.sum(share * (x - mean_x) * (residual - mean_r)) / (variance + stiffness))
        offset = np.float32(mean_r - exponent * mean_x)
    return Contrast(float(exponent), float(np.exp(pivot)))
