"""The reprojected distance (guizilini2019 eq. 6) in closed form, and what it does to the pose."""

from __future__ import annotations

import math

import pytest
import torch
from geometry_scene import HEIGHT, K_SOURCE, MOTION, WIDTH, K, pixels, random
from torch import Tensor

from training.geometry.pinhole import back_project, project
from training.geometry.rigid import transform_from_vector
from training.losses.measured import Measured, mean_of, measured
from training.losses.reprojected import Reprojected, reprojected_distance, restrict_pose_gradient

PRESENT = torch.ones(1, 1, dtype=torch.bool)


def depth_at(*points: tuple[int, int, float]) -> Tensor:
    """(1, H, W) with depth in metres at some (u, v), NaN elsewhere."""
    depth = torch.full((1, HEIGHT, WIDTH), math.nan, dtype=torch.float64)
    for u, v, z in points:
        depth[0, v, u] = z
    return depth


def distance(
    predicted: Tensor, true: Tensor, T: Tensor, camera: Tensor = K_SOURCE, present: Tensor = PRESENT
) -> Reprojected:
    """Of depth maps (1, H, W)."""
    points = measured(true)
    S = present.shape[1]
    return reprojected_distance(
        points.of(1 / predicted), points, K[None], camera.expand(1, S, 3, 3), T.reshape(1, -1, 4, 4).expand(1, S, 4, 4),
        present, HEIGHT, WIDTH,
    )  # fmt: skip


def move(x: float = 0, y: float = 0, z: float = 0) -> Tensor:
    return transform_from_vector(torch.tensor([x, y, z, 0, 0, 0], dtype=torch.float64))


class TestMeasured:
    def test_lists_what_is_known(self) -> None:
        depth = torch.tensor([[[math.nan, 2.0, 0.0]], [[math.inf, -1.0, 5.0]]])
        found = measured(depth)
        assert [part.tolist() for part in found] == [[0, 1], [0, 0], [1, 2], [2.0, 5.0], [1, 5]]
        assert found.of(depth).tolist() == found.of(depth[:, None]).tolist() == [2.0, 5.0]

    def test_mean_of_none_is_zero_with_zero_gradient(self) -> None:
        maps = random(1, 2, 3).requires_grad_()
        mean_of(measured(torch.full((1, 2, 3), math.nan)).of(maps)).backward()
        assert maps.grad.abs().max() == 0


