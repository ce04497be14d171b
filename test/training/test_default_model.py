"""Network, export and evaluation: shapes, the exported file's answer, the focal length's meaning, baselines."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from rendered_worlds import write_world

from depth_perception.contract import Contract
from depth_perception.errors import ConfigError, ModelError
from depth_perception.model import DepthModel, load_model, resolve_model
from depth_perception.records import DepthKind
from training.baselines import fit_baselines
from training.default_config import DefaultTraining
from training.evaluate_default import baseline_predictors, frozen_seeds, model_predictor, relative_std, score, table
from training.export import contract_for, export
from training.networks.mobile import CanonicalDepth, MobileDepthNet, normalise, parameter_count
from training.sim_augmentation import Sample
from training.sim_dataset import complete_worlds

CONFIG = DefaultTraining(name="tiny", canonical_focal=200.0, reduction=1)


@pytest.fixture(scope="module")
def network() -> MobileDepthNet:
    """Random weights, with batch norm statistics that aren't the trivial ones."""
    torch.manual_seed(0)
    network = MobileDepthNet()
    torch.nn.init.normal_(network.head.weight, std=0.3)
    network.train()
    with torch.no_grad():
        network(torch.randn(4, 3, 64, 96))
    return network.eval()


@pytest.fixture(scope="module")
def model(network: MobileDepthNet, tmp_path_factory: pytest.TempPathFactory) -> DepthModel:
    """`network` exported at 64x96."""
    return export(network, CONFIG, contract_for(CONFIG, 64, 96, "none", 0.25), tmp_path_factory.mktemp("m") / "m.onnx")


@pytest.mark.parametrize("size", [(256, 320), (192, 640), (64, 96)])
def test_output_has_the_size_of_the_input(network: MobileDepthNet, size: tuple[int, int]) -> None:
    with torch.no_grad():
        assert network(torch.zeros(1, 3, *size)).shape == (1, 1, *size)


def test_size_of_the_network(network: MobileDepthNet) -> None:
    assert 0.7e6 < parameter_count(network) < 2e6


def test_normalise_by_hand() -> None:
    image = torch.tensor([0, 114, 255], dtype=torch.uint8).reshape(1, 1, 1, 3)
    out = normalise(image)
    assert out.shape == (1, 3, 1, 1)  # channels first
    np.testing.assert_allclose(out.flatten().numpy(), [-2.0, 0.0, (255 - 114) / 57], atol=1e-6)


def test_the_exported_file_says_what_torch_says(network: MobileDepthNet, model: DepthModel) -> None:
    image = np.random.default_rng(5).integers(0, 256, (1, 64, 96, 3), dtype=np.uint8)
    session = onnxruntime.InferenceSession(model.path, providers=["CPUExecutionProvider"])
    actual = session.run(None, {"image": image})[0]
    with torch.no_grad():
        expected = torch.exp(network(normalise(torch.from_numpy(image))))[:, 0].numpy()
    assert actual.shape == (1, 64, 96)
    assert actual.dtype == np.float32
    assert np.ptp(actual) > 0.01
    np.testing.assert_allclose(actual, expected, rtol=1e-4)


def test_the_contract_is_inside(model: DepthModel) -> None:
    contract = load_model(model.path).contract
    assert (contract.kind, contract.height, contract.width) == (DepthKind.METRIC, 64, 96)
    assert (contract.canonical_focal, contract.relative_std, contract.licence) == (200.0, 0.25, "Apache-2.0")
    assert (contract.name, contract.training) == ("tiny", "none")


