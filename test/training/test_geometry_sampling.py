"""Sampling and upsampling: pixel centres, borders, gradients, and 16-bit callers."""

from __future__ import annotations

import pytest
import torch
from geometry_scene import HEIGHT, K_SOURCE, MOTION, WIDTH, K, homography, pixels, plane_inverse_depth, random

from training.full_precision import full_precision
from training.geometry.reprojection import source_pixels, visible
from training.geometry.rigid import transform_from_vector
from training.geometry.sampling import sample, upsample

IMAGE = random(2, 3, HEIGHT, WIDTH)
GRID = pixels()[..., :2].expand(2, -1, -1, -1)


class TestSample:
    def test_the_grid_gives_the_image(self) -> None:
        assert torch.allclose(sample(IMAGE, GRID), IMAGE)
        error = (sample(IMAGE.float(), GRID.float()) - IMAGE).abs().max()
        assert error < 1e-5  # in 32 bits a coordinate is off by less than 1e-5 pixel

    def test_whole_shifts_are_exact_to_the_border(self) -> None:
        # corner-aligned coordinates would be off by 0.5 (1 - 2 u / (W - 1)) pixel
        moved = sample(IMAGE, GRID + torch.tensor([2.0, -1.0]).double())
        assert torch.allclose(moved[:, :, 1:, :-2], IMAGE[:, :, :-1, 2:])

    def test_between_pixels_by_hand(self) -> None:
        image = torch.tensor([[[[0.0, 1, 2], [10, 11, 12]]]]).double()
        assert sample(image, torch.tensor([[[[1.25, 0.5]]]]).double()).item() == pytest.approx(6.25)

    def test_outside_is_the_nearest_border_pixel(self) -> None:
        image = torch.tensor([[[[0.0, 1, 2], [10, 11, 12]]]]).double()
        far = torch.tensor([[[[-7.0, 0.0], [1e9, 1.0], [2.4, -0.3]]]]).double()
        assert sample(image, far)[0, 0, 0].tolist() == pytest.approx([0, 12, 2])

    def test_nan_is_survived(self) -> None:  # torch's own backward pass ends the process
        uv = torch.full((1, 1, 500, 2), torch.nan, requires_grad=True)
        image = torch.rand(1, 3, 40, 50, requires_grad=True)
        sample(image, uv).sum().backward()
        assert torch.isfinite(image.grad).all() and uv.grad.abs().max() == 0

    def test_leading_dimensions(self) -> None:
        image, uv = random(2, 4, 3, HEIGHT, WIDTH), GRID[:, None].expand(-1, 4, -1, -1, -1)
        assert torch.allclose(sample(image, uv), image)

    def test_gradient(self) -> None:
        uv = (0.3 + 5 * random(2, 3, 4, 2, seed=1)).requires_grad_()
        assert torch.autograd.gradcheck(sample, (random(2, 2, 7, 8).requires_grad_(), uv))


class TestWarp:
    def test_of_a_plane_is_exact(self) -> None:
        # bilinear sampling reproduces an image that is linear in u and v, so the warp has a closed form
        T = transform_from_vector(MOTION)
        found = source_pixels(plane_inverse_depth(), K, K_SOURCE, T)
        slopes = torch.tensor([[0.03, -0.02, 0.5], [-0.01, 0.04, 0.3]]).double()
        source = (pixels() @ slopes.T).permute(2, 0, 1)
        expected = pixels() @ homography(T).T
        expected = ((expected / expected[..., 2:]) @ slopes.T).permute(2, 0, 1)
        inside = visible(found, HEIGHT, WIDTH)
        assert 0.5 < inside.double().mean() < 1
        assert torch.allclose(sample(source[None], found.uv[None])[0][:, inside], expected[:, inside], atol=1e-12)

    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
    def test_autocast_costs_no_precision(self, dtype: torch.dtype) -> None:
        T, image = transform_from_vector(MOTION.float()), IMAGE[:1].float()
        inverse_depth = plane_inverse_depth().to(dtype)  # as a network under autocast gives it
        expected = source_pixels(inverse_depth.float(), K.float(), K_SOURCE.float(), T)
        with torch.autocast("cpu", dtype=dtype):
            found = source_pixels(inverse_depth, K.float(), K_SOURCE.float(), T)
            warped = sample(image, found.uv[None])
        assert found.uv.dtype == warped.dtype == torch.float32
        assert torch.equal(found.uv, expected.uv) and torch.equal(warped, sample(image, expected.uv[None]))


class TestUpsample:
    def test_keeps_pixel_areas(self) -> None:
        # centres of 2 pixels over 4: u' = (u + 0.5) / 2 - 0.5 = -0.25, 0.25, 0.75, 1.25
        row = torch.tensor([[[[1.0, 5.0]]]])
        assert upsample(row, 1, 4)[0, 0, 0].tolist() == pytest.approx([1, 2, 4, 5])  # corners aligned: 1, 2.33, 3.67, 5

    def test_one_step_of_eight(self) -> None:
        row = torch.tensor([[[[0.0, 8.0]]]])
        expected = [max(0.0, min(8.0, 8 * ((u + 0.5) / 8 - 0.5))) for u in range(16)]
        assert upsample(row, 1, 16)[0, 0, 0].tolist() == pytest.approx(expected)  # three steps of two are smoother

    def test_full_resolution_is_not_copied(self) -> None:
        maps = random(1, 1, 4, 6)
        assert upsample(maps, 4, 6) is maps


def test_full_precision_leaves_float64_and_reaches_into_lists() -> None:
    half, double = torch.ones(2, dtype=torch.bfloat16), torch.ones(2, dtype=torch.float64)
    kinds = full_precision(lambda parts, other: [part.dtype for part in (*parts, other)])([half, double], other=half)
    assert kinds == [torch.float32, torch.float64, torch.float32]
