"""Sensors through the whole pipeline on a closed-form model: metres, notes instead of exceptions, unknown depth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_model import tiny_model

from depth_perception.camera import CameraModel
from depth_perception.config import (
    DepthConfig,
    EngineConfig,
    GroundConfig,
    LidarConfig,
    ModelConfig,
    ScaleConfig,
    ScanConfig,
    StereoConfig,
)
from depth_perception.pipeline import Pipeline
from depth_perception.records import DepthFrame, DepthKind, Frame, PointSweep, StereoPair, Use

STAMP = 1_700_000_000_123_456_789
K = np.array([[250.0, 0, 100.0], [0, 240.0, 70.0], [0, 0, 1]])
CAMERA = CameraModel(144, 192, K)
WALL = 2.9  # m
# The LiDAR looks along the camera's axis from 0.3 m above and 0.2 m behind it, x forward (REP-103).
T_CAMERA_LIDAR = np.array([[0.0, -1, 0, 0.05], [0, 0, -1, -0.3], [1, 0, 0, -0.2], [0, 0, 0, 1]])


def image(red: int = 64) -> np.ndarray:
    picture = np.full((144, 192, 3), 90, np.uint8)
    picture[..., 0] = red
    return picture


def frame(camera: CameraModel | None = CAMERA) -> Frame:
    return Frame(image(), STAMP, "optical", camera)


def wall(distance: float = WALL, beams: int = 16, stamp_ns: int = STAMP) -> PointSweep:
    """A wall across the optical axis as the LiDAR sees it, in the LiDAR's frame."""
    elevation, azimuth = np.meshgrid(np.linspace(-0.3, 0.25, beams), np.linspace(-0.5, 0.5, 120), indexing="ij")
    forward = distance + 0.2
    xyz = np.stack([np.full(elevation.shape, forward), forward * np.tan(azimuth), forward * np.tan(elevation)], axis=-1)
    beam = np.repeat(np.arange(beams, dtype=np.int32), 120)
    return PointSweep("lidar", xyz.reshape(-1, 3).astype(np.float32), beam, stamp_ns, T_CAMERA_LIDAR)


def pipeline(tmp_path: Path, kind: DepthKind = DepthKind.METRIC, **changes: object) -> Pipeline:
    model = ModelConfig(str(tiny_model(tmp_path / "m.onnx", kind)))
    config = DepthConfig(model=model, engine=EngineConfig(backend="onnxruntime"), lidar=LidarConfig(enabled=True))
    return Pipeline(replace(config, **changes))  # type: ignore[arg-type]


def is_the_wall(out: DepthFrame, distance: float = WALL) -> None:
    assert out.depth is not None and out.std is not None and out.depth.shape == out.std.shape == (144, 192)
    np.testing.assert_allclose(out.depth, distance, rtol=0.01)
    assert np.isfinite(out.std).all() and (out.std > 0).all()


@pytest.mark.parametrize("kind", [DepthKind.METRIC, DepthKind.METRIC_INVERSE, DepthKind.SCALED])
def test_depth_is_the_walls_distance(tmp_path: Path, kind: DepthKind) -> None:
    """The model says 2.0 · (250 · 64 / 192) / 100 = 1.67 m (or half a metre); the LiDAR 2.9."""
    out = pipeline(tmp_path, kind).process(frame(), [wall()])
    is_the_wall(out)
    said = 2.0 * (250 * 64 / 192) / 100 if kind is not DepthKind.METRIC_INVERSE else 0.5 * (250 * 64 / 192) / 100
    quality = out.quality
    assert quality.scale == pytest.approx(WALL / said, rel=0.01) and quality.shift == 0.0
    assert (quality.source, quality.held, quality.reason, quality.valid_share) == ("lidar", False, "", 1.0)
    assert quality.count > 300 and quality.held_out > 30 and quality.abs_rel < 0.01 and quality.age_s == 0.0
    assert {"anchors", "align"} <= set(out.stages_ms) and out.stamp_ns == STAMP
    assert len(out.anchors) == 1 and set(out.anchors[0].use) == {Use.FITTED, Use.HELD_OUT}


def test_a_relative_model_on_a_wall_with_a_step(tmp_path: Path) -> None:
    """Inverse depth up to scale and shift: 1 + red / 64 is 2 and 3; the walls stand at 4 m and 2.5 m."""
    picture = image(64)
    picture[:, 100:, 0] = 128
    near, far = wall(2.5), wall(4.0)
    right = near.xyz[:, 1] < 0.05  # the LiDAR's y points left; it stands 0.05 m right of the camera
    points = np.where(right[:, None], near.xyz, far.xyz)
    out = pipeline(tmp_path, DepthKind.RELATIVE_INVERSE).process(
        Frame(picture, STAMP, "optical", CAMERA), [replace(near, xyz=points.astype(np.float32))]
    )
    assert out.depth is not None
    np.testing.assert_allclose(out.depth[20:120, :85], 4.0, rtol=0.02)
    np.testing.assert_allclose(out.depth[20:120, 120:], 2.5, rtol=0.02)
    assert out.quality.scale > 0


