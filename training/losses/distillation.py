"""A prediction against a teacher's labels, metric or not, in one batch."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from training.full_precision import full_precision
from training.losses.gradient import multiscale_gradient
from training.losses.scale_shift_invariant import normalised

LEAST = 1e-4  # 1/m: beyond 10 km logarithms of inverse depth say nothing


class Distillation(NamedTuple):
    """Two losses that are weighted apart."""

    value: Tensor  # scalar
    slope: Tensor  # scalar


@full_precision
def distillation_loss(inverse_depth: Tensor, teacher: Tensor, confidence: Tensor, metric: Tensor) -> Distillation:
    """Mean absolute difference and multi-scale gradient difference of prediction and label, in a space they share.

    A metric label is compared in log inverse depth, so that the loss is relative; any other after both maps were
    brought to median 0 and mean deviation 1 (Ranftl et al. 2022, eq. 5 and 11), so that neither scale nor shift of the
    label says anything to the student.

    Args:
        inverse_depth: (B, H, W), positive, 1/m.
        teacher: (B, H, W) inverse depth, NaN unknown; in 1/m where `metric`.
        confidence: (B, H, W), 0 to 1: the weight of each pixel.
        metric: (B,) bool.

    Returns:
        `value`, the mean over samples of their weighted means, and `slope` (`multiscale_gradient`, over the batch);
        0 with zero gradient without labels.
    """
    valid = torch.isfinite(teacher) & (confidence > 0)
    valid = valid & ((teacher > 0) | ~metric[:, None, None])
    label = torch.where(valid, teacher, 1.0)
    as_metric = metric[:, None, None]
    predicted = torch.where(as_metric, inverse_depth.clamp(min=LEAST).log(), normalised(inverse_depth, valid))
    wanted = torch.where(as_metric, label.clamp(min=LEAST).log(), normalised(label, valid))
    weight = torch.where(valid, confidence, 0.0)
    mass = weight.sum(dim=(1, 2))
    known = mass > 0
    means = (weight * (predicted - wanted).abs()).sum(dim=(1, 2)) / torch.where(known, mass, 1.0)
    return Distillation(means.sum() / known.sum().clamp(min=1), multiscale_gradient(predicted, wanted, weight))
