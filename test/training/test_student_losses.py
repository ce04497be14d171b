"""Losses of paper 3 against hand-computed values and gradients."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from training.losses.consistency import consistency_loss, warp_affine  # noqa: E402
from training.losses.multiscale_mse import multiscale_mse  # noqa: E402
from training.losses.photometric import C1, C2, photometric_error, ssim  # noqa: E402
from training.losses.smoothness import edge_aware_smoothness  # noqa: E402


def tensor(rows: list[list[float]]) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float64)[None, None]


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class TestMultiscaleMse:
    ERROR = [[1.0, 2.0], [3.0, 4.0]]

    def test_sums_the_mean_square_of_each_scale(self) -> None:
        # 1/1: (1 + 4 + 9 + 16) / 4 = 7.5; 1/2: 2.5^2 = 6.25. A mean over scales would give 6.875.
        target = tensor([[5.0, 5.0], [5.0, 5.0]])
        loss = multiscale_mse(target + tensor(self.ERROR), target, torch.ones(1, 1, 2, 2, dtype=torch.bool), scales=2)
        assert loss.item() == pytest.approx(13.75)

    def test_divides_by_the_count_of_valid(self) -> None:
        # 1/1: 14 / 3; 1/2: mean of 1, 2, 3 is 2, squared 4. Dividing by all four would give 3.5 + 2.25.
        target = tensor([[0.0, 0.0], [0.0, math.nan]])
        prediction = tensor(self.ERROR).requires_grad_()
        loss = multiscale_mse(prediction, target, torch.isfinite(target), scales=2)
        assert loss.item() == pytest.approx(14 / 3 + 4)
        loss.backward()
        # d/dp = 2 p / 3 + 2 * 2 / 3 at valid pixels, nothing (not NaN) at the unknown one
        assert prediction.grad.flatten().tolist() == pytest.approx([2.0, 8 / 3, 10 / 3, 0.0])

    def test_coarse_pixels_without_a_label_do_not_count(self) -> None:
        # right half unknown: 1/2 has one known pixel of two, with mean error 2.5
        error = tensor([[1.0, 2.0, 9.0, 9.0], [3.0, 4.0, 9.0, 9.0]])
        valid = torch.tensor([[True, True, False, False]] * 2)[None, None]
        assert multiscale_mse(error, torch.zeros_like(error), valid, scales=2).item() == pytest.approx(13.75)

    def test_a_sign_that_alternates_vanishes_at_coarse_scales(self) -> None:
        error = tensor([[1.0, -1.0], [-1.0, 1.0]])
        loss = multiscale_mse(error, torch.zeros_like(error), torch.ones_like(error, dtype=torch.bool), scales=2)
        assert loss.item() == pytest.approx(1.0)

    def test_nothing_valid_is_zero_with_zero_gradient(self) -> None:
        prediction = random(1, 1, 4, 4).requires_grad_()
        loss = multiscale_mse(prediction, torch.full_like(prediction, math.nan), torch.zeros(1, 1, 4, 4).bool())
        loss.backward()
        assert loss.item() == 0 and prediction.grad.abs().max() == 0

    def test_gradient(self) -> None:
        valid = random(2, 1, 8, 4, seed=3) > 0.4
        assert torch.autograd.gradcheck(
            lambda p: multiscale_mse(p, random(2, 1, 8, 4, seed=1), valid), random(2, 1, 8, 4).requires_grad_()
        )

    def test_refuses_sizes_that_do_not_fit(self) -> None:
        with pytest.raises(ValueError, match=r"\(6, 8\).*divisible by 4"):
            multiscale_mse(*[torch.zeros(1, 1, 6, 8)] * 2, torch.ones(1, 1, 6, 8).bool())
        with pytest.raises(ValueError, match="equal"):
            multiscale_mse(torch.zeros(1, 1, 8, 8), torch.zeros(1, 8, 8), torch.ones(1, 1, 8, 8).bool())


class TestSmoothness:
    RAMP = [[0.0, 2.0, 4.0, 6.0]] * 3

    def test_zero_on_constants_whatever_the_image(self) -> None:
        assert edge_aware_smoothness(torch.full((2, 1, 5, 7), 3.5), torch.rand(2, 3, 5, 7)).item() == 0

    def test_mean_slope_where_the_image_is_flat(self) -> None:
        assert edge_aware_smoothness(tensor(self.RAMP), torch.zeros(1, 3, 3, 4)).item() == pytest.approx(2.0)
        both = tensor([[0.0, 1.0], [3.0, 4.0]])  # d_x = 1, d_y = 3
        assert edge_aware_smoothness(both, torch.zeros(1, 3, 2, 2)).item() == pytest.approx(4.0)

    def test_less_across_an_image_edge(self) -> None:
        image = torch.zeros(1, 3, 3, 4, dtype=torch.float64)
        image[..., 2:] = 1.0  # one of three differences is across the edge
        expected = 2.0 * (2 + math.exp(-1)) / 3
        assert edge_aware_smoothness(tensor(self.RAMP), image).item() == pytest.approx(expected)
        image[:, 1:] = 0.0  # in one channel of three
        expected = 2.0 * (2 + math.exp(-1 / 3)) / 3
        assert edge_aware_smoothness(tensor(self.RAMP), image).item() == pytest.approx(expected)

    def test_an_edge_in_the_other_direction_does_not_excuse(self) -> None:
        image = torch.zeros(1, 3, 3, 4, dtype=torch.float64)
        image[..., 1:, :] = 1.0
        assert edge_aware_smoothness(tensor(self.RAMP), image).item() == pytest.approx(2.0)

    def test_gradient(self) -> None:
        image = random(2, 3, 4, 5, seed=1)
        assert torch.autograd.gradcheck(lambda v: edge_aware_smoothness(v, image), random(2, 1, 4, 5).requires_grad_())

    def test_refuses_an_image_of_another_size(self) -> None:
        with pytest.raises(ValueError, match=r"\(1, 1, 3, 4\).*\(1, 3, 4, 3\)"):
            edge_aware_smoothness(torch.zeros(1, 1, 3, 4), torch.zeros(1, 3, 4, 3))


class TestPhotometric:
    def test_equal_images_are_perfectly_similar(self) -> None:
        image = random(2, 3, 6, 5)
        assert torch.allclose(ssim(image, image), torch.ones_like(image))
        assert photometric_error(image, image).abs().max() < 1e-12

    def test_constants(self) -> None:
        a, b = torch.full((1, 3, 4, 4), 0.25, dtype=torch.float64), torch.full((1, 3, 4, 4), 0.75, dtype=torch.float64)
        similarity = (2 * 0.25 * 0.75 + 1e-4) / (0.25**2 + 0.75**2 + 1e-4)  # 0.60006...
        assert torch.allclose(ssim(a, b), torch.full_like(a, similarity))
        error = photometric_error(a, b)
        assert error.shape == (1, 1, 4, 4)
        assert torch.allclose(error, torch.full_like(error, 0.85 * (1 - similarity) / 2 + 0.15 * 0.5))

    def test_one_window_by_definition(self) -> None:
        a, b = random(1, 1, 3, 3), random(1, 1, 3, 3, seed=1)
        x, y = a.numpy().ravel(), b.numpy().ravel()
        cov = np.cov(x, y, bias=True)
        expected = (2 * x.mean() * y.mean() + C1) * (2 * cov[0, 1] + C2)
        expected /= (x.mean() ** 2 + y.mean() ** 2 + C1) * (cov[0, 0] + cov[1, 1] + C2)
        assert ssim(a, b)[0, 0, 1, 1].item() == pytest.approx(expected)

    def test_inverted_contrast_is_dissimilar(self) -> None:
        image = random(1, 1, 8, 8)
        assert ssim(image, 1 - image).mean() < -0.5

    def test_gradient(self) -> None:
        pair = (random(1, 2, 4, 5).requires_grad_(), random(1, 2, 4, 5, seed=1).requires_grad_())
        assert torch.autograd.gradcheck(lambda a, b: photometric_error(a, b).sum(), pair)


class TestWarp:
    """Each line of `warp_affine`'s convention, on an image with W != H."""

    SOURCE = torch.arange(15, dtype=torch.float64).reshape(1, 1, 3, 5)

    def warp(self, *rows: list[float]) -> tuple[torch.Tensor, torch.Tensor]:
        return warp_affine(self.SOURCE, torch.tensor([rows], dtype=torch.float64))

    def test_identity(self) -> None:
        warped, inside = self.warp([1, 0, 0], [0, 1, 0])
        assert torch.allclose(warped, self.SOURCE) and inside.all()

    def test_flip_is_exact(self) -> None:  # with corner-aligned coordinates the border pixels are half outside
        warped, inside = self.warp([-1, 0, 4], [0, 1, 0])
        assert torch.allclose(warped, self.SOURCE.flip(-1)) and inside.all()

    def test_the_matrix_maps_target_to_source(self) -> None:
        warped, inside = self.warp([1, 0, 1.25], [0, 1, 0])
        assert warped[0, 0, 0, :3].tolist() == pytest.approx([1.25, 2.25, 3.25])  # source value at u + 1.25
        assert inside[0, 0, 0].tolist() == [True, True, True, False, False]

    def test_rows_and_columns(self) -> None:
        warped, inside = self.warp([1, 0, 0], [0, 1, -1])
        assert warped[0, 0, 1].tolist() == pytest.approx([0, 1, 2, 3, 4])
        assert inside[0, 0, :, 2].tolist() == [False, True, True]


