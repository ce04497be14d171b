"""The photometric loss (guizilini2019 eq. 2-4): zero where it must be, minimal at the truth, deaf to the unseen."""

from __future__ import annotations

import math

import pytest
import torch
from geometry_scene import K_SOURCE, NORMAL, K, homography, pixels, plane_inverse_depth, random
from torch import Tensor

from training.geometry.rigid import transform_from_vector
from training.losses.photometric import photometric_error
from training.losses.view_synthesis import (
    Errors,
    Sources,
    masked_photometric,
    over_sources,
    photometric_loss,
)

H, W = 30, 44
MOTIONS = torch.tensor(
    [[0.3, -0.1, 0.2, 0.01, -0.02, 0.015], [-0.25, 0.12, -0.2, -0.02, 0.01, 0.0]], dtype=torch.float64
)
CAMERA = torch.tensor([[45.0, 0, 20.3], [0, 38.0, 15.9], [0, 0, 1]], dtype=torch.float64)


def texture(x: Tensor, y: Tensor) -> Tensor:
    """(3, ...) smooth colours of a plane's points."""
    waves = [torch.sin(2.3 * x + k) * torch.cos(1.7 * y - 2 * k) + 0.5 * torch.sin(3.1 * (x + y) + k) for k in range(3)]
    return 0.5 + 0.15 * torch.stack(waves)


def seen_by(T_source_target: Tensor, camera: Tensor) -> Tensor:
    """(3, H, W) of the textured plane, by the closed form of each pixel's ray."""
    back = torch.linalg.inv(homography(T_source_target, CAMERA, camera))
    target = pixels(H, W) @ back.T  # the target's pixel that shows the same point of the plane
    ray = target / target[..., 2:] @ torch.linalg.inv(CAMERA).T
    point = ray / (ray @ NORMAL)[..., None] * 4.0
    return texture(point[..., 0], point[..., 1])


def world() -> tuple[Tensor, Sources, Tensor]:
    """Target image, its sources, and the true inverse depth."""
    T = transform_from_vector(MOTIONS)
    images = torch.stack([seen_by(one, CAMERA) for one in T])[None]
    sources = Sources(images, CAMERA.expand(1, 2, 3, 3), T[None], torch.ones(1, 2, dtype=torch.bool))
    return seen_by(torch.eye(4).double(), CAMERA)[None], sources, plane_inverse_depth(H, W, CAMERA)[None]


def loss(sources: Sources, inverse_depth: Tensor, target: Tensor, **how: object) -> Tensor:
    return photometric_loss(target, sources, inverse_depth, CAMERA[None], **how).loss


class TestTruth:
    """A rendered world: at its depth and motion the loss is what bilinear sampling leaves, elsewhere it is more."""

    @pytest.mark.parametrize("how", [{}, {"automask": False}, {"minimum": False}, {"over_kept": True}])
    def test_is_minimal_at_the_truth(self, how: dict[str, bool]) -> None:
        target, sources, truth = world()
        least = loss(sources, truth, target, **how).item()
        assert least < 1e-3
        for factor in (0.8, 0.9, 1.1, 1.25):
            assert loss(sources, factor * truth, target, **how).item() > 2 * least
        bump = truth + 0.1 * (random(1, H, W) - 0.5)
        assert loss(sources, bump, target, **how).item() > 2 * least
        for place in range(6):
            for sign in (-1, 1):
                wrong = MOTIONS.clone()
                wrong[:, place] += sign * (0.06 if place < 3 else 0.02)
                moved = sources._replace(T_source_target=transform_from_vector(wrong)[None])
                assert loss(moved, truth, target, **how).item() > 1.5 * least, (place, sign)

    def test_scale_of_depth_and_motion_together_is_not_seen(self) -> None:  # so vision alone can't be metric
        target, sources, truth = world()
        T = sources.T_source_target.clone()
        T[..., :3, 3] *= 7
        doubled = loss(sources._replace(T_source_target=T), truth / 7, target)
        assert doubled.item() == pytest.approx(loss(sources, truth, target).item(), rel=1e-9)

    def test_the_inverse_motion_is_worse(self) -> None:  # T_target_source instead of T_source_target
        target, sources, truth = world()
        other = sources._replace(T_source_target=torch.linalg.inv(sources.T_source_target))
        assert loss(other, truth, target, automask=False) > 50 * loss(sources, truth, target, automask=False)


