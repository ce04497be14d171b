"""Lengths of motion against odometry's."""

from __future__ import annotations

import math

import pytest
import torch
from geometry_scene import random

from training.geometry.rigid import transform_from_vector
from training.losses.velocity import translation_ratio, velocity_loss


def moves(*translations: tuple[float, float, float]) -> torch.Tensor:
    """(1, S, 4, 4)."""
    return transform_from_vector(torch.tensor([[*t, 0.1, 0, 0] for t in translations], dtype=torch.float64))[None]


KNOWN = torch.ones(1, 2, dtype=torch.bool)


def test_only_the_length_counts() -> None:
    predicted, odometry = moves((3, 4, 0), (0, 0, 1)), moves((0, 0, -5), (0, 0, 3))
    assert velocity_loss(predicted, odometry, KNOWN).item() == pytest.approx((0 + 2) / 2)
    assert velocity_loss(predicted, odometry, torch.tensor([[False, True]])).item() == pytest.approx(2)


def test_ratio() -> None:
    assert translation_ratio(moves((0, 3, 0), (0, 0, 0)), moves((1, 0, 0), (0, 0, 5)), KNOWN).item() == pytest.approx(
        0.5
    )
    assert math.isnan(translation_ratio(moves((1, 0, 0)), moves((0, 0, 0)), KNOWN[:, :1]).item())
    assert math.isnan(translation_ratio(moves((1, 0, 0)), moves((1, 0, 0)), ~KNOWN[:, :1]).item())


@pytest.mark.filterwarnings("ignore:Anomaly Detection")
def test_nothing_known_or_no_motion_has_zero_gradient() -> None:
    vector = torch.zeros(1, 2, 6, dtype=torch.float64, requires_grad=True)
    with torch.autograd.detect_anomaly(check_nan=True):
        none = velocity_loss(transform_from_vector(vector), torch.full((1, 2, 4, 4), math.nan).double(), ~KNOWN)
        still = velocity_loss(transform_from_vector(vector), moves((1, 0, 0), (0, 1, 0)), KNOWN)
        (none + still).backward()
    assert none.item() == 0 and still.item() == 1 and vector.grad.abs().max() == 0


def test_gradient() -> None:
    odometry = moves((0.1, 0.2, 3.0), (0.0, 0.1, 0.2))
    vector = (1 + random(1, 2, 6)).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: velocity_loss(transform_from_vector(x), odometry, KNOWN), vector)
    velocity_loss(transform_from_vector(vector), moves((0, 0, 9), (0, 0, 9)), KNOWN).backward()
    radial = (vector.grad[..., :3] * vector.detach()[..., :3]).sum(-1) / vector.detach()[..., :3].norm(dim=-1)
    assert radial.flatten().tolist() == pytest.approx([-0.5, -0.5])  # lengthens, one over the count
