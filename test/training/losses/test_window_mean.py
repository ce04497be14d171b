"""Means over 3x3 windows against torch's own pooling."""

from __future__ import annotations

import pytest
import torch
from geometry_scene import random
from torch.nn.functional import avg_pool2d, pad

from training.losses.window_mean import window_mean


@pytest.mark.parametrize("size", [(7, 5), (2, 2), (2, 9), (3, 3)])
def test_is_average_pooling_of_the_reflected_image(size: tuple[int, int]) -> None:
    image = random(2, 3, *size)
    expected = avg_pool2d(pad(image, (1, 1, 1, 1), mode="reflect"), 3, 1)
    assert torch.allclose(window_mean(image), expected, atol=1e-15)
    assert torch.allclose(window_mean(image[:, None])[:, 0], expected, atol=1e-15)


@pytest.mark.parametrize("size", [(5, 4), (2, 2)])
def test_gradient(size: tuple[int, int]) -> None:
    assert torch.autograd.gradcheck(window_mean, random(2, 1, *size).requires_grad_())
