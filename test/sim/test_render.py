"""Depth against rays, colour against depth through the second eye, and the pictures' fitness for stereo."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from depth_perception.camera import CameraModel
from depth_perception.sim.rays import cast
from depth_perception.sim.views import sample_view


def _ray_depth(renderer: Any, camera: CameraModel, T_world_camera: np.ndarray) -> np.ndarray:
    """Depth along the axis of the ray through every pixel's centre."""
    u, v = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    rays = np.stack([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, np.ones_like(u, float)], -1)
    length = np.linalg.norm(rays, axis=2)
    world = (rays / length[..., None]).reshape(-1, 3) @ T_world_camera[:3, :3].T
    distance, _ = cast(renderer.model, renderer.data, T_world_camera[:3, 3], world)
    return distance.reshape(length.shape) / length


@pytest.mark.parametrize("which", ["room_renderer", "street_renderer"])
def test_depth_is_what_rays_measure(which: str, odd_camera: CameraModel, request: pytest.FixtureRequest) -> None:
    renderer = request.getfixturevalue(which)
    rng = np.random.default_rng(2)
    view = sample_view(renderer, rng, odd_camera.height, odd_camera.width)
    image, depth = renderer.render(odd_camera, view.T_world_camera, renderer.world.lighting(rng))
    assert image.shape == (96, 136, 3) and image.dtype == np.uint8 and depth.dtype == np.float32
    measured = _ray_depth(renderer, odd_camera, view.T_world_camera)
    assert float((np.isfinite(depth) == np.isfinite(measured)).mean()) > 0.995
    both = np.isfinite(depth) & np.isfinite(measured)
    error = np.abs(depth[both] / measured[both] - 1.0)
    assert float(np.quantile(error, 0.97)) < 1e-3
    # Half a pixel aside is a hundred times worse: the test would see it
    aside = CameraModel(96, 136, odd_camera.K + np.array([[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]]))
    wrong = _ray_depth(renderer, aside, view.T_world_camera)
    both = np.isfinite(depth) & np.isfinite(wrong)
    assert float(np.quantile(np.abs(depth[both] / wrong[both] - 1.0), 0.9)) > 1e-3


def test_street_has_sky_and_room_has_none(room_renderer: Any, street_renderer: Any) -> None:
    camera = CameraModel.pinhole(96, 136, 80.0)
    shares = []
    for renderer in (room_renderer, street_renderer):
        rng = np.random.default_rng(4)
        light = renderer.world.lighting(rng)
        views = [sample_view(renderer, rng, 96, 136) for _ in range(4)]
        depths = [renderer.render(camera, view.T_world_camera, light)[1] for view in views]
        shares.append(np.isinf(depths).mean())
    assert shares[0] == 0.0 and shares[1] > 0.03


def test_right_image_warps_onto_left(small_frames: list[Any]) -> None:
    """left(u, v) = right(u - fx * b / z, v): K, baseline and sign together. The other sign, or no shift, is worse."""
    frame = small_frames[0]
    height, width = frame.depth.shape
    u, v = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    shift = (-frame.right_camera.P[0, 3] / frame.depth).astype(np.float32)
    seen_z = cv2.remap(frame.right_depth, u - shift, v, cv2.INTER_NEAREST, borderValue=float("nan"))
    visible = np.abs(seen_z / frame.depth - 1.0) < 0.02
    errors = []
    for sign in (-1.0, 0.0, 1.0):
        warped = cv2.remap(frame.right_image, u + sign * shift, v, cv2.INTER_LINEAR)
        errors.append(float(np.abs(warped.astype(float) - frame.image)[visible].mean()))
    assert visible.mean() > 0.6
    assert errors[0] < 4.0
    assert errors[0] < 0.5 * min(errors[1:])


def test_stereo_matching_finds_the_depth(street_renderer: Any) -> None:
    """Textures are rich enough: semi-global matching agrees with the truth on most pixels that both eyes see."""
    camera, rng = CameraModel.pinhole(96, 136, 70.0), np.random.default_rng(3)
    view, light = sample_view(street_renderer, rng, 96, 136), street_renderer.world.lighting(rng)
    fx_b = camera.fx * 0.4
    T_left_right = np.eye(4)
    T_left_right[0, 3] = 0.4
    left, depth = street_renderer.render(camera, view.T_world_camera, light)
    right, _ = street_renderer.render(camera, view.T_world_camera @ T_left_right, light)
    matcher = cv2.StereoSGBM.create(0, 48, 5, P1=200, P2=800, uniquenessRatio=5, speckleWindowSize=40, speckleRange=2)
    disparity = matcher.compute(cv2.cvtColor(left, cv2.COLOR_RGB2GRAY), cv2.cvtColor(right, cv2.COLOR_RGB2GRAY)) / 16.0
    truth = fx_b / depth
    inside = (truth > 0.5) & (truth < 46) & (np.arange(left.shape[1])[None] > 50)
    found = inside & (disparity > 0)
    assert found.sum() / inside.sum() > 0.6
    assert float((np.abs(disparity - truth)[found] < 1.0).mean()) > 0.8


def test_same_seed_same_bytes(small_frames: list[Any], small_config: Any) -> None:
    from depth_perception.sim.frames import frames

    again = next(iter(frames(small_config)))
    assert np.array_equal(again.image, small_frames[0].image)
    assert np.array_equal(again.depth, small_frames[0].depth)
    assert np.array_equal(again.lidar[0].points, small_frames[0].lidar[0].points) if again.lidar else True