class TestIdentity:
    def test_gives_no_loss(self) -> None:
        target = random(1, 3, H, W)
        still = Sources(
            target[:, None], CAMERA[None, None], torch.eye(4).double()[None, None], torch.ones(1, 1, dtype=torch.bool)
        )
        depth = 0.1 + random(1, H, W)
        assert photometric_loss(target, still, depth, CAMERA[None], automask=False).loss.item() < 1e-12
        masked = photometric_loss(target, still, depth, CAMERA[None])
        assert masked.loss.item() < 1e-12

    def test_auto_mask_takes_out_what_does_not_move(self) -> None:
        # The camera moves, but half of the image (a car that keeps its distance) looks the same in the source.
        target, sources, truth = world()
        images = sources.images.clone()
        images[..., : W // 2] = target[:, None, ..., : W // 2]
        result = photometric_loss(target, sources._replace(images=images), truth, CAMERA[None])
        open_ = photometric_loss(target, sources._replace(images=images), truth, CAMERA[None], automask=False)
        assert result.loss < 0.2 * open_.loss and result.kept < 0.75 and open_.kept == 1


class TestCombination:
    VALUES = torch.tensor([0.3, 0.1, 0.5, 0.2], dtype=torch.float64).reshape(
        1, 2, 1, 2
    )  # sources (0.3, 0.1) and (0.5, 0.2)

    def errors(self, *usable: bool) -> Errors:
        return Errors(self.VALUES, torch.tensor(usable).reshape(1, 2, 1, 2))

    def test_minimum_over_usable_sources(self) -> None:  # eq. 3
        value, some = over_sources(self.errors(True, True, True, True))
        assert value.flatten().tolist() == [0.3, 0.1] and some.all()
        value, some = over_sources(self.errors(False, False, True, False))
        assert value.flatten().tolist() == [0.5, math.inf] and some.flatten().tolist() == [True, False]

    def test_mean_over_usable_sources(self) -> None:
        value, _ = over_sources(self.errors(True, False, True, True), minimum=False)
        assert value.flatten().tolist() == pytest.approx([0.4, 0.2])

    def test_out_of_view_pixels_do_not_count(self) -> None:  # not as 0 either: 0.3 / 2 would be 0.15
        assert masked_photometric(self.errors(True, False, True, False), None).loss.item() == pytest.approx(0.3)

    def test_auto_mask_is_strict_and_counts_all_seen_pixels(self) -> None:  # eq. 4
        same = self.errors(True, True, True, True)
        assert masked_photometric(same, same).loss == 0 and masked_photometric(same, same).kept == 0
        unwarped = Errors(self.VALUES + torch.tensor([0.1, 0.0], dtype=torch.float64), same.usable)
        result = masked_photometric(same, unwarped)
        assert result.loss.item() == pytest.approx(0.3 / 2) and result.kept.item() == 0.5
        assert masked_photometric(same, unwarped, over_kept=True).loss.item() == pytest.approx(0.3)

    def test_one_error_by_hand(self) -> None:
        # constant images 0.25 and 0.75, whatever the motion: eq. 2 of constants
        ssim = (2 * 0.25 * 0.75 + 1e-4) / (0.25**2 + 0.75**2 + 1e-4)
        target, sources, truth = world()
        flat = sources._replace(images=torch.full_like(sources.images, 0.75))
        value = loss(flat, truth, torch.full_like(target, 0.25), automask=False).item()
        assert value == pytest.approx(0.85 * (1 - ssim) / 2 + 0.15 * 0.5)
        assert photometric_error(target, target).max() < 1e-9

    def test_an_absent_source_has_no_part(self) -> None:
        target, sources, truth = world()
        broken = sources.images.clone()
        broken[:, 1] = 0.0
        T = sources.T_source_target.clone()
        T[:, 1] = 0.0
        first = Sources(broken, sources.K, T, torch.tensor([[True, False]]))
        alone = Sources(*(part[:, :1] for part in sources))
        assert loss(first, truth, target).item() == pytest.approx(loss(alone, truth, target).item(), rel=1e-12)


@pytest.mark.filterwarnings("ignore:Anomaly Detection")
def test_nothing_to_compare_is_zero_with_zero_gradient() -> None:
    target, sources, truth = world()
    inverse_depth, vector = truth.clone().requires_grad_(), MOTIONS[None].clone().requires_grad_()
    none = sources._replace(present=torch.zeros(1, 2, dtype=torch.bool), T_source_target=transform_from_vector(vector))
    with torch.autograd.detect_anomaly(check_nan=True):
        value = loss(none, inverse_depth, target)
        value.backward()
    assert value.item() == 0 and inverse_depth.grad.abs().max() == 0 and vector.grad.abs().max() == 0
    away = transform_from_vector(torch.tensor([0.0, 0, -100, 0, 0, 0]).double()).expand(1, 2, 4, 4)  # all behind
    inverse_depth.grad = None
    with torch.autograd.detect_anomaly(check_nan=True):
        value = loss(sources._replace(T_source_target=away), inverse_depth, target)
        value.backward()
    assert value.item() == 0 and inverse_depth.grad.abs().max() == 0


@pytest.mark.parametrize("minimum", [True, False])
def test_gradient(minimum: bool) -> None:
    h, w = 5, 6
    images, target = random(2, 2, 2, h, w, seed=1), random(2, 2, h, w, seed=2)
    present = torch.tensor([[True, True], [True, False]])

    def value(inverse_depth: Tensor, vector: Tensor) -> Tensor:
        sources = Sources(images, K_SOURCE.expand(2, 2, 3, 3), transform_from_vector(vector), present)
        return photometric_loss(target, sources, inverse_depth, K.expand(2, 3, 3), minimum=minimum).loss

    inputs = (0.1 + random(2, h, w)).requires_grad_(), (0.05 * random(2, 2, 6, seed=3)).requires_grad_()
    assert torch.autograd.gradcheck(value, inputs)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_16_bit_predictions_under_autocast(dtype: torch.dtype) -> None:
    target, sources, truth = (x if isinstance(x, Sources) else x.float() for x in world())
    single = Sources(*(part.float() if part.is_floating_point() else part for part in sources))
    half = truth.to(dtype)
    expected = photometric_loss(target, single, half.float(), CAMERA[None].float()).loss
    with torch.autocast("cpu", dtype=dtype):
        found = photometric_loss(target, single, half, CAMERA[None].float()).loss
    assert found.dtype == torch.float32 and found == expected
