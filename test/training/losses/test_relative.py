"""Losses on labels whose scale and shift mean nothing, and distillation of both kinds in one batch."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from geometry_scene import random
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from training.losses.distillation import distillation_loss
from training.losses.scale_shift_invariant import normalised, scale_shift_invariant
from training.normalise import normalise

ALL = torch.ones(2, 5, 7, dtype=torch.bool)


def row(*values: float) -> Tensor:
    return torch.tensor([[values]], dtype=torch.float64)


class TestNormalised:
    def test_by_hand(self) -> None:  # median 3, mean |x - 3| = (2 + 1 + 0 + 1 + 6) / 5 = 2
        found = normalised(row(1, 2, 3, 4, 9), torch.ones(1, 1, 5).bool())
        assert found.flatten().tolist() == pytest.approx([-1, -0.5, 0, 0.5, 3])

    def test_is_that_of_the_labels(self) -> None:
        label = random(1, 5, 7)
        label[0, 2, :3], label[0, 0, 0] = math.nan, math.nan  # 31 known, an odd count
        found = normalised(label, torch.isfinite(label))[0].numpy()
        expected = normalise(label[0].numpy())
        assert np.allclose(found[np.isfinite(expected)], expected[np.isfinite(expected)], atol=1e-6)
        assert (found[~np.isfinite(expected)] == 0).all()

    @pytest.mark.filterwarnings("ignore:Anomaly Detection")
    def test_constant_or_unknown_is_zero(self) -> None:
        maps = torch.full((2, 5, 7), 3.0, requires_grad=True)
        valid = ALL.clone()
        valid[1] = False
        with torch.autograd.detect_anomaly(check_nan=True):
            found = normalised(maps, valid)
            found.sum().backward()
        assert found.abs().max() == 0 and torch.isfinite(maps.grad).all()


class TestScaleShiftInvariant:
    @given(st.floats(0.01, 100), st.floats(-50, 50), st.floats(0, 0.5))
    @settings(max_examples=30, deadline=None)
    def test_invariant_to_both_maps_scale_and_shift(self, scale: float, shift: float, trim: float) -> None:
        a, b = random(2, 5, 7), random(2, 5, 7, seed=1)
        value = scale_shift_invariant(a, b, ALL, trim).item()
        assert value > 0.1
        assert scale_shift_invariant(scale * a + shift, b, ALL, trim).item() == pytest.approx(value, rel=1e-6)
        assert scale_shift_invariant(a, scale * b + shift, ALL, trim).item() == pytest.approx(value, rel=1e-6)
        assert scale_shift_invariant(scale * a + shift, a, ALL, trim).item() == pytest.approx(0, abs=1e-9)

    def test_the_sign_counts(self) -> None:
        assert scale_shift_invariant(-random(2, 5, 7), random(2, 5, 7), ALL).item() > 1

    def test_trims_the_largest(self) -> None:
        # (x - 3) / 2 against (x - 3) / 1.6 of 1, 2, 3, 4, 7: differences 0.25, 0.125, 0, 0.125, 0.5
        a, b, valid = row(1, 2, 3, 4, 9), row(1, 2, 3, 4, 7), torch.ones(1, 1, 5).bool()
        assert scale_shift_invariant(a, b, valid).item() == pytest.approx(1.0 / 5)
        assert scale_shift_invariant(a, b, valid, trim=0.2).item() == pytest.approx(0.5 / 4)

    def test_mean_over_samples_that_have_something(self) -> None:
        a, b = random(2, 5, 7), random(2, 5, 7, seed=1)
        valid = ALL.clone()
        valid[1] = False
        b[1] = math.nan
        alone = scale_shift_invariant(a[:1], b[:1], ALL[:1]).item()
        assert scale_shift_invariant(a, b, valid).item() == pytest.approx(alone)

    @pytest.mark.parametrize("trim", [0.0, 0.2])
    def test_gradient_and_none(self, trim: float) -> None:
        target, valid = random(2, 5, 7, seed=1), random(2, 5, 7, seed=2) > 0.3
        prediction = random(2, 5, 7).requires_grad_()
        assert torch.autograd.gradcheck(lambda p: scale_shift_invariant(p, target, valid, trim), prediction)
        value = scale_shift_invariant(prediction, torch.full_like(target, math.nan), ~ALL, trim)
        value.backward()
        assert value.item() == 0 and prediction.grad.abs().max() == 0


class TestDistillation:
    ONE = torch.ones(2, 5, 7, dtype=torch.float64)

    def test_metric_is_relative_error(self) -> None:
        label = 0.1 + random(2, 5, 7)
        found = distillation_loss(1.1 * label, label, self.ONE, torch.tensor([True, True]))
        assert found.value.item() == pytest.approx(math.log(1.1)) and found.slope.item() == pytest.approx(0, abs=1e-12)

    def test_relative_ignores_scale_and_shift(self) -> None:
        label = 0.1 + random(2, 5, 7)
        found = distillation_loss(0.3 * label + 0.2, label, self.ONE, torch.tensor([False, False]))
        assert found.value.item() == pytest.approx(0, abs=1e-12) and found.slope.item() == pytest.approx(0, abs=1e-12)
        wrong = distillation_loss(1 - 0.3 * label, label, self.ONE, torch.tensor([False, False]))
        assert wrong.value > 1 and wrong.slope > 1

    def test_both_kinds_in_a_batch(self) -> None:
        label, guess = 0.1 + random(2, 5, 7), 0.1 + random(2, 5, 7, seed=1)

        def one(place: int, metric: bool) -> float:
            part = slice(place, place + 1)
            return distillation_loss(guess[part], label[part], self.ONE[part], torch.tensor([metric])).value.item()

        both = distillation_loss(guess, label, self.ONE, torch.tensor([True, False])).value.item()
        assert both == pytest.approx((one(0, True) + one(1, False)) / 2)

    def test_weighted_by_confidence(self) -> None:  # errors log 2 and log 4, weights 1 and 0.5
        found = distillation_loss(row(0.2, 0.4), row(0.1, 0.1), row(1.0, 0.5), torch.tensor([True]))
        assert found.value.item() == pytest.approx((math.log(2) + 0.5 * math.log(4)) / 1.5)

    @pytest.mark.filterwarnings("ignore:Anomaly Detection")
    def test_samples_without_a_label(self) -> None:
        label = 0.1 + random(2, 5, 7)
        label[1] = math.nan
        guess = (0.1 + random(2, 5, 7, seed=1)).requires_grad_()
        alone = distillation_loss(guess[:1], label[:1], self.ONE[:1], torch.tensor([True]))
        for metric in (True, False):
            with torch.autograd.detect_anomaly(check_nan=True):
                found = distillation_loss(guess, label, self.ONE, torch.tensor([True, metric]))
                (found.value + found.slope).backward()
            assert found.value.item() == pytest.approx(alone.value.item()) and guess.grad[1].abs().max() == 0
        guess.grad = None
        none = distillation_loss(guess, torch.full_like(label, math.nan), 0 * self.ONE, torch.tensor([True, False]))
        (none.value + none.slope).backward()
        assert none.value.item() == none.slope.item() == 0 and guess.grad.abs().max() == 0

    def test_gradient(self) -> None:
        label, weight = 0.1 + random(2, 5, 7, seed=1), random(2, 5, 7, seed=2)
        guess = (0.1 + random(2, 5, 7)).requires_grad_()

        def total(x: Tensor) -> Tensor:
            return sum(distillation_loss(x, label, weight, torch.tensor([True, False])))

        assert torch.autograd.gradcheck(total, guess)
