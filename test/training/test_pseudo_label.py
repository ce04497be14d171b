"""Pseudo-labels of a dataset folder: what they hold, when they are made anew, how sure they are of themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dataset_folders import K_LEFT, K_RIGHT, Rig, image_of, write_dataset
from tiny_model import expected_output, tiny_model

from depth_perception.camera import CameraModel
from depth_perception.errors import ModelError
from depth_perception.records import DepthKind
from training.dataset_folder import sequences
from training.flip_consistency import flip_confidence
from training.pseudo_label import label_dataset, main, make_label, origin_of
from training.teacher import Teacher
from training.teacher_labels import read_label, read_origin

RIG = Rig(frames=4, right_context=False)
CAMERA = CameraModel(40, 64, K_LEFT)


class Reddish:
    """A teacher that says its image's red channel, or what a test puts in its place, and counts its calls."""

    identity, kind = "weights", DepthKind.METRIC_INVERSE

    def __init__(self, factor: float = 1.0) -> None:
        self.calls, self.factor = 0, factor

    def __call__(self, image: np.ndarray) -> np.ndarray:
        self.calls += 1
        return image[..., 0].astype(np.float32) / 50 + np.float32(0.02)

    def focal_factor(self, camera: CameraModel) -> float:
        return self.factor * (2.0 if camera.fx == K_RIGHT[0, 0] else 1.0)


