"""Ground anchors in a closed-form world: level ground under a tilted camera, boxes on it, walls, a table."""

from __future__ import annotations

import numpy as np
import pytest

from depth_perception.anchors.ground import ground_anchors
from depth_perception.camera import CameraModel
from depth_perception.config import GroundConfig
from depth_perception.mount import Mount
from depth_perception.records import Anchors, DepthKind

H, W = 96, 128
CAMERA = CameraModel(240, 352, np.array([[260.0, 0, 180.0], [0, 250.0, 108.0], [0, 0, 1]]))  # the image's
MOUNT = Mount(0.7, 0.12, -0.07)
CONFIG = GroundConfig()
UNKNOWNS = {  # prediction from true depth; a relative model has a shift besides
    DepthKind.METRIC: lambda z: 1.4 * z,
    DepthKind.METRIC_INVERSE: lambda z: 1.0 / (0.8 * z),
    DepthKind.SCALED: lambda z: 0.037 * z,
    DepthKind.RELATIVE_INVERSE: lambda z: 310.0 / z + 45.0,
}


def rays(camera: CameraModel, mount: Mount, uv: np.ndarray | None = None) -> np.ndarray:
    """(…, 3) forward, left, up at 1 m of depth, of all pixels or of some."""
    if uv is None:
        return camera.rays().astype(float) @ mount.R_level_optical.T
    flat = np.column_stack([(uv[:, 0] - camera.cx) / camera.fx, (uv[:, 1] - camera.cy) / camera.fy, np.ones(len(uv))])
    return flat @ mount.R_level_optical.T


def ground_depth(mount: Mount = MOUNT, beyond: float = 40.0, camera: CameraModel = CAMERA) -> np.ndarray:
    """(H, W) of the prediction: ground, and a far wall behind it."""
    forward, _, up = np.moveaxis(rays(camera.resized(H, W), mount), -1, 0)
    with np.errstate(divide="ignore"):
        ground = np.where(up < 0, -mount.height_m / up, np.inf)
    return np.minimum(ground, beyond / forward)


def wall_depth(mount: Mount, distance: float) -> np.ndarray:
    return distance / rays(CAMERA.resized(H, W), mount)[..., 0]


def anchors_of(
    depth: np.ndarray, kind: DepthKind = DepthKind.METRIC, mount: Mount = MOUNT, config: GroundConfig = CONFIG
) -> Anchors:
    return ground_anchors(UNKNOWNS[kind](depth).astype(np.float32), kind, CAMERA, mount, config, 5)


def assert_on_ground(anchors: Anchors, mount: Mount = MOUNT) -> None:
    """Depth at `uv` of the full-size camera is exactly the ground's, whatever the model's scale."""
    true = -mount.height_m / rays(CAMERA, mount, anchors.uv)[:, 2]
    np.testing.assert_allclose(anchors.depth, true, rtol=1e-4)


@pytest.mark.parametrize("kind", DepthKind)
@pytest.mark.parametrize("mount", [MOUNT, Mount(1.4), Mount(0.3, 0.25, 0.1), Mount(1.6, 0.8, 0.0)])
def test_bare_ground_gives_its_exact_depth(kind: DepthKind, mount: Mount) -> None:
    anchors = anchors_of(ground_depth(mount), kind, mount)
    assert (anchors.source, anchors.stamp_ns, anchors.note) == ("ground", 5, "")
    assert 200 < len(anchors) <= CONFIG.max_anchors
    assert_on_ground(anchors, mount)


def test_half_a_pixel_would_show() -> None:
    """Scaling pixels by multiplication alone puts them 0.75 px too far up at 2.5 times the size."""
    anchors = anchors_of(ground_depth())
    wrong = anchors.uv - 0.5 * (np.array([352 / W, 240 / H]) - 1)
    true = -MOUNT.height_m / rays(CAMERA, MOUNT, wrong)[:, 2]
    assert np.abs(anchors.depth / true - 1).max() > 0.01


def test_anchors_are_spread_and_as_few_as_wanted() -> None:
    few = anchors_of(ground_depth(), config=GroundConfig(max_anchors=40))
    assert 15 <= len(few) <= 40
    assert np.ptp(few.uv[:, 0]) > 0.8 * CAMERA.width
    assert len(np.unique(few.group)) >= 10


@pytest.mark.parametrize("kind", DepthKind)
def test_boxes_on_two_fifths_of_the_ground_change_nothing(kind: DepthKind) -> None:
    depth, rng = ground_depth(), np.random.default_rng(3)
    candidate = depth < 10.0
    boxed = np.zeros((H, W), bool)
    while (boxed & candidate).sum() < 0.4 * candidate.sum():
        row, column = rng.integers(30, 80), rng.integers(0, W - 16)
        foot = min(row + 16, H - 1)
        face = np.s_[row:foot, column : column + 16]
        depth[face] = np.minimum(depth[face], ground_depth()[foot, column])
        boxed[face] = True
    anchors = anchors_of(depth, kind)
    assert len(anchors) > 100
    assert_on_ground(anchors)
    at = np.rint((anchors.uv + 0.5) * (W / 352, H / 240) - 0.5).astype(int)
    ratio = depth[at[:, 1], at[:, 0]] / anchors.depth
    assert np.abs(ratio - 1).max() < 0.25 and np.median(np.abs(ratio - 1)) < 1e-3, "none is on a box"


