"""Pipeline on closed-form models: metres, focal length, rectification, limits, fallback."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_model import HEIGHT, WIDTH, expected_output, tiny_model

from depth_perception.camera import CameraModel
from depth_perception.config import DepthConfig, EngineConfig, ModelConfig
from depth_perception.errors import CalibrationError, EngineError, ModelError
from depth_perception.pipeline import Pipeline, shrink, wants_rectification
from depth_perception.records import DepthKind, Frame

K = np.array([[250.0, 0, 100.0], [0, 240.0, 70.0], [0, 0, 1]])
CAMERA = CameraModel(144, 192, K)


def config_for(path: Path, **changes) -> DepthConfig:
    return DepthConfig(model=ModelConfig(str(path)), engine=EngineConfig(backend="onnxruntime"), **changes)


def grey(value: int, height: int = 144, width: int = 192) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


def frame(image: np.ndarray, camera: CameraModel | None = CAMERA) -> Frame:
    return Frame(image, 123, "optical", camera)


def test_metres_follow_the_focal_length(tmp_path: Path) -> None:
    """depth = output · fx / canonical_focal with fx at the model's input: 250 px · 64 / 192 / 100."""
    pipeline = Pipeline(config_for(tiny_model(tmp_path / "m.onnx")))
    out = pipeline.process(frame(grey(64)))
    assert out.depth is not None and out.depth.dtype == np.float32 and out.depth.shape == (144, 192)
    np.testing.assert_allclose(out.depth, 2.0 * (250 * 64 / 192) / 100, rtol=1e-5)
    assert (out.stamp_ns, out.frame_id, out.quality.source) == (123, "optical", "prior")
    assert out.quality.relative_std == pytest.approx(0.2) and out.quality.valid_share == 1.0


@pytest.mark.parametrize("kind", [DepthKind.METRIC, DepthKind.METRIC_INVERSE])
def test_a_model_without_canonical_focal_needs_no_camera(tmp_path: Path, kind: DepthKind) -> None:
    pipeline = Pipeline(config_for(tiny_model(tmp_path / "m.onnx", kind, canonical_focal=None)))
    out = pipeline.process(frame(grey(64), None))
    np.testing.assert_allclose(out.depth, 2.0 if kind is DepthKind.METRIC else 0.5, rtol=1e-5)


@pytest.mark.parametrize("camera", [None, CameraModel(144, 192, np.zeros((3, 3)))])
def test_without_calibration_there_are_no_metres_but_a_reason(tmp_path: Path, camera: CameraModel | None) -> None:
    out = Pipeline(config_for(tiny_model(tmp_path / "m.onnx"))).process(frame(grey(64), camera))
    assert out.depth is None and "fx" in out.quality.reason and out.prediction.shape == (HEIGHT, WIDTH)


@pytest.mark.parametrize("kind", [DepthKind.SCALED, DepthKind.RELATIVE_INVERSE])
def test_kinds_without_scale_give_no_metric_depth(tmp_path: Path, kind: DepthKind) -> None:
    out = Pipeline(config_for(tiny_model(tmp_path / "m.onnx", kind))).process(frame(grey(64)))
    assert out.depth is None and out.quality.source == "none" and out.quality.valid_share == 0.0
    assert out.quality.reason == (
        f"the model gives {kind.value}, which isn't metres, and no sensor is set up to measure its scale: use a LiDAR, "
        "a laser scanner, a stereo pair or the camera's height"
    )


def test_limits_are_infinities_not_numbers(tmp_path: Path) -> None:
    """Output 1 + red / 64, no focal scaling: 64 → 2 m (kept), 255 → 4.98 m (beyond 4), 0 → 1 m (before 1.5)."""
    model = tiny_model(tmp_path / "m.onnx", canonical_focal=None)
    pipeline = Pipeline(config_for(model, min_depth=1.5, max_depth=4.0))
    image = grey(64)
    image[:, :64], image[:, 128:] = 0, 255
    depth = pipeline.process(frame(image)).depth
    assert depth is not None
    assert np.isneginf(depth[:, :60]).all() and np.isposinf(depth[:, 132:]).all()
    np.testing.assert_allclose(depth[:, 70:120], 2.0, rtol=1e-5)
    assert not np.isnan(depth).any()


