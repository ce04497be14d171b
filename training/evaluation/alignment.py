"""From what a network says to metres: as it is, scaled by the median, or by scale and shift of inverse depth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from depth_perception.errors import ConfigError
from depth_perception.records import DepthKind
from training.evaluation.protocol import NONE, Cap
from training.metrics import median_scale
from training.scale_shift import fit_scale_shift

Float32 = NDArray[np.float32]
_SPEAKS_OF = "--align affine (scale and shift of inverse depth, fitted to each image's reference)"


@dataclass(frozen=True)
class Alignment:
    """What one image's prediction is put through; `scale` and `shift` live in the space that `space` names."""

    space: str  # depth (metres = scale * prediction) or inverse_depth (1 / metres = scale * inverse + shift)
    scale: float
    shift: float
    limits: Cap

    def __call__(self, prediction: Float32, is_inverse: bool) -> Float32:
        """Metres within `limits`, of the prediction's shape; an inverse depth of 0 or below is as far as they reach."""
        if self.space == "depth":
            return np.clip(prediction * np.float32(self.scale), self.limits.low, self.limits.high).astype(np.float32)
        inverse = _inverse(prediction, is_inverse) * self.scale + self.shift
        return (1.0 / np.clip(inverse, 1.0 / self.limits.high, 1.0 / self.limits.low)).astype(np.float32)


def check(kind: DepthKind, align: str) -> None:
    """Raises ConfigError: a model of this kind gives no metres under this alignment."""
    if kind is DepthKind.RELATIVE_INVERSE and align != "affine":
        raise ConfigError(
            f"the model gives {kind.value}, of unknown scale and shift, which --align {align} can't compare with "
            f"metres: say {_SPEAKS_OF}"
        )
    if kind is DepthKind.SCALED and align == NONE:
        raise ConfigError(f"the model gives {kind.value}, of unknown scale: say --align median, or {_SPEAKS_OF}")


def fit(align: str, prediction: Float32, target: Float32, is_inverse: bool, limits: Cap) -> Alignment:
    """Of the pixels that count, any equal shape.

    median: scale = median(target) / median(prediction), before limits (Zhou et al. 2017).
    affine: argmin of sum (scale / prediction + shift - 1 / target)^2 (Ranftl et al. 2020, by least squares).

    Args:
        prediction: depth, positive (its unit is the network's), or inverse depth if `is_inverse`.
        target: metres.
    """
    if align == "affine":
        inverse = _inverse(prediction, is_inverse)
        return Alignment("inverse_depth", *fit_scale_shift(inverse, 1.0 / target.astype(np.float64)), limits)
    scale = 1.0 if align == NONE else median_scale(prediction, target)
    return Alignment("depth", scale, 0.0, limits)


def _inverse(prediction: Float32, is_inverse: bool) -> NDArray[np.float64]:
    return prediction.astype(np.float64) if is_inverse else 1.0 / prediction.astype(np.float64)