def test_a_sensor_that_is_expected_and_silent_makes_depth_unknown(tmp_path: Path) -> None:
    for measurements in ([], [replace(wall(), xyz=np.full((50, 3), np.nan, np.float32), beam=np.zeros(50, np.int32))]):
        out = pipeline(tmp_path).process(frame(), measurements)
        assert out.depth is not None and np.isnan(out.depth).all() and out.std is None
        assert out.quality.source == "none" and out.quality.valid_share == 0.0
        assert out.quality.reason.startswith(
            "no sensor measures a scale that can be trusted (set scale.when_lost to prior for the model's own metres)"
        )
    assert "): lidar: none of 50 points is finite" in out.quality.reason


def test_a_model_without_metres_says_so_when_its_sensors_fall_silent(tmp_path: Path) -> None:
    out = pipeline(tmp_path, DepthKind.SCALED).process(frame())
    assert out.depth is not None and np.isnan(out.depth).all()
    assert out.quality.reason == "no sensor measures a scale that can be trusted (scaled_depth isn't metres)"


def test_the_valid_share_is_that_of_the_published_depth(tmp_path: Path) -> None:
    """Without sensors 1.67 m on the left and 4.15 m on the right, which is beyond the greatest depth: +Inf there."""
    picture = image(64)
    picture[:, 96:, 0] = 255
    out = pipeline(tmp_path, lidar=LidarConfig(), max_depth=2.5).process(Frame(picture, STAMP, "optical", CAMERA))
    assert out.depth is not None and np.isposinf(out.depth[:, 100:]).all()
    assert out.quality.valid_share == np.mean(np.isfinite(out.depth)) == pytest.approx(0.5, abs=0.02)
    near = pipeline(tmp_path, max_depth=2.5).process(frame(), [wall()])
    assert near.quality.source == "lidar" and near.quality.valid_share == 0.0, "the wall stands at 2.9 m"


def test_a_model_with_metres_needs_no_sensor_unless_one_is_set_up(tmp_path: Path) -> None:
    alone = pipeline(tmp_path, lidar=LidarConfig()).process(frame())
    assert alone.quality.source == "prior" and alone.depth is not None and np.isfinite(alone.depth).all()


def test_scale_switched_off_leaves_the_prior_alone(tmp_path: Path) -> None:
    out = pipeline(tmp_path, scale=ScaleConfig(enabled=False)).process(frame(), [wall()])
    assert out.quality.source == "prior" and out.anchors == ()
    np.testing.assert_allclose(out.depth, 2.0 * (250 * 64 / 192) / 100, rtol=1e-5)


def test_the_wall_is_held_when_the_sensor_falls_silent(tmp_path: Path) -> None:
    subject = pipeline(tmp_path)
    subject.process(frame(), [wall()])
    out = subject.process(replace(frame(), stamp_ns=STAMP + 10**9), [])
    is_the_wall(out)
    assert out.quality.held and out.quality.age_s == pytest.approx(1.0)
    lost = subject.process(replace(frame(), stamp_ns=STAMP + 3 * 10**9), [])
    assert lost.depth is not None and np.isnan(lost.depth).all()


@pytest.mark.parametrize("camera", [None, CameraModel(144, 192, np.zeros((3, 3)))])
def test_points_cant_be_placed_without_calibration(tmp_path: Path, camera: CameraModel | None) -> None:
    out = pipeline(tmp_path).process(frame(camera), [wall()])
    assert out.quality.source == "none" and out.quality.reason
    assert out.depth is None or np.isnan(out.depth).all()


BROKEN = {
    "sizes": {"right": np.zeros((50, 60), np.uint8)},
    "camera": {"right_camera": CameraModel(10, 10, K)},
    "uncalibrated": {"left_camera": CameraModel(144, 192, np.zeros((3, 3)))},
    "empty": {"left": np.zeros((0, 0), np.uint8), "right": np.zeros((0, 0), np.uint8)},
    "dark": {"left": np.zeros((144, 192), np.uint8)},
    "no baseline": {"right_camera": CAMERA},
    "swapped": {"right_camera": CameraModel(144, 192, K, P=np.hstack([K, [[25.0], [0], [0]]]))},
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_broken_stereo_pair_is_a_note_and_the_lidar_goes_on(tmp_path: Path, name: str, elsewhere: bool) -> None:
    rng = np.random.default_rng(0)
    left = rng.integers(0, 255, (144, 192)).astype(np.uint8)
    right = CameraModel(144, 192, K, P=np.hstack([K, [[-25.0], [0], [0]]]))
    pair = StereoPair(left, left.copy(), CAMERA, right, STAMP, True, T_camera_left=np.eye(4) if elsewhere else None)
    subject = pipeline(tmp_path, stereo=StereoConfig(enabled=True))
    out = subject.process(frame(), [replace(pair, **BROKEN[name]), wall()])
    is_the_wall(out)
    assert out.quality.source == "lidar" and any(w.startswith("stereo: ") for w in out.quality.warnings)


def test_ground_beside_a_lidar_may_be_absent(tmp_path: Path) -> None:
    """The closed-form model shows a wall, so nothing slopes like ground: a note, and the LiDAR's metres."""
    ground, scan = GroundConfig(enabled=True), ScanConfig(camera_height=0.5)
    out = pipeline(tmp_path, ground=ground, scan=scan).process(frame(), [wall()])
    is_the_wall(out)
    assert any(w.startswith("ground: ") for w in out.quality.warnings)
