"""A run of training.train becomes the model file that its settings and its dataset say, or nothing."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dataset_folders import image_of
from training_runs import RIG, settings, write_drives

from depth_perception.camera import CameraModel
from depth_perception.model import load_model
from depth_perception.records import DepthKind
from training.dataset_folder import Image
from training.evaluate import main as evaluate
from training.evaluation.cases import DatasetCases
from training.evaluation.predictor import EnginePredictor
from training.evaluation.protocol import Cap
from training.evaluation.relative_std import relative_std
from training.export import main
from training.loop.data import fingerprint
from training.loop.model import make_networks
from training.loop.run_folder import open_run, save_weights

# The dataset's images are 32x64 with fx 50 px; the networks here see them at 64x128, so with fx 100 px.
SIZE = {"height": 64, "width": 128}


@pytest.fixture(scope="module")
def drives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_drives(tmp_path_factory.mktemp("drives"), frames=3)


def write_run(run: Path, data: Path, name: str = "best", **changes: Any) -> Path:
    """A run as it is before its first step, with weights in `name`.safetensors."""
    config = settings(data={**SIZE}, **changes)
    facts = fingerprint(data)
    open_run(run, config, facts, resume=False)
    if name:
        save_weights(run / f"{name}.safetensors", make_networks(config), config, {"dataset": facts, "step": 7})
    return run


def figures(model: Path, data: Path, out: Path) -> dict[str, float]:
    assert evaluate([str(model), str(data), "--split", "val", "--align", "affine", "--out", str(out)]) == 0
    result = json.loads((out / "result.json").read_text())
    return {key: value for key, value in result["overall"]["affine"].items() if isinstance(value, float)}


@pytest.mark.parametrize(
    ("changes", "kind", "focal"),
    [
        ({}, DepthKind.METRIC, 100.0),
        ({"recipe": "guizilini_self"}, DepthKind.SCALED, None),
        ({"recipe": "midas_student"}, DepthKind.RELATIVE_INVERSE, None),  # a map at half size
        ({"recipe": "midas_student", "network": {"name": "student"}}, DepthKind.RELATIVE_INVERSE, None),
    ],
    ids=["metric", "scaled", "relative", "student"],
)
def test_the_file_says_what_the_weights_say(
    drives: Path, tmp_path: Path, changes: dict[str, Any], kind: DepthKind, focal: float | None
) -> None:
    run, out = write_run(tmp_path / "run", drives, **{"network": {"name": "real_time"}, **changes}), tmp_path / "m.onnx"
    assert main([str(run), str(out), "--data", str(drives), "--licence", "mine"]) == 0
    contract = load_model(out).contract
    assert (contract.kind, contract.canonical_focal) == (kind, focal)
    assert (contract.height, contract.width, contract.min_depth, contract.max_depth) == (64, 128, 0.5, 100.0)
    assert (contract.name, contract.licence) == ("m", "mine")
    assert fingerprint(drives)["manifest_sha256"] in contract.training and "7 steps" in contract.training
    assert math.isnan(contract.relative_std) == (kind is not DepthKind.METRIC)
    one, other = (figures(path, drives, tmp_path / path.stem) for path in (out, run / "best.safetensors"))
    assert one.keys() == other.keys() and len(one) > 5
    assert one == pytest.approx(other, rel=1e-3)


def test_another_cameras_metres_follow_its_focal_length(drives: Path, tmp_path: Path) -> None:
    """Twice the focal length: an object that looks the same is twice as far. Without the contract's focal: as far."""
    out = tmp_path / "m.onnx"
    assert main([str(write_run(tmp_path / "run", drives)), str(out), "--data", str(drives)]) == 0
    predictor, image = EnginePredictor(str(out)), image_of(1, "left", RIG)
    own, longer = (CameraModel(32, 64, np.array([[fx, 0, 30.0], [0, 60.0, 17], [0, 0, 1]])) for fx in (50.0, 100.0))
    assert predictor(image, longer) == pytest.approx(2.0 * predictor(image, own), rel=1e-5)


@dataclass
class Wrong:
    """Says `near` times the measured depth for references nearer than 32 m, and `far` times it for the others."""

    cases: DatasetCases
    near: float
    far: float
    name: str = ""
    sha256: str = ""
    backend: str = ""
    kind: DepthKind = DepthKind.METRIC
    range = Cap(0.5, 100.0)

    def __call__(self, image: Image, camera: CameraModel) -> np.ndarray:
        target = next(case.target for case in self.cases if np.array_equal(case.image, image))
        return np.where(target < 32.0, self.near * target, self.far * target).astype(np.float32)


def test_relative_std_holds_two_thirds_of_the_pixels(drives: Path) -> None:
    cases = DatasetCases(drives, "val")  # depth goes evenly from 2 to 66 m: not quite half is nearer than 32 m
    assert relative_std(Wrong(cases, 0.9, 0.9), cases) == pytest.approx(0.1, rel=1e-4)  # either sign
    assert relative_std(Wrong(cases, 1.1, 1.5), cases) == pytest.approx(0.5, rel=1e-4)
    assert relative_std(Wrong(cases, 1.1, 1.0), cases) == pytest.approx(0.1, rel=1e-4)


def test_a_given_relative_std_is_taken(drives: Path, tmp_path: Path) -> None:
    run, out = write_run(tmp_path / "run", drives, "weights"), tmp_path / "m.onnx"
    arguments = [str(run / "weights.safetensors"), str(out), "--data", str(drives), "--relative-std", "0.3"]
    assert main(arguments) == 0
    contract = load_model(out).contract
    assert (contract.relative_std, contract.licence) == (0.3, "not stated")


def test_a_file_that_would_differ_from_torch_leaves_the_old_one(
    drives: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run, out = write_run(tmp_path / "run", drives), tmp_path / "out" / "m.onnx"
    out.parent.mkdir()
    out.write_text("old")
    monkeypatch.setattr("training.export.relative_difference", lambda *_: 0.01)
    assert main([str(run), str(out), "--data", str(drives)]) == 1
    assert "differs from torch by 0.01" in capsys.readouterr().err
    assert [(path.name, path.read_text()) for path in out.parent.iterdir()] == [("m.onnx", "old")]


def test_what_cannot_be_exported(drives: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def reason(run: Path, data: Path = drives) -> str:
        assert main([str(run), str(tmp_path / "m.onnx"), "--data", str(data)]) == 1
        assert not (tmp_path / "m.onnx").exists()
        return capsys.readouterr().err

    assert "is no run of training.train" in reason(tmp_path / "nothing")
    assert "let training.train go on with --resume" in reason(write_run(tmp_path / "early", drives, ""))
    other = write_drives(tmp_path / "other", frames=2)
    (other / "manifest.json").write_text('{"sequences": {"drive": "another"}}')
    assert "trained on another dataset" in reason(write_run(tmp_path / "run", drives), other)
    for arguments in (["run", "m.onnx"], ["c.pt", "folder", "--data", "d"]):
        with pytest.raises(SystemExit):
            main(arguments)
