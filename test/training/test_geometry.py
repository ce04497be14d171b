"""Rigid transforms, projection and reprojection against closed forms, one test for each line of each convention."""

from __future__ import annotations

import math

import pytest
import torch
from geometry_scene import (
    DISTANCE,
    HEIGHT,
    K_SOURCE,
    MOTION,
    NORMAL,
    WIDTH,
    K,
    homography,
    pixels,
    plane_inverse_depth,
    random,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from training.geometry.pinhole import back_project, project
from training.geometry.reprojection import NEAREST, SourcePixels, source_pixels, visible
from training.geometry.rigid import invert_rigid, transform_from_vector

X, Y, Z = torch.eye(3, dtype=torch.float64)
QUARTER = math.pi / 2
angles = st.floats(-3.0, 3.0)


def turn(*angles: float) -> Tensor:
    return transform_from_vector(torch.tensor([0.0, 0, 0, *angles], dtype=torch.float64))[:3, :3]


class TestVector:
    def test_translation_comes_first(self) -> None:
        T = transform_from_vector(torch.tensor([1.0, 2.0, 3.0, 0.0, 0.0, 0.0]))
        assert T.tolist() == [[1, 0, 0, 1], [0, 1, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1]]

    def test_angles_are_right_handed(self) -> None:  # the other hand gives the negative of each
        assert torch.allclose(turn(QUARTER, 0, 0) @ Y, Z)
        assert torch.allclose(turn(0, QUARTER, 0) @ Z, X)
        assert torch.allclose(turn(0, 0, QUARTER) @ X, Y)

    def test_z_turns_first(self) -> None:
        # Rx(90) Ry(90) Rz(90) takes x -> y -> y -> z; x first would take x -> x -> -z -> -z
        assert torch.allclose(turn(QUARTER, QUARTER, QUARTER) @ X, Z)
        single = turn(0.3, 0, 0) @ turn(0, -0.4, 0) @ turn(0, 0, 0.5)
        assert torch.allclose(turn(0.3, -0.4, 0.5), single)

    def test_rotation_acts_before_translation(self) -> None:
        T = transform_from_vector(torch.tensor([5.0, 0, 0, 0, 0, QUARTER], dtype=torch.float64))
        assert torch.allclose(T @ torch.tensor([1.0, 0, 0, 1]).double(), torch.tensor([5.0, 1, 0, 1]).double())

    def test_a_camera_that_drove_forward_sees_points_farther_from_where_it_was(self) -> None:
        T_source_target = transform_from_vector(torch.tensor([0.0, 0, 1, 0, 0, 0]))  # source: 1 m behind the target
        assert (T_source_target @ torch.tensor([0.0, 0, 4, 1]))[2] == 5

    @given(angles, angles, angles)
    @settings(max_examples=30, deadline=None)
    def test_is_a_rotation(self, a: float, b: float, c: float) -> None:
        R = turn(a, b, c)
        assert torch.allclose(R @ R.T, torch.eye(3).double()) and torch.det(R).item() == pytest.approx(1)

    def test_shapes_and_gradient(self) -> None:
        vector = random(2, 3, 6).requires_grad_()
        assert transform_from_vector(vector).shape == (2, 3, 4, 4)
        assert torch.autograd.gradcheck(transform_from_vector, vector)

    def test_inverse(self) -> None:
        T = transform_from_vector(random(2, 3, 6))
        assert torch.allclose(invert_rigid(T) @ T, torch.eye(4).double().expand(2, 3, 4, 4))
        assert torch.autograd.gradcheck(lambda v: invert_rigid(transform_from_vector(v)), random(6).requires_grad_())


class TestPinhole:
    def test_by_hand(self) -> None:
        depth = torch.full((HEIGHT, WIDTH), 2.0, dtype=torch.float64)
        point = back_project(depth, K)[3, 5]  # v = 3, u = 5
        assert point.tolist() == pytest.approx([(5 - 8.3) * 2 / 21, (3 - 6.9) * 2 / 17, 2.0])
        assert project(point, K).tolist() == pytest.approx([5.0, 3.0])

    def test_depth_is_z_not_range(self) -> None:
        assert torch.equal(back_project(2 + random(HEIGHT, WIDTH), K)[..., 2], 2 + random(HEIGHT, WIDTH))

    def test_round_trip_of_a_batch(self) -> None:
        depth, cameras = 1 + random(2, HEIGHT, WIDTH), torch.stack([K, K_SOURCE])
        uv = project(back_project(depth, cameras), cameras[:, None, None])
        assert torch.allclose(uv, pixels()[..., :2].expand(2, -1, -1, -1))

    def test_behind_the_camera_is_finite(self) -> None:
        assert torch.isfinite(project(torch.tensor([[1.0, 1, 0], [1, 1, -3]]), K.float())).all()

    def test_gradient(self) -> None:
        camera = K.clone().requires_grad_()
        assert torch.autograd.gradcheck(back_project, ((1 + random(3, 4)).requires_grad_(), camera))
        assert torch.autograd.gradcheck(project, ((1 + random(5, 3)).requires_grad_(), camera))


class TestReprojection:
    T = transform_from_vector(MOTION)

    def test_is_back_projection_motion_and_projection(self) -> None:
        inverse_depth = 0.1 + random(2, 3, HEIGHT, WIDTH)
        T = transform_from_vector(0.2 * random(2, 3, 6, seed=1))
        found = source_pixels(inverse_depth, K, K_SOURCE, T)
        points = back_project(1 / inverse_depth, K)
        moved = torch.einsum("bsij,bshwj->bshwi", T[..., :3, :3], points) + T[..., None, None, :3, 3]
        assert torch.allclose(found.uv, project(moved, K_SOURCE))
        assert torch.allclose(found.z_ratio, moved[..., 2] / points[..., 2])

    def test_plane_is_its_homography(self) -> None:
        found = source_pixels(plane_inverse_depth(), K, K_SOURCE, self.T).uv
        expected = pixels() @ homography(self.T).T
        assert torch.allclose(found, expected[..., :2] / expected[..., 2:], atol=1e-12)
        assert float(NORMAL @ back_project(1 / plane_inverse_depth(), K)[4, 7]) == pytest.approx(DISTANCE)

    def test_identity(self) -> None:
        found = source_pixels(random(HEIGHT, WIDTH), K, K, torch.eye(4).double())
        assert torch.allclose(found.uv, pixels()[..., :2]) and torch.allclose(found.z_ratio, torch.ones(1).double())
        assert visible(found, HEIGHT, WIDTH).all()

    def test_rotation_about_the_optical_axis(self) -> None:
        # K with fx = fy: every pixel turns about the principal point, at any depth
        camera = torch.tensor([[20.0, 0, 8.5], [0, 20.0, 6.25], [0, 0, 1]], dtype=torch.float64)
        T = transform_from_vector(torch.tensor([0.0, 0, 0, 0, 0, QUARTER], dtype=torch.float64))
        found = source_pixels(random(HEIGHT, WIDTH), camera, camera, T).uv
        u, v = pixels()[..., 0], pixels()[..., 1]
        assert torch.allclose(found, torch.stack([8.5 - (v - 6.25), 6.25 + (u - 8.5)], dim=-1))

    def test_rectified_pair(self) -> None:  # the right camera stands 0.5 m to the right: -0.5 in T, disparity fx b / z
        T = torch.eye(4).double()
        T[0, 3] = -0.5
        found = source_pixels(torch.full((HEIGHT, WIDTH), 0.25).double(), K, K, T).uv
        assert torch.allclose(found[..., 0], pixels()[..., 0] - 21 * 0.5 * 0.25)
        assert torch.allclose(found[..., 1], pixels()[..., 1])

    def test_a_view_that_is_not_there(self) -> None:  # zeros, as collate fills it
        nothing = torch.zeros(3, 3).double()
        assert torch.isfinite(source_pixels(random(HEIGHT, WIDTH), nothing, K, self.T).uv).all()
        found = source_pixels(random(HEIGHT, WIDTH), K, nothing, torch.zeros(4, 4).double())
        assert torch.isfinite(found.uv).all() and not visible(found, HEIGHT, WIDTH).any()

    def test_infinity_is_a_point(self) -> None:  # only the rotation moves it; 1 / 0 would be NaN
        far = source_pixels(torch.zeros(HEIGHT, WIDTH).double(), K, K_SOURCE, self.T).uv
        turned = pixels() @ (K_SOURCE @ self.T[:3, :3] @ torch.linalg.inv(K)).T
        assert torch.allclose(far, turned[..., :2] / turned[..., 2:])

    def test_passing_the_camera_is_finite_and_not_visible(self) -> None:
        T = torch.eye(4).double()
        T[2, 3] = -1.0  # the source stands 1 m ahead
        inverse_depth = torch.tensor([[1 / 3, 1.0, 2.0, 100.0]]).double().requires_grad_()
        found = source_pixels(inverse_depth, K, K, T)
        assert found.z_ratio[0].tolist() == pytest.approx([2 / 3, 0.0, -1.0, -99.0])
        assert visible(found, 1000, 1000)[0, 1:].tolist() == [False, False, False]
        found.uv.sum().backward()
        assert torch.isfinite(found.uv).all() and torch.isfinite(inverse_depth.grad).all()
        # held at z_ratio = NEAREST: u = (u + (cx t_z) rho) / NEAREST, here at u = 3
        assert found.uv[0, 3, 0].item() == pytest.approx((3 - 8.3 * 100) / NEAREST)

    @pytest.mark.parametrize(
        ("u", "v", "z", "expected"),
        [(0, 0, 1, True), (19, 11, 1, True), (-0.01, 5, 1, False), (19.01, 5, 1, False), (5, -0.4, 1, False),
         (5, 11.4, 1, False), (5, 5, 0.05, False), (5, 5, -1, False)],
    )  # fmt: skip
    def test_visible_is_between_the_centres_of_border_pixels(
        self, u: float, v: float, z: float, expected: bool
    ) -> None:
        found = SourcePixels(torch.tensor([[[u, v]]]), torch.tensor([[z]]))
        assert visible(found, HEIGHT, WIDTH).item() is expected  # (H, W) = (12, 20): swapped, u = 19 would be outside

    def test_gradient(self) -> None:
        inputs = (0.1 + random(2, 1, 3, 4)).requires_grad_(), (0.1 * random(2, 2, 6, seed=1)).requires_grad_()

        def uv(inverse_depth: Tensor, vector: Tensor) -> tuple[Tensor, Tensor]:
            return tuple(source_pixels(inverse_depth, K, K_SOURCE, transform_from_vector(vector)))

        assert torch.autograd.gradcheck(uv, inputs)