def test_image_content_stays_in_its_place(tmp_path: Path) -> None:
    """A bright window in an off-centre place of a W ≠ H image comes back at the same pixels."""
    image = grey(0)
    image[30:60, 99:150] = 255
    depth = Pipeline(config_for(tiny_model(tmp_path / "m.onnx", canonical_focal=None))).process(frame(image)).depth
    assert depth is not None
    rows, columns = np.nonzero(depth > 3.0)
    assert (rows.min(), rows.max() + 1) == pytest.approx((30, 60), abs=2)
    assert (columns.min(), columns.max() + 1) == pytest.approx((99, 150), abs=2)


def test_rectification_gives_the_new_geometry_and_unknown_where_nothing_was_seen(tmp_path: Path) -> None:
    lens = CameraModel(144, 192, K, np.array([0.35, 0.1, 0, 0, 0]), "plumb_bob")
    config = config_for(tiny_model(tmp_path / "m.onnx"))
    out = Pipeline(config, "camera/image_raw").process(frame(grey(64), lens))
    assert out.camera is not None and not out.camera.is_distorted and out.depth is not None
    assert np.isnan(out.depth[0, 0]) and np.isfinite(out.depth[70, 100])
    kept = Pipeline(config, "camera/image_rect").process(frame(grey(64), lens))
    assert kept.depth is not None and np.isfinite(kept.depth).all(), "a rectified image must not be rectified again"
    assert kept.camera is not None and not kept.camera.is_distorted


def test_when_to_rectify() -> None:
    assert wants_rectification("auto", "/camera/image_raw") and not wants_rectification("auto", "/camera/image_rect")
    assert wants_rectification("always", "/image_rect") and not wants_rectification("never", "/image_raw")


def test_camera_info_of_another_size_is_refused(tmp_path: Path) -> None:
    pipeline = Pipeline(config_for(tiny_model(tmp_path / "m.onnx")))
    with pytest.raises(CalibrationError, match="192x144 but the image is 100x50"):
        pipeline.process(frame(grey(64, 50, 100)))
    assert pipeline.process(frame(grey(64))).depth is not None, "the next good frame works"


def test_image_size_may_change_between_frames(tmp_path: Path) -> None:
    pipeline = Pipeline(config_for(tiny_model(tmp_path / "m.onnx")))
    for height, width in ((144, 192), (72, 96), (144, 192)):
        out = pipeline.process(frame(grey(64, height, width), CAMERA.resized(height, width)))
        assert out.depth is not None and out.depth.shape == (height, width)
        np.testing.assert_allclose(out.depth, 2.0 * (250 * 64 / 192) / 100, rtol=1e-5)


def test_a_backend_that_fails_is_replaced_and_the_reason_kept(tmp_path: Path) -> None:
    class Broken:
        name, device = "openvino", "cpu"

        def infer(self, image: np.ndarray) -> np.ndarray:
            raise EngineError("device lost")

        def close(self) -> None:
            pass

    pipeline = Pipeline(config_for(tiny_model(tmp_path / "m.onnx")))
    pipeline.choice = replace(pipeline.choice, engine=Broken())
    out = pipeline.process(frame(grey(64)))
    assert out.depth is not None and np.isfinite(out.depth).all()
    assert pipeline.choice.engine.name == "onnxruntime" and "device lost" in pipeline.choice.reason


def test_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"nowhere\.onnx"):
        Pipeline(config_for(tmp_path / "nowhere.onnx"))


def test_shrink_averages_instead_of_aliasing() -> None:
    """A one-pixel checkerboard shrunk tenfold is grey; sampling every tenth pixel would give black or white."""
    board = ((np.indices((480, 640)).sum(axis=0) % 2) * 255).astype(np.uint8)
    small = shrink(np.repeat(board[..., None], 3, axis=2), 48, 64)
    assert small.shape == (48, 64, 3) and np.abs(small.astype(int) - 128).max() <= 2


def test_expected_output_of_the_tiny_model() -> None:
    assert expected_output(64) == 2.0
