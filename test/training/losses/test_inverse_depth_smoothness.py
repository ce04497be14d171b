"""guizilini2019 eq. 5 on inverse depth divided by its mean."""

from __future__ import annotations

import pytest
import torch
from geometry_scene import random

from training.losses.smoothness import edge_weights, inverse_depth_smoothness

FLAT = edge_weights(torch.zeros(1, 3, 2, 4).double())


def test_by_hand() -> None:  # slope 1 in x, mean 2.5
    maps = torch.tensor([[[[1.0, 2, 3, 4], [1, 2, 3, 4]]]]).double()
    assert inverse_depth_smoothness(maps, FLAT).item() == pytest.approx(1 / 2.5)


def test_the_scale_of_each_image_is_free() -> None:  # so shrinking everything wins nothing
    maps, edges = 0.1 + random(2, 1, 5, 7), edge_weights(random(2, 3, 5, 7, seed=1))
    value = inverse_depth_smoothness(maps, edges).item()
    assert inverse_depth_smoothness(
        maps * torch.tensor([3.0, 0.01])[:, None, None, None], edges
    ).item() == pytest.approx(value)
    grown = maps.clone().requires_grad_()
    inverse_depth_smoothness(grown, edges).backward()
    assert (grown.grad * maps).sum().item() == pytest.approx(0, abs=1e-12)


def test_gradient() -> None:
    edges = edge_weights(random(2, 3, 5, 7, seed=1))
    assert torch.autograd.gradcheck(
        lambda x: inverse_depth_smoothness(x, edges), (0.1 + random(2, 1, 5, 7)).requires_grad_()
    )
