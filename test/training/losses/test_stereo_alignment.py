"""kuznietsov2017 eq. 9, 10 and the fade-in."""

from __future__ import annotations

import math

import pytest
import torch
from geometry_scene import HEIGHT, WIDTH, K, random
from torch import Tensor

from training.losses.stereo_alignment import anisotropic_smoothness, blur, direct_alignment, fade_in

ALL = torch.ones(1, 1, 1, dtype=torch.bool)
BASELINE = 0.5
DISPARITY = 2  # pixels, of depth fx b / disparity


def to_right() -> Tensor:
    """T_right_left: the right camera stands at +BASELINE in the left one's frame."""
    T = torch.eye(4, dtype=torch.float64)
    T[0, 3] = -BASELINE
    return T[None]


def ramp() -> Tensor:
    """(1, 1, H, W) with intensity u / 255: alignment errors come out in pixels."""
    return (torch.arange(WIDTH).double() / 255).expand(1, 1, HEIGHT, WIDTH)


def align(left: Tensor, right: Tensor, rho: Tensor, T: Tensor, counted: Tensor = ALL) -> tuple[float, int]:
    found = direct_alignment(left, right, rho, K[None], K[None], T, counted)
    return found.total.item(), int(found.pixels.item())


class TestAlignment:
    RHO = torch.full((1, HEIGHT, WIDTH), DISPARITY / (21 * BASELINE), dtype=torch.float64)

    def test_left_looks_left_in_the_right_image(self) -> None:  # x - f b rho: I_l(x) = I_r(x - 2)
        scene = random(1, 3, HEIGHT, WIDTH + DISPARITY)
        left, right = scene[..., :-DISPARITY], scene[..., DISPARITY:]
        total, pixels = align(left, right, self.RHO, to_right())
        assert total < 1e-9 and pixels == HEIGHT * (WIDTH - DISPARITY)
        back, pixels = align(right, left, self.RHO, torch.linalg.inv(to_right()))  # x + f b rho
        assert back < 1e-9 and pixels == HEIGHT * (WIDTH - DISPARITY)
        assert align(left, right, self.RHO, torch.linalg.inv(to_right()))[0] > 100  # the other sign

    def test_is_a_sum_of_intensities(self) -> None:
        # images alike: each valid pixel differs by DISPARITY intensities
        total, pixels = align(ramp(), ramp(), self.RHO, to_right())
        assert total == pytest.approx(DISPARITY * pixels) and pixels == HEIGHT * (WIDTH - DISPARITY)

    def test_near_zero_start(self) -> None:  # rho = 0 is no disparity, below it the other way, all finite
        assert align(ramp(), ramp(), 0 * self.RHO, to_right())[0] == pytest.approx(0, abs=1e-9)
        total, pixels = align(ramp(), ramp(), -self.RHO, to_right())
        assert total == pytest.approx(DISPARITY * pixels)

    def test_only_counted_pixels(self) -> None:  # starred rows: where there is no LiDAR
        counted = torch.zeros(1, HEIGHT, WIDTH, dtype=torch.bool)
        counted[0, 4, 5:8] = True
        assert align(ramp(), ramp(), self.RHO, to_right(), counted) == (pytest.approx(3 * DISPARITY), 3)

    @pytest.mark.filterwarnings("ignore:Anomaly Detection")
    @pytest.mark.parametrize("case", ["no partner", "out of view"])
    def test_nothing_is_zero_with_zero_gradient(self, case: str) -> None:
        rho = (self.RHO * (100 if case == "out of view" else 1)).requires_grad_()
        counted = ALL if case == "out of view" else ~ALL
        T = to_right() if case == "out of view" else torch.zeros(1, 4, 4).double()
        with torch.autograd.detect_anomaly(check_nan=True):
            found = direct_alignment(ramp(), ramp(), rho, K[None], K[None], T, counted)
            found.total.backward()
        assert found.total.item() == 0 and found.pixels.item() == 0 and rho.grad.abs().max() == 0

    def test_gradient(self) -> None:
        images = random(1, 2, 4, 6, seed=1), random(1, 2, 4, 6, seed=2)

        def total(rho: Tensor) -> Tensor:
            return direct_alignment(*images, rho, K[None], K[None], to_right(), ALL).total

        assert torch.autograd.gradcheck(total, (0.1 * random(1, 4, 6)).requires_grad_())