def test_a_graph_that_disagrees_with_torch_is_refused(
    network: MobileDepthNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.export.relative_difference", lambda *_: math.nan)
    with pytest.raises(ModelError, match="differs"):
        export(network, CONFIG, contract_for(CONFIG, 64, 96, "none"), tmp_path / "m.onnx")


def test_output_is_limited_to_the_canonical_range() -> None:
    class Ramp(torch.nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return torch.linspace(-20.0, 20.0, image.shape[3]).expand(1, 1, image.shape[2], -1)

    out = CanonicalDepth(Ramp(), 0.05, 300.0)(torch.zeros(1, 4, 8, 3, dtype=torch.uint8))
    assert out.shape == (1, 4, 8)
    assert (out.min().item(), out.max().item()) == pytest.approx((0.05, 300.0))


def test_a_reduced_graph_works_on_block_means(network: MobileDepthNet, tmp_path: Path) -> None:
    """Of an image whose pixels are repeated 2x2, the reduced graph says what the plain one says of the small image."""
    config = dataclasses.replace(CONFIG, reduction=2)
    reduced = export(network, config, contract_for(config, 64, 128, "none"), tmp_path / "reduced.onnx")
    assert reduced.contract.canonical_focal == 400.0
    small = np.random.default_rng(2).integers(0, 256, (32, 64, 3), dtype=np.uint8)
    session = onnxruntime.InferenceSession(reduced.path, providers=["CPUExecutionProvider"])
    out = session.run(None, {"image": small.repeat(2, axis=0).repeat(2, axis=1)[None]})[0]
    with torch.no_grad():
        log_depth = network(normalise(torch.from_numpy(small[None])))
    expected = torch.nn.functional.interpolate(log_depth, scale_factor=2.0, mode="bilinear").exp()[:, 0].numpy()
    np.testing.assert_allclose(out, expected, rtol=1e-4)


def test_half_the_focal_length_halves_the_metres(model: DepthModel) -> None:
    predict = model_predictor(model.path)
    image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    at = {fx: predict(Sample(image, np.ones((64, 96), np.float32), np.diag([fx, 77.0, 1.0]))) for fx in (100.0, 50.0)}
    np.testing.assert_allclose(at[50.0], at[100.0] / 2, rtol=1e-6)


def test_baselines_by_hand() -> None:
    depths = [np.array([[1.0, 2.0, np.inf]], np.float32), np.array([[4.0, np.nan, 500.0]], np.float32)]
    fitted = fit_baselines(depths, farthest=80.0)
    assert fitted.constant == pytest.approx(2.0)  # cube root of 1 * 2 * 4
    np.testing.assert_allclose(fitted.mean_map, [[2.0, 2.0, 2.0]])  # sqrt(1 * 4); 2; never seen: the constant
    with pytest.raises(ValueError, match="no valid depth"):
        fit_baselines([], 80.0)


def test_a_baseline_that_knows_the_answer_scores_zero(tmp_path: Path) -> None:
    """One world as training and test data: where only the focal length differs, the canonical map is exact."""
    write_world(tmp_path, 900000, "yard")
    worlds = complete_worlds(tmp_path)
    contract = Contract(DepthKind.METRIC, 64, 96, 0.1, 80.0, "none", canonical_focal=200.0)
    one = dataclasses.replace(worlds[0], frames=1)
    predictors = baseline_predictors([one], contract)
    assert set(predictors) == {"constant", "constant, canonical focal", "mean map", "mean map, canonical focal"}
    for name, predict in predictors.items():
        scores = score(name, predict, [one], contract)
        assert [(item.group, item.frames) for item in scores] == [("all", 1), ("yard", 1)]
        if name.startswith("mean map"):
            assert scores[0].plain.abs_rel == pytest.approx(0.0, abs=1e-4)
            assert relative_std(predict, [one], contract) == pytest.approx(0.0, abs=1e-4)
        else:
            assert scores[0].plain.abs_rel > 0.01
    assert "| yard | mean map | 1 | 0.000 |" in table(score("mean map", predictors["mean map"], [one], contract))
    twice = relative_std(lambda view: 2 * predictors["mean map"](view), [one], contract)
    assert twice == pytest.approx(1.0, abs=1e-3)


def test_the_frozen_list(tmp_path: Path) -> None:
    assert frozen_seeds() == set(range(900000, 900060))
    with pytest.raises(ConfigError, match=r"nothing\.yaml"):
        frozen_seeds(tmp_path / "nothing.yaml")


@pytest.mark.parametrize("size", [(256, 320), (192, 640)])
def test_the_model_that_ships_keeps_its_promises(size: tuple[int, int]) -> None:
    model = load_model(resolve_model("default", *size))
    assert (model.contract.height, model.contract.width) == size
    assert model.contract.licence == "Apache-2.0"
    assert 0.0 < model.contract.relative_std < 1.0
    assert "simulation" in model.contract.training
    assert model.path.stat().st_size < 10e6