class TestDataset:
    def test_every_samples_image_gets_a_label(self, tmp_path: Path) -> None:
        out = write_dataset(tmp_path / "set", RIG)
        assert label_dataset(Reddish(), out) == {"made": 6, "kept": 0}  # 4 left, 2 right
        (recording,) = sequences(out)
        for camera, factor in (("left", 1.0), ("right", 2.0)):
            label = read_label(recording.teacher_path(2, camera))
            expected = factor * (image_of(2, camera, RIG)[..., 0] / 50 + 0.02)
            assert label.inverse_depth.dtype == np.float16 and label.confidence.dtype == np.uint8
            assert np.allclose(label.inverse_depth, expected, rtol=1e-3) and (label.confidence == 255).all()
            assert label.kind is DepthKind.METRIC_INVERSE
        assert read_label(recording.teacher_path(1, "right")) is None

    def test_a_label_that_is_there_is_kept(self, tmp_path: Path) -> None:
        out, teacher = write_dataset(tmp_path / "set", RIG), Reddish()
        label_dataset(teacher, out)
        assert label_dataset(teacher, out) == {"made": 0, "kept": 6} and teacher.calls == 12  # two a label

    def test_a_killed_run_goes_on(self, tmp_path: Path) -> None:
        out, teacher = write_dataset(tmp_path / "set", RIG), Reddish()

        def killed(done: int, _: int) -> None:
            if done == 3:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            label_dataset(teacher, out, progress=killed)
        (recording,) = sequences(out)
        recording.teacher_path(3).with_suffix(".part").write_bytes(b"half")  # as the kill left it
        assert label_dataset(teacher, out) == {"made": 3, "kept": 3} and teacher.calls == 12
        assert not list(out.rglob("*.part"))

    @pytest.mark.parametrize("change", ["image", "model", "focal", "cut", "garbage"])
    def test_what_changed_is_labelled_anew(self, tmp_path: Path, change: str) -> None:
        out, teacher = write_dataset(tmp_path / "set", RIG), Reddish()
        label_dataset(teacher, out)
        (recording,) = sequences(out)
        path, expected = recording.teacher_path(2), 1
        if change == "image":
            recording.image_path(2).write_bytes(recording.image_path(3).read_bytes())
        elif change == "model":
            teacher.identity, expected = "other weights", 6
        elif change == "focal":
            teacher.factor, expected = 1.5, 6
        else:
            content = path.read_bytes()
            path.write_bytes(content[: len(content) // 2] if change == "cut" else content[::-1])
        assert label_dataset(teacher, out) == {"made": expected, "kept": 6 - expected}
        assert read_label(path) is not None

    def test_one_camera_only(self, tmp_path: Path) -> None:
        out = write_dataset(tmp_path / "set", RIG)
        assert label_dataset(Reddish(), out, ["right"]) == {"made": 2, "kept": 0}

    def test_what_float16_cannot_hold_is_refused(self) -> None:
        teacher = Reddish(factor=1e5)
        with pytest.raises(ModelError, match=r"float16.*--unit"):
            make_label(teacher, image_of(0, "left", RIG), CAMERA, "", "")


class TestConfidence:
    a = np.random.default_rng(0).uniform(0.1, 0.4, (24, 32)).astype(np.float32)

    def test_by_hand(self) -> None:
        label = np.array([[0.2, 0.2, np.nan, 0.2]], np.float32)
        other = np.array([[0.2, 0.2 * 1.05 / 0.95, 0.1, np.nan]], np.float32)  # 0.1 apart, of their mean
        found = flip_confidence(label, other, DepthKind.METRIC)
        assert found.tolist() == [[255, round(255 / np.e), 0, 0]]

    def test_each_kind_ignores_what_it_leaves_open(self) -> None:
        scaled, affine = 3 * self.a, 3 * self.a + 1
        assert (flip_confidence(self.a, self.a, DepthKind.METRIC_INVERSE) == 255).all()
        assert flip_confidence(self.a, scaled, DepthKind.METRIC_INVERSE).max() == 0
        assert (flip_confidence(self.a, scaled, DepthKind.SCALED) == 255).all()
        assert flip_confidence(self.a, affine, DepthKind.SCALED).min() < 200
        assert (flip_confidence(self.a, affine, DepthKind.RELATIVE_INVERSE) == 255).all()

    @pytest.mark.parametrize("kind", list(DepthKind))
    def test_a_contradicted_pixel_is_doubted(self, kind: DepthKind) -> None:
        other = self.a.copy()
        other[2, 3] *= 3
        found = flip_confidence(self.a, other, kind)
        assert found[2, 3] < 10 and np.median(found) > 200

    def test_nothing_known(self) -> None:
        nothing = np.full((2, 3), np.nan, np.float32)
        for kind in DepthKind:
            assert not flip_confidence(nothing, nothing, kind).any()

    def test_the_mirrored_prediction_is_mirrored_back(self) -> None:
        """A teacher that looks at where a pixel stands, not at what it shows, is doubted; least in the middle."""

        class Sided(Reddish):
            def __call__(self, image: np.ndarray) -> np.ndarray:
                return np.broadcast_to(np.linspace(1.0, 2.0, 65, dtype=np.float32), (40, 65)).copy()

        image = np.zeros((40, 65, 3), np.uint8)
        confidence = make_label(Sided(), image, CAMERA, "", "").confidence
        assert (confidence[:, 32] == 255).all() and confidence[:, 0].max() < 2
        assert (confidence == confidence[:, ::-1]).all()


class TestModel:
    @pytest.mark.parametrize("kind", [DepthKind.METRIC, DepthKind.SCALED, DepthKind.RELATIVE_INVERSE])
    def test_a_canonical_focal_length_makes_metres(self, tmp_path: Path, kind: DepthKind) -> None:
        """depth = output * fx / canonical, fx at the model's width (32 of 64): 50 / 2 = 25."""
        tiny_model(tmp_path / "m.onnx", kind, canonical_focal=50.0, height=24, width=32)
        teacher = Teacher(tmp_path / "m.onnx", DepthKind.METRIC, 1.0, threads=1)
        relative = kind is DepthKind.RELATIVE_INVERSE
        assert teacher.focal_factor(CAMERA) == pytest.approx(1.0 if relative else 2.0)
        label = make_label(teacher, np.full((40, 64, 3), 64, np.uint8), CAMERA, "", "")
        depth = expected_output(64) * 25 / 50  # 1 m
        assert np.allclose(label.inverse_depth, expected_output(64) if relative else 1 / depth, rtol=1e-3)
        assert label.kind is kind

    def test_the_command(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        out = write_dataset(tmp_path / "set", RIG)
        path = tiny_model(tmp_path / "m.onnx", DepthKind.METRIC_INVERSE, canonical_focal=None)
        assert main([str(path), str(out), "--threads", "1"]) == 0
        assert "6 images labelled by m.onnx (metric_inverse_depth), 0 were already" in capsys.readouterr().out
        (recording,) = sequences(out)
        teacher = Teacher(path, DepthKind.METRIC, 1.0, 1)
        assert read_origin(recording.teacher_path(0))[0] == origin_of(teacher, recording.calibration.cameras["left"])
        expected = expected_output(image_of(0, "left", RIG)[..., 0].astype(float))
        assert np.allclose(read_label(recording.teacher_path(0)).inverse_depth, expected, atol=0.1)

    def test_refusals_are_said(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["nowhere.onnx", str(write_dataset(tmp_path / "set", RIG))]) == 1
        assert "nowhere.onnx" in capsys.readouterr().err
        assert main(["default", str(tmp_path / "empty")]) == 1
        assert "make_dataset" in capsys.readouterr().err