class TestConsistency:
    FLIP = torch.tensor([[[-1.0, 0, 6], [0, 1, 0]]], dtype=torch.float64)
    VALID = torch.ones(1, 1, 6, 7).bool()

    def loss(self, a: torch.Tensor, b: torch.Tensor, low: float = 0.0, high: float = 1.0) -> torch.Tensor:
        return consistency_loss(a, b, self.FLIP, self.VALID, low, high)

    def test_predictions_that_follow_the_warp_agree(self) -> None:
        prediction = random(1, 1, 6, 7)
        assert self.loss(prediction, prediction.flip(-1)).item() < 1e-9
        assert self.loss(prediction, prediction).item() > 0.1

    def test_constants_by_hand(self) -> None:
        # (3, 5) in a range of 2 to 6 are 0.25 and 0.75
        similarity = (2 * 0.25 * 0.75 + 1e-4) / (0.25**2 + 0.75**2 + 1e-4)
        loss = self.loss(torch.full((1, 1, 6, 7), 3.0).double(), torch.full((1, 1, 6, 7), 5.0).double(), 2.0, 6.0)
        assert loss.item() == pytest.approx(0.85 * (1 - similarity) / 2 + 0.15 * 0.5)

    def test_independent_of_the_unit(self) -> None:
        a, b = random(1, 1, 6, 7), random(1, 1, 6, 7, seed=1)
        small, large = self.loss(a, b), self.loss(1000 * a + 300, 1000 * b + 300, 300.0, 1300.0)
        assert large.item() == pytest.approx(small.item())

    def test_only_pixels_that_both_views_show_count(self) -> None:
        a = random(1, 1, 6, 7)
        shift = torch.tensor([[[1.0, 0, 4], [0, 1, 0]]], dtype=torch.float64)  # columns 3-6 lie off the other view
        other, changed = torch.roll(a, 4, -1) * 0.5, torch.roll(a, 4, -1) * 0.5
        changed[..., :3] += 5.0  # seen by no pixel of this view
        left = consistency_loss(a, other, shift, self.VALID, 0.0, 1.0).item()
        assert left > 0 and consistency_loss(a, changed, shift, self.VALID, 0.0, 1.0).item() == pytest.approx(left)
        assert consistency_loss(a, other, shift, torch.zeros(1, 1, 6, 7).bool(), 0.0, 1.0).item() == 0

    def test_gradient(self) -> None:
        pair = (random(1, 1, 6, 7).requires_grad_(), random(1, 1, 6, 7, seed=1).requires_grad_())
        assert torch.autograd.gradcheck(self.loss, pair)

    def test_refuses_an_empty_range(self) -> None:
        with pytest.raises(ValueError, match=r"2\.0 to 2\.0"):
            self.loss(random(1, 1, 6, 7), random(1, 1, 6, 7), 2.0, 2.0)
