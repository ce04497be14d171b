"""What MODEL can be: each kind of file answers as its trainer's own code does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from dataset_folders import K_LEFT, Rig, image_of, write_dataset
from tiny_model import tiny_model

from depth_perception.camera import CameraModel
from depth_perception.errors import ModelError
from depth_perception.records import DepthKind
from training.default_config import DefaultTraining, to_dict
from training.evaluate import main
from training.evaluation.checkpoint import TorchPredictor, kind_of
from training.evaluation.models import open_model
from training.evaluation.predictor import EnginePredictor, _positive
from training.evaluation.protocol import Cap
from training.loop.configuration import TrainingConfig, from_values
from training.loop.model import make_networks
from training.loop.run_folder import save_weights
from training.networks.mobile import MobileDepthNet

RIG = Rig(frames=2, height=32, width=64, right=False, split="test")
CAMERA = CameraModel(32, 64, K_LEFT)
IMAGE = image_of(1, "left", RIG)


def settings(**values: Any) -> TrainingConfig:
    return from_values({"data": {"height": 32, "width": 64}, **values})


def written(path: Path, config: TrainingConfig) -> Path:
    save_weights(path, make_networks(config), config, {})
    return path


class TestTorchWeights:
    def test_metres_are_the_networks(self, tmp_path: Path) -> None:
        config = settings(recipe="guizilini_l1")
        path = written(tmp_path / "weights.safetensors", config)
        found = TorchPredictor(path)(IMAGE, CAMERA)
        with torch.no_grad():
            image = torch.from_numpy(IMAGE[None]).permute(0, 3, 1, 2).float() / 255
            inverse = make_networks(config).eval().depth(image)[0][0, 0].numpy()
        assert found == pytest.approx(np.clip(1 / inverse, 0.5, 100.0), rel=1e-4)

    def test_another_size_is_brought_back(self, tmp_path: Path) -> None:
        path = written(tmp_path / "weights.safetensors", settings(recipe="guizilini_l1"))
        large = np.repeat(np.repeat(IMAGE, 2, axis=0), 2, axis=1)
        predictor = TorchPredictor(path)
        found = predictor(large, CameraModel(64, 128, K_LEFT))
        assert found.shape == (64, 128)
        assert np.median(found) == pytest.approx(np.median(predictor(IMAGE, CAMERA)), rel=0.05)

    def test_what_the_training_saw_decides_the_kind(self) -> None:
        kinds = {
            "guizilini_self": DepthKind.SCALED, "guizilini_rep": DepthKind.METRIC, "robot": DepthKind.METRIC,
            "kuznietsov": DepthKind.METRIC, "midas_student": DepthKind.RELATIVE_INVERSE,
        }  # fmt: skip
        assert {name: kind_of(settings(recipe=name)) for name in kinds} == kinds
        odometry = settings(recipe="guizilini_self", network={"motion": "odometry"})
        stereo = settings(recipe="guizilini_self", objective={"stereo": True})
        assert kind_of(odometry) is DepthKind.METRIC and kind_of(stereo) is DepthKind.METRIC

    def test_the_command(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        data = str(write_dataset(tmp_path / "set", RIG))
        student = written(
            tmp_path / "student.safetensors", settings(recipe="midas_student", network={"name": "student"})
        )
        assert main([str(student), data]) == 1
        assert "say --align affine" in capsys.readouterr().err
        assert main([str(student), data, "--align", "affine"]) == 0
        assert "student.safetensors (relative_inverse_depth, torch/cpu" in capsys.readouterr().out

    def test_what_is_none(self, tmp_path: Path) -> None:
        (tmp_path / "x.safetensors").write_text("words")
        with pytest.raises(ModelError, match="is no weights file"):
            open_model(str(tmp_path / "x.safetensors"), "auto", CAMERA, tmp_path)
        (tmp_path / "last.ckpt").write_text("")
        with pytest.raises(ModelError, match=r"evaluate best\.safetensors"):
            open_model(str(tmp_path / "last.ckpt"), "auto", CAMERA, tmp_path)


class TestEngine:
    def test_relative_inverse_depth_is_interpolated_as_it_is(self, tmp_path: Path) -> None:
        path = tiny_model(tmp_path / "r.onnx", DepthKind.RELATIVE_INVERSE, None, height=2, width=2)
        image = np.zeros((2, 4, 3), np.uint8)
        image[:, 2:, 0] = 64  # columns of the model: 1 and 2
        found = EnginePredictor(str(path))(image, CameraModel(2, 4, K_LEFT))
        assert found == pytest.approx(np.array([[1.0, 1.25, 1.75, 2.0]] * 2))

    def test_depth_jumps_instead(self, tmp_path: Path) -> None:
        path = tiny_model(tmp_path / "m.onnx", DepthKind.METRIC, None, height=2, width=2)
        image = np.zeros((2, 4, 3), np.uint8)
        image[:, 2:, 0] = 64
        found = EnginePredictor(str(path))(image, CameraModel(2, 4, K_LEFT))
        assert sorted(set(found.ravel().tolist())) == [1.0, 2.0]  # no flying pixel

    def test_nothing_is_cut_off_at_the_models_range(self, tmp_path: Path) -> None:
        path = tiny_model(tmp_path / "m.onnx", DepthKind.METRIC, None, height=2, width=2, max_depth=1.5)
        predictor = EnginePredictor(str(path))
        assert predictor(np.full((2, 2, 3), 128, np.uint8), CameraModel(2, 2, K_LEFT)) == pytest.approx(3.0)
        assert predictor.range == Cap(0.1, 1.5)

    def test_what_is_not_positive_can_be_aligned(self) -> None:
        depth = np.array([-1.0, 0.0, 2.0, np.inf], np.float32)
        assert _positive(depth, DepthKind.METRIC).tolist() == pytest.approx([1e-6, 1e-6, 2.0, 1e6])
        assert _positive(depth, DepthKind.METRIC_INVERSE).tolist() == pytest.approx([1e6, 1e6, 2.0, 1e6])


def test_a_checkpoint_of_the_default_trainer_is_exported_for_the_camera(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = DefaultTraining(export_sizes=((64, 64), (64, 128)))
    state = {"average": MobileDepthNet().state_dict(), "config": to_dict(config), "summary": "nothing"}
    torch.save(state, tmp_path / "checkpoint.pt")
    predictor = open_model(str(tmp_path / "checkpoint.pt"), "onnxruntime", CAMERA, tmp_path)
    assert predictor.name == "checkpoint.pt" and predictor.kind is DepthKind.METRIC
    assert [path.name for path in tmp_path.glob("*.onnx")] == [f"{config.name}_64x128.onnx"]
    assert predictor(IMAGE, CAMERA).shape == (32, 64)