def test_noise_of_the_model_leaves_the_anchors_exact() -> None:
    noisy = ground_depth() * np.exp(0.03 * np.random.default_rng(0).standard_normal((H, W)))
    for kind in DepthKind:
        anchors = anchors_of(noisy, kind)
        assert len(anchors) > 150, kind
        assert_on_ground(anchors)


@pytest.mark.parametrize("kind", DepthKind)
@pytest.mark.parametrize("pitch", [-0.15, 0.0, 0.12])
@pytest.mark.parametrize("distance", [0.8, 2.0, 6.0])
def test_a_wall_alone_is_no_ground(kind: DepthKind, pitch: float, distance: float) -> None:
    mount = Mount(0.7, pitch, 0.05)
    anchors = anchors_of(wall_depth(mount, distance), kind, mount)
    assert len(anchors) == 0 and anchors.note


@pytest.mark.parametrize("kind", DepthKind)
def test_a_side_wall_is_no_ground(kind: DepthKind) -> None:
    left = rays(CAMERA.resized(H, W), MOUNT)[..., 1]
    anchors = anchors_of(np.where(left > 0.02, 1.0 / np.maximum(left, 0.02), 30.0), kind)
    assert len(anchors) == 0 and anchors.note


def test_a_wall_agrees_with_the_ground_over_few_distances_only() -> None:
    """A camera that looks up sees a thin strip that could be ground; there a wall lies within the tolerance."""
    mount = Mount(0.7, -0.35, 0.0)
    anchors = anchors_of(wall_depth(mount, 2.0), mount=mount)
    assert len(anchors) == 0 and "wall" in anchors.note


def test_too_little_ground_is_no_consensus() -> None:
    """A seventh of the columns shows ground; in the others things stand at all distances."""
    depth = ground_depth() * np.random.default_rng(0).uniform(0.1, 0.8, (1, W))
    depth[:, :18] = ground_depth()[:, :18]
    anchors = anchors_of(depth)
    assert len(anchors) == 0 and "only" in anchors.note


def test_a_plane_that_does_not_reach_the_bottom_is_no_ground() -> None:
    """The robot's own hood hides the lowest third, and what is above it may be anything."""
    depth = ground_depth()
    depth[66:] = 0.1
    anchors = anchors_of(depth)
    assert len(anchors) == 0 and "bottom" in anchors.note


def test_a_table_with_floor_beside_it_is_no_ground() -> None:
    """Most of the lower image is a table 0.3 m under the camera; beside it the floor lies lower."""
    table = ground_depth(Mount(0.3, MOUNT.pitch_rad, MOUNT.roll_rad))
    table[:, 90:] = ground_depth()[:, 90:]
    anchors = anchors_of(table, DepthKind.SCALED)
    assert len(anchors) == 0
    assert "beneath" in anchors.note


def test_nothing_is_made_up_from_bad_input() -> None:
    for prediction in (np.full((H, W), np.nan), np.zeros((H, W)), np.full((H, W), np.inf)):
        for kind in DepthKind:
            anchors = ground_anchors(prediction.astype(np.float32), kind, CAMERA, MOUNT, CONFIG, 5)
            assert len(anchors) == 0 and anchors.note
    depth = ground_depth().astype(np.float32)
    assert (
        "K = 0" in ground_anchors(depth, DepthKind.METRIC, CameraModel(9, 9, np.zeros((3, 3))), MOUNT, CONFIG, 5).note
    )
    assert "height" in ground_anchors(depth, DepthKind.METRIC, CAMERA, Mount(0.0), CONFIG, 5).note
    assert "horizon" in ground_anchors(depth, DepthKind.METRIC, CAMERA, Mount(0.7, -0.9), CONFIG, 5).note


@pytest.mark.parametrize("mount", [MOUNT, Mount(1.3, -0.05, 0.2)])
def test_sigma_is_what_errors_of_height_pitch_and_roll_do(mount: Mount) -> None:
    """Against finite differences of the ground's depth in height, pitch and roll."""
    config = GroundConfig(sigma_height=0.03, sigma_pitch=0.008)
    anchors = anchors_of(ground_depth(mount), DepthKind.METRIC, mount, config)
    assert len(anchors) > 100

    def depth(height: float, pitch: float, roll: float) -> np.ndarray:
        return -height / rays(CAMERA, Mount(height, pitch, roll), anchors.uv)[:, 2]

    h, p, r, d = mount.height_m, mount.pitch_rad, mount.roll_rad, 1e-6
    by_height = (depth(h + d, p, r) - depth(h - d, p, r)) / (2 * d)
    by_pitch = (depth(h, p + d, r) - depth(h, p - d, r)) / (2 * d)
    by_roll = (depth(h, p, r + d) - depth(h, p, r - d)) / (2 * d)
    sigma = np.sqrt((0.03 * by_height) ** 2 + (0.008 * by_pitch) ** 2 + (0.008 * by_roll) ** 2)
    np.testing.assert_allclose(anchors.sigma, sigma, rtol=1e-3)


def test_the_same_prediction_gives_the_same_anchors() -> None:
    noisy = ground_depth() * np.exp(0.05 * np.random.default_rng(0).standard_normal((H, W)))
    first, again = (anchors_of(noisy, DepthKind.RELATIVE_INVERSE) for _ in range(2))
    np.testing.assert_array_equal(first.uv, again.uv)