class TestValue:
    def test_sideways_is_disparity(self) -> None:
        # source 0.3 m to the left: u moves by fx t / z, so the distance is 19 * 0.3 * |1/2 - 1/3|
        found = distance(depth_at((5, 4, 2.0)), depth_at((5, 4, 3.0)), move(0.3, 0, 0))
        assert found.pixels.item() == pytest.approx(19 * 0.3 / 6)
        assert found.loss.item() == pytest.approx(0.3 / 6)  # over fx: about radians

    def test_is_euclidean(self) -> None:  # 3-4-5: squared it would be 25, as a sum of absolutes 7
        camera = torch.tensor([[10.0, 0, 5], [0, 10.0, 5], [0, 0, 1]]).double()
        found = distance(depth_at((5, 4, 1.0)), depth_at((5, 4, 2.0)), move(0.6, 0.8, 0), camera)
        assert found.pixels.item() == pytest.approx(10 * math.hypot(0.6, 0.8) / 2)

    def test_forward_is_zero_at_the_vanishing_point_and_grows_with_the_lever(self) -> None:
        camera = torch.tensor([[21.0, 0, 8], [0, 17.0, 6], [0, 0, 1]]).double()

        def at(u: int, v: int) -> float:
            T, points = move(0, 0, 1.0), measured(depth_at((u, v, 4.0)))
            found = reprojected_distance(
                torch.tensor([1 / 3]).double(), points, camera[None], camera[None, None], T[None, None], PRESENT,
                HEIGHT, WIDTH,
            )  # fmt: skip
            return found.pixels.item()

        assert at(8, 6) == pytest.approx(0, abs=1e-12)
        # (u - 8) shrinks to (u - 8) z / (z + 1): 4/5 of it for the true depth, 3/4 for the predicted
        assert at(10, 6) == pytest.approx(2 * (4 / 5 - 3 / 4)) and at(14, 6) == pytest.approx(3 * at(10, 6))

    def test_closed_form(self) -> None:
        T = transform_from_vector(MOTION)
        true, predicted = 3 + 2 * random(1, HEIGHT, WIDTH), 3 + 2 * random(1, HEIGHT, WIDTH, seed=1)
        m = pixels() @ (K_SOURCE @ T[:3, :3] @ torch.linalg.inv(K)).T
        a = K_SOURCE @ T[:3, 3]
        rho, guess = 1 / true[0], 1 / predicted[0]
        lever = (m[..., 2:] * a[:2] - a[2] * m[..., :2]).norm(dim=-1)
        expected = (guess - rho).abs() * lever / ((m[..., 2] + rho * a[2]) * (m[..., 2] + guess * a[2]))
        uv = project(back_project(true[0], K) @ T[:3, :3].T + T[:3, 3], K_SOURCE)  # literally eq. 6
        guess_uv = project(back_project(predicted[0], K) @ T[:3, :3].T + T[:3, 3], K_SOURCE)
        assert torch.allclose((uv - guess_uv).norm(dim=-1), expected)
        u, v = uv.unbind(-1)
        inside = (u >= 0) & (u <= WIDTH - 1) & (v >= 0) & (v <= HEIGHT - 1)
        assert 0.5 < inside.double().mean() < 1
        assert distance(predicted, true, T).pixels.item() == pytest.approx(expected[inside].mean().item())

    def test_the_true_depth_says_which_pixels_count(self) -> None:
        # at u = 18 a source 0.3 m to the left sees depth 1 at 23.9 of 20 columns, depth 20 at 18.5
        out, stays = depth_at((18, 6, 1.0), (4, 6, 2.0)), depth_at((18, 6, 20.0), (4, 6, 2.0))
        camera = K
        alone = distance(depth_at((4, 6, 3.0)), depth_at((4, 6, 2.0)), move(0.3), camera).pixels.item()
        assert alone == pytest.approx(21 * 0.3 * (1 / 2 - 1 / 3))
        guess = depth_at((18, 6, 30.0), (4, 6, 3.0))
        assert distance(guess, out, move(0.3), camera).pixels.item() == pytest.approx(alone)  # true: out of view
        guess = depth_at((18, 6, 1.0), (4, 6, 3.0))
        both = distance(guess, stays, move(0.3), camera).pixels.item()  # predicted out of view: counts, no way out
        assert both == pytest.approx((alone + 21 * 0.3 * (1 - 1 / 20)) / 2)

    def test_a_prediction_that_passes_the_camera_comes_back(self) -> None:
        # source 1 m ahead, wall at 3 m, predicted at 0.5 m, behind the source: finite, and farther is better
        inverse_depth = torch.tensor([2.0], dtype=torch.float64, requires_grad=True)
        points = measured(depth_at((15, 3, 3.0)))
        found = reprojected_distance(
            inverse_depth, points, K[None], K[None, None], move(0, 0, -1.0)[None, None], PRESENT, HEIGHT, WIDTH
        )
        assert torch.isfinite(found.loss)
        found.loss.backward()
        assert torch.isfinite(inverse_depth.grad).all()

    def test_mean_over_sources_and_samples(self) -> None:  # never the minimum, and only those that are there
        true, guess = depth_at((5, 4, 3.0)), depth_at((5, 4, 2.0))
        T = torch.stack([move(0.3), move(0.1)])
        both = distance(guess, true, T, present=torch.ones(1, 2, dtype=torch.bool)).loss.item()
        assert both == pytest.approx(0.2 / 6)
        assert distance(guess, true, T, present=torch.tensor([[False, True]])).loss.item() == pytest.approx(0.1 / 6)

    def test_right_depth_costs_nothing_and_has_a_finite_gradient(self) -> None:
        true = (3 + random(1, HEIGHT, WIDTH)).requires_grad_()
        value = distance(true, true.detach(), transform_from_vector(MOTION)).loss
        value.backward()
        assert value.item() < 1e-15 and torch.isfinite(true.grad).all()


@pytest.mark.filterwarnings("ignore:Anomaly Detection")
@pytest.mark.parametrize("case", ["unmeasured", "no source", "out of view"])
def test_nothing_valid_is_zero_with_zero_gradient(case: str) -> None:
    true = depth_at() if case == "unmeasured" else depth_at((5, 4, 2.0))
    present = torch.tensor([[case != "no source"]])
    vector = torch.tensor([100.0 if case == "out of view" else 0.3, 0, 0, 0, 0, 0], dtype=torch.float64)
    vector.requires_grad_()
    predicted = torch.full((1, HEIGHT, WIDTH), 2.5, dtype=torch.float64, requires_grad=True)
    with torch.autograd.detect_anomaly(check_nan=True):
        found = distance(predicted, true, transform_from_vector(vector), present=present)
        found.loss.backward()
    assert found.loss.item() == found.pixels.item() == 0
    assert predicted.grad.abs().max() == 0 and vector.grad.abs().max() == 0


