"""Every depth network through the contract: file against torch, in each engine, with the kind that training earned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from depth_perception.config import EngineConfig
from depth_perception.contract import Contract
from depth_perception.engines import load_engine
from depth_perception.errors import ModelError
from depth_perception.model import load_model
from depth_perception.records import DepthKind
from training.export import export_graph
from training.networks.depth_network import DepthNetwork
from training.networks.exported import DepthFromInverse, RelativeInverse, depth_kind, unit_image
from training.networks.student import StudentNet

HEIGHT, WIDTH = 64, 96
TOLERANCE = 1e-4  # of depth, between torch and an engine; the export itself refuses 1e-3


def contract(kind: DepthKind) -> Contract:
    return Contract(kind, HEIGHT, WIDTH, 0.5, 80.0, licence="none", training="none", name="test")


def picture() -> torch.Tensor:
    return torch.randint(0, 256, (1, HEIGHT, WIDTH, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(5))


def agree(wrapped: torch.nn.Module, path: Path, size: str) -> None:
    """Every installed engine gives torch's answer, as a share of its `size`: each pixel's or the mean."""
    with torch.no_grad():
        expected = wrapped(picture())[0].numpy()
    assert expected.std() > 0
    model = load_model(path)
    for backend in ("onnxruntime", "openvino"):
        if backend == "openvino" and not _openvino():
            continue
        engine = load_engine(model, EngineConfig(backend, "cpu", 1)).engine
        assert engine.name == backend
        actual = engine.infer(picture()[0].numpy())
        engine.close()
        whole = np.abs(expected) if size == "pixel" else np.abs(expected).mean()
        assert np.max(np.abs(actual - expected) / whole) < TOLERANCE, backend


def _openvino() -> bool:
    try:
        import openvino  # noqa: F401
    except ImportError:
        return False
    return True


@pytest.mark.parametrize("scale_seen", [False, True])
def test_kind(scale_seen: bool) -> None:
    assert depth_kind(scale_seen) is (DepthKind.METRIC if scale_seen else DepthKind.SCALED)


def test_depth_networks_run_in_the_engines(network: DepthNetwork, tmp_path: Path) -> None:
    wrapped = DepthFromInverse(network.eval(), 0.5, 200.0).eval()
    model = export_graph(wrapped, contract(depth_kind(scale_seen=False)), tmp_path / "m.onnx")
    assert model.contract.kind is DepthKind.SCALED
    agree(wrapped, model.path, "pixel")


def test_student_runs_in_the_engines(tmp_path: Path) -> None:
    torch.manual_seed(0)
    wrapped = RelativeInverse(StudentNet()).eval()
    model = export_graph(wrapped, contract(DepthKind.RELATIVE_INVERSE), tmp_path / "m.onnx")
    agree(wrapped, model.path, "mean")


def test_depth_is_the_reciprocal_within_the_limits() -> None:
    class Fixed(torch.nn.Module):
        reduction = 2

        def forward(self, image: torch.Tensor) -> tuple[torch.Tensor]:
            assert image.shape == (1, 3, 4, 8) and image.max() <= 1
            return (torch.tensor([[-1.0, 0.0, 0.25, 0.25], [0.25, 0.25, 0.25, 100.0]]).view(1, 1, 2, 4),)

    depth = DepthFromInverse(Fixed(), 0.5, 80.0)(torch.full((1, 4, 8, 3), 255, dtype=torch.uint8))
    assert depth.shape == (1, 4, 8)
    assert depth[0, 0, 0] == 80.0  # negative, as paper 2's linear output can be
    assert depth[0, 0, 7] == 4.0
    assert depth[0, 3, 7] == 0.5
    assert depth[0, 2, 7].item() == pytest.approx(1 / 2.0)  # between 0.25 and 100, far above 1 / 0.5


def test_unit_image_by_hand() -> None:
    image = torch.tensor([0, 51, 255], dtype=torch.uint8).view(1, 1, 1, 3)
    torch.testing.assert_close(unit_image(image).flatten(), torch.tensor([0.0, 0.2, 1.0]))


def test_exported_graph_is_static_and_standard(network: DepthNetwork, tmp_path: Path) -> None:
    """No shapes are computed anew for each image, and no operator belongs to one engine."""
    wrapped = DepthFromInverse(network.eval(), 0.5, 80.0)
    path = export_graph(wrapped, contract(DepthKind.SCALED), tmp_path / "m.onnx").path
    graph = onnx.load(path)
    kinds = {node.op_type for node in graph.graph.node}
    assert not kinds & {"Shape", "ConstantOfShape", "Gather", "Range", "If", "Loop"}
    assert {node.domain for node in graph.graph.node} <= {"", "ai.onnx"}


def test_a_file_that_differs_from_torch_is_an_error(tmp_path: Path) -> None:
    class Noisy(torch.nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            depth = image.float().mean(dim=3) + 1.0
            return depth * (1.0 if torch.jit.is_tracing() else 1.01)

    with pytest.raises(ModelError, match="differs from torch"):
        export_graph(Noisy(), contract(DepthKind.METRIC), tmp_path / "m.onnx")