class TestBlur:
    def test_one_pixel_becomes_a_gaussian(self) -> None:
        image = torch.zeros(1, 1, 9, 11).double()
        image[0, 0, 4, 5] = 1
        found = blur(image)[0, 0]
        assert found.sum().item() == pytest.approx(1)
        assert (found[4, 6] / found[4, 5]).item() == pytest.approx(math.exp(-0.5))
        assert (found[6, 5] / found[4, 5]).item() == pytest.approx(math.exp(-2))
        assert (found[5, 6] / found[4, 5]).item() == pytest.approx(math.exp(-1))

    def test_constants_stay_and_zero_is_off(self) -> None:
        image = torch.full((2, 3, 8, 9), 0.7).double()
        assert torch.allclose(blur(image), image) and blur(image, 0.0) is image


class TestAnisotropic:
    def total(self, rho: Tensor, image: Tensor, separable: bool = False) -> float:
        return anisotropic_smoothness(rho, image, ALL, separable).total.item()

    FLAT = torch.zeros(1, 3, HEIGHT, WIDTH).double()
    U, V = torch.meshgrid(torch.arange(WIDTH).double(), torch.arange(HEIGHT).double(), indexing="xy")

    def test_slopes_by_hand(self) -> None:  # one axis: 1 on each of W - 1 columns; both: their sum
        assert self.total(self.U[None], self.FLAT) == pytest.approx(HEIGHT * (WIDTH - 1))
        assert self.total(self.V[None], self.FLAT) == pytest.approx(WIDTH * (HEIGHT - 1))

    def test_is_literally_the_absolute_value_of_the_sum(self) -> None:
        rho = (self.U - self.V)[None]
        border = (HEIGHT - 1) + (WIDTH - 1)  # where one of the two differences is missing
        assert self.total(rho, self.FLAT) == pytest.approx(border)
        both = HEIGHT * (WIDTH - 1) + WIDTH * (HEIGHT - 1)
        assert self.total(rho, self.FLAT, separable=True) == pytest.approx(both)

    def test_less_across_edges(self) -> None:
        image = self.FLAT.clone()
        image[..., 10:] = 1.0  # intensities 0 and 255: exp(-255 / 255)
        expected = HEIGHT * (WIDTH - 2 + math.exp(-1))
        assert self.total(self.U[None], image) == pytest.approx(expected)

    def test_only_counted_samples(self) -> None:
        rho, counted = self.U.expand(2, -1, -1), torch.tensor([True, False])[:, None, None]
        found = anisotropic_smoothness(rho, self.FLAT.expand(2, -1, -1, -1), counted)
        assert found.total.item() == pytest.approx(HEIGHT * (WIDTH - 1)) and found.pixels.item() == HEIGHT * WIDTH

    @pytest.mark.parametrize("separable", [False, True])
    def test_gradient(self, separable: bool) -> None:
        image = random(2, 3, 4, 5, seed=1)
        rho = random(2, 4, 5).requires_grad_()
        assert torch.autograd.gradcheck(lambda x: anisotropic_smoothness(x, image, ALL, separable).total, rho)


def test_fade_in() -> None:
    assert fade_in(0, 0.5) == 0 and fade_in(1, 0.5) == pytest.approx(0.5 * math.exp(-10))
    assert fade_in(10, 0.5) == pytest.approx(0.5 / math.e) and fade_in(10**6, 0.5) == pytest.approx(0.5, rel=1e-4)
