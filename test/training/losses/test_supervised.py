"""L1, L2, berHu and inverse depth against hand-computed values (kuznietsov2017 eq. 7-8)."""

from __future__ import annotations

import pytest
import torch
from geometry_scene import random
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from training.losses.inverse_depth import depth_from_inverse
from training.losses.measured import measured
from training.losses.supervised import berhu, berhu_threshold, penalty, supervised_loss


def numbers(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


class TestBerhu:
    def test_by_hand(self) -> None:  # threshold 2: |d| up to 2, (d^2 + 4) / 4 beyond
        found = berhu(numbers(0, 1, -2, 4, -6), numbers(2.0)[0])
        assert found.tolist() == pytest.approx([0, 1, 2, 5, 10])

    def test_threshold_is_of_absolute_residuals(self) -> None:  # of signed ones it would be 0.2
        assert berhu_threshold([numbers(1, -10), numbers(0.5)]).item() == pytest.approx(2.0)

    def test_threshold_is_shared_and_detached(self) -> None:
        residual = numbers(1, -10).requires_grad_()
        threshold = berhu_threshold([residual, numbers(20.0)])
        assert threshold.item() == pytest.approx(4.0) and not threshold.requires_grad

    def test_of_none_and_of_a_perfect_prediction_is_l1(self) -> None:
        assert berhu_threshold([numbers()]).item() == 0
        zero = torch.zeros(3).requires_grad_()
        penalty(zero, "berhu").sum().backward()
        assert torch.isfinite(zero.grad).all()
        assert berhu(numbers(-3.0), numbers(0.0)[0]).item() == 3

    def test_slope_is_continuous(self) -> None:
        residual = numbers(2 - 1e-9, 2 + 1e-9).requires_grad_()
        berhu(residual, numbers(2.0)[0]).sum().backward()
        assert residual.grad.tolist() == pytest.approx([1, 1])

    @given(st.floats(-50, 50), st.floats(0.01, 20))
    def test_is_even_and_at_least_l1(self, residual: float, threshold: float) -> None:
        value = berhu(numbers(residual, -residual), numbers(threshold)[0])
        assert value[0] == value[1] and value[0].item() >= abs(residual) * (1 - 1e-12)


class TestSupervised:
    POINTS = measured(torch.tensor([[[2.0, float("nan"), 4.0, 6.0]]]).double())

    @pytest.mark.parametrize(
        ("norm", "expected"),
        # residuals 1, -1, 10 against 2, 4, 6: berHu's threshold is 2, so (100 + 4) / 4 = 26
        [("l1", (1 + 1 + 10) / 3), ("l2", (1 + 1 + 100) / 3), ("berhu", (1 + 1 + 26) / 3)],
    )
    def test_by_hand(self, norm: str, expected: float) -> None:
        assert supervised_loss(numbers(3, 3, 16), self.POINTS, norm).item() == pytest.approx(expected)

    @pytest.mark.parametrize("norm", ["l1", "l2", "berhu"])
    def test_gradient(self, norm: str) -> None:
        # berHu's threshold takes no gradient, so the largest residual, which moves it, stays fixed
        fixed = numbers(16.0)
        depth = numbers(3.3, 3.1).requires_grad_()
        assert torch.autograd.gradcheck(lambda d: supervised_loss(torch.cat([d, fixed]), self.POINTS, norm), depth)

    @pytest.mark.parametrize("norm", ["l1", "l2", "berhu"])
    def test_nothing_measured_is_zero_with_zero_gradient(self, norm: str) -> None:
        maps = random(1, 3, 4).requires_grad_()
        points = measured(torch.full((1, 3, 4), float("nan")))
        value = supervised_loss(points.of(maps), points, norm)
        value.backward()
        assert value.item() == 0 and maps.grad.abs().max() == 0

    def test_refuses_another_norm(self) -> None:
        with pytest.raises(ValueError, match="'huber'"):
            penalty(numbers(1.0), "huber")  # type: ignore[arg-type]

    def test_16_bit(self) -> None:  # (300 m)^2 overflows float16
        points = measured(torch.tensor([[[1.0]]]))
        assert supervised_loss(torch.tensor([301.0]).half(), points, "l2").item() == pytest.approx(9e4)


class TestInverseDepth:
    def test_is_its_reciprocal_up_to_the_farthest(self) -> None:
        assert depth_from_inverse(numbers(0.5, 0.01), 100.0).tolist() == pytest.approx([2, 100])

    def test_goes_on_along_the_tangent(self) -> None:  # a clamp would give 100 with no gradient, 1 / x the wrong sign
        inverse_depth = numbers(0.0, -0.01).requires_grad_()
        depth = depth_from_inverse(inverse_depth, 100.0)
        assert depth.tolist() == pytest.approx([200, 300])
        depth.sum().backward()
        assert inverse_depth.grad.tolist() == pytest.approx([-1e4, -1e4])

    def test_gradient(self) -> None:
        inverse_depth = numbers(0.5, 0.02, 0.004, 0.0, -0.1).requires_grad_()
        assert torch.autograd.gradcheck(lambda x: depth_from_inverse(x, 100.0), inverse_depth)
