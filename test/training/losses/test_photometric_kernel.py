"""The photometric error's own gradient against autograd's."""

from __future__ import annotations

import pytest
import torch
from geometry_scene import random

from training.losses.photometric import photometric_error, reference, similarity


@pytest.mark.parametrize("leading", [((), ()), ((2,), (2,)), ((2, 1), (2, 3))])
def test_is_the_plain_formula(leading: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    a, b = random(*leading[0], 3, 7, 5), random(*leading[1], 3, 7, 5, seed=1).requires_grad_()
    upstream = random(*leading[1], 1, 7, 5, seed=2)
    found = photometric_error(a, b)
    found.backward(upstream)
    gradient, b.grad = b.grad, None
    plain = (0.85 / 2 * (1 - similarity(reference(a), b)) + 0.15 * (a - b).abs()).mean(dim=-3, keepdim=True)
    plain.backward(upstream)
    assert torch.allclose(found, plain, atol=1e-14) and torch.allclose(gradient, b.grad, atol=1e-12)


def test_gradient() -> None:
    a = random(2, 1, 2, 4, 5, seed=1)
    assert torch.autograd.gradcheck(lambda b: photometric_error(a, b, 0.7), random(2, 2, 2, 4, 5).requires_grad_())


def test_both_images_may_have_one() -> None:
    pair = random(1, 2, 4, 5).requires_grad_(), random(1, 2, 4, 5, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(photometric_error, pair)


def test_equal_images_have_none() -> None:
    a = random(2, 3, 6, 7)
    b = a.clone().requires_grad_()
    photometric_error(a, b).sum().backward()
    assert b.grad.abs().max() < 1e-12
