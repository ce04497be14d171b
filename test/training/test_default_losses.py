"""Losses of the default model: closed forms, gradients, and what happens without valid pixels."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from training.losses.gradient import multiscale_gradient
from training.losses.log_l1 import log_l1
from training.losses.silog import silog

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
LOSSES = [silog, log_l1, multiscale_gradient]


def test_silog_by_hand() -> None:
    prediction, target = torch.tensor([1.0, 3.0, 9.0]), torch.tensor([0.0, 0.0, 0.0])
    weight = torch.tensor([1.0, 1.0, 0.0])  # e = 1, 3: mean square 5, mean 2
    assert silog(prediction, target, weight, 0.85).item() == pytest.approx(math.sqrt(5 - 0.85 * 4))
    assert silog(prediction, target, weight, 0.0).item() == pytest.approx(math.sqrt(5))
    assert silog(prediction, target, weight, 1.0).item() == pytest.approx(1.0)
    weight = torch.tensor([3.0, 1.0, 0.0])  # mean square (3 + 9) / 4 = 3, mean 6 / 4
    assert silog(prediction, target, weight, 0.5).item() == pytest.approx(math.sqrt(3 - 0.5 * 2.25))


def test_silog_with_full_focus_ignores_a_common_factor_and_without_does_not() -> None:
    target = torch.tensor([0.1, 1.0, 2.0])
    assert silog(target + math.log(3), target, torch.ones(3), 1.0).item() < 1e-3
    assert silog(target + math.log(3), target, torch.ones(3), 0.0).item() == pytest.approx(math.log(3), rel=1e-5)


def test_log_l1_by_hand() -> None:
    value = log_l1(torch.tensor([1.0, -2.0, 50.0]), torch.zeros(3), torch.tensor([1.0, 0.5, 0.0]))
    assert value.item() == pytest.approx((1.0 + 0.5 * 2.0) / 1.5)  # not / 3


def test_gradient_of_a_ramp_by_hand() -> None:
    # e = 0.5 u on 3 rows and 5 columns: 3 x 4 horizontal steps of 0.5, 2 x 5 vertical steps of 0
    ramp = (0.5 * torch.arange(5.0)).expand(1, 3, 5)
    zero, one = torch.zeros(1, 3, 5), torch.ones(1, 3, 5)
    first = 12 * 0.5 / 22
    assert multiscale_gradient(ramp, zero, one, scales=1).item() == pytest.approx(first)
    # every second pixel: columns 0, 2, 4 and rows 0, 2: 2 x 2 horizontal steps of 1.0, 1 x 3 vertical steps of 0
    assert multiscale_gradient(ramp, zero, one, scales=2).item() == pytest.approx(first + 4 * 1.0 / 7)
    assert multiscale_gradient(ramp + 7.0, ramp, one, scales=3).item() == pytest.approx(0.0, abs=1e-6)


def test_gradient_leaves_out_pairs_with_an_invalid_end() -> None:
    prediction, weight = torch.tensor([[[0.0, 1.0, 5.0]]]), torch.tensor([[[1.0, 1.0, 0.0]]])
    target = torch.tensor([[[0.0, 0.0, float("nan")]]])
    assert multiscale_gradient(prediction, target, weight, scales=1).item() == pytest.approx(1.0)


@pytest.mark.parametrize("loss", LOSSES)
def test_nan_targets_without_weight_change_nothing(loss: Loss) -> None:
    torch.manual_seed(0)
    prediction = torch.randn(2, 6, 5, requires_grad=True)
    target, weight = torch.randn(2, 6, 5), torch.ones(2, 6, 5)
    weight[0, 2], weight[1, :, 3] = 0.0, 0.0
    expected = loss(prediction, target, weight)
    unknown = torch.where(weight > 0, target, torch.nan)
    value = loss(prediction, unknown, weight)
    value.backward()
    assert value.item() == expected.item()
    assert prediction.grad is not None
    assert torch.isfinite(prediction.grad).all()
    assert (prediction.grad[weight == 0] == 0).all()


@pytest.mark.parametrize("loss", LOSSES)
def test_none_valid_is_zero_with_zero_gradient(loss: Loss) -> None:
    prediction = torch.randn(1, 4, 4, requires_grad=True)
    value = loss(prediction, torch.full((1, 4, 4), torch.nan), torch.zeros(1, 4, 4))
    value.backward()
    assert value.item() == 0.0
    assert prediction.grad is not None
    assert (prediction.grad == 0).all()


@pytest.mark.parametrize("loss", LOSSES)
def test_a_perfect_prediction_has_a_finite_gradient(loss: Loss) -> None:
    prediction = torch.randn(1, 4, 4, requires_grad=True)
    loss(prediction, prediction.detach().clone(), torch.ones(1, 4, 4)).backward()
    assert prediction.grad is not None
    assert torch.isfinite(prediction.grad).all()


@pytest.mark.parametrize("loss", LOSSES)
def test_gradcheck(loss: Loss) -> None:
    torch.manual_seed(3)
    prediction = torch.randn(2, 5, 6, dtype=torch.float64, requires_grad=True)
    target, weight = torch.randn(2, 5, 6, dtype=torch.float64), torch.rand(2, 5, 6, dtype=torch.float64)
    weight[0, 1:3, 2] = 0.0
    assert torch.autograd.gradcheck(lambda x: loss(x, target, weight), (prediction,))