class TestGradient:
    @pytest.mark.parametrize("mode", ["full", "none"])
    def test_gradcheck(self, mode: str) -> None:
        true = depth_at((5, 4, 3.0), (9, 7, 2.0), (12, 4, 5.0))

        def value(inverse_depth: Tensor, vector: Tensor) -> Tensor:
            T = restrict_pose_gradient(transform_from_vector(vector), mode)
            T = T if mode == "full" else transform_from_vector(MOTION)
            return distance(1 / inverse_depth, true, T).loss

        inputs = (0.2 + random(1, HEIGHT, WIDTH)).requires_grad_(), MOTION.clone().requires_grad_()
        assert torch.autograd.gradcheck(value, inputs)

    def gradient(self, vector: Tensor, mode: str = "full") -> tuple[Tensor, Tensor]:
        """With respect to inverse depth and to the pose."""
        pose = vector.clone().requires_grad_()
        guess = torch.full((1, HEIGHT, WIDTH), 0.4, dtype=torch.float64, requires_grad=True)
        T = restrict_pose_gradient(transform_from_vector(pose), mode)
        distance(1 / guess, 3 + random(1, HEIGHT, WIDTH), T).loss.backward()
        return guess.grad, torch.zeros_like(vector) if pose.grad is None else pose.grad

    def test_vanishes_at_the_identity(self) -> None:
        for rotation in ((0, 0, 0), (0.1, -0.05, 0.02)):  # and at every pure rotation
            depth, pose = self.gradient(torch.tensor([0, 0, 0, *rotation]).double())
            assert depth.abs().max() == 0 and pose.abs().max() < 1e-12

    def test_near_the_identity_depth_learns_in_proportion_to_the_motion(self) -> None:
        small, large = (self.gradient(k * MOTION * torch.tensor([1, 1, 1, 0, 0, 0]))[0] for k in (1e-4, 1e-3))
        assert (large.norm() / small.norm()).item() == pytest.approx(10, rel=0.01)

    def test_pulls_translation_to_zero_with_the_same_force_however_near(self) -> None:
        t = torch.tensor([1.0, 0, 0, 0, 0, 0]).double()
        pulls = [self.gradient(length * t)[1][0].item() for length in (1e-4, 1e-3, 1e-2)]
        rho = 1 / (3 + random(1, HEIGHT, WIDTH))
        assert pulls[0] == pytest.approx((0.4 - rho).abs().mean().item(), rel=0.2)  # positive: descending shortens t
        assert pulls[1] == pytest.approx(pulls[0], rel=0.1) and pulls[2] == pytest.approx(pulls[0], rel=0.1)

    def test_direction_alone_takes_out_the_pull_and_nothing_else(self) -> None:
        depth, full = self.gradient(MOTION)
        same, part = self.gradient(MOTION, "direction")
        t = MOTION[:3] / MOTION[:3].norm()
        assert torch.allclose(depth, same)
        assert float(full[:3] @ t) > 0.01 and abs(float(part[:3] @ t)) < 1e-12
        assert torch.allclose(part[:3], full[:3] - (full[:3] @ t) * t) and torch.allclose(part[3:], full[3:])

    def test_restricting_changes_no_value(self) -> None:
        T = transform_from_vector(MOTION)
        for mode in ("full", "direction", "none"):
            assert torch.allclose(restrict_pose_gradient(T, mode), T, atol=1e-16)

    def test_none_reaches_depth_alone(self) -> None:
        depth, pose = self.gradient(MOTION, "none")
        assert depth.abs().max() > 0 and pose.abs().max() == 0

    def test_direction_has_none_at_the_identity(self) -> None:
        vector = torch.zeros(6).requires_grad_()
        restrict_pose_gradient(transform_from_vector(vector), "direction")[:3, 3].sum().backward()
        assert vector.grad.tolist() == [0] * 6


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_16_bit_predictions_under_autocast(dtype: torch.dtype) -> None:
    points = measured(depth_at((5, 4, 3.0), (12, 7, 4.0)).float())
    inverse_depth = torch.tensor([0.4, 0.3]).to(dtype)
    rest = K[None].float(), K_SOURCE[None, None].float(), move(0.3, 0.1, 0.2)[None, None].float(), PRESENT
    expected = reprojected_distance(inverse_depth.float(), points, *rest, HEIGHT, WIDTH).loss
    with torch.autocast("cpu", dtype=dtype):
        found = reprojected_distance(inverse_depth, points, *rest, HEIGHT, WIDTH).loss
    assert found.dtype == torch.float32 and found == expected


def test_points_belong_to_their_frames() -> None:
    depth = torch.cat([depth_at((5, 4, 3.0)), depth_at((5, 4, 3.0), (7, 5, 3.0))])
    points: Measured = measured(depth)
    T = torch.stack([move(0.3), move(0.1)])[:, None]
    found = reprojected_distance(
        torch.full((3,), 0.5).double(), points, K.expand(2, 3, 3), K_SOURCE.expand(2, 1, 3, 3), T,
        torch.ones(2, 1, dtype=torch.bool), HEIGHT, WIDTH,
    )  # fmt: skip
    assert found.loss.item() == pytest.approx((0.3 + 0.1 + 0.1) / 6 / 3)
