"""Checkpoint → ONNX files that keep the model contract: pre-processing inside, one file for each input size."""

from __future__ import annotations

import argparse
import io
import math
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from depth_perception.contract import Contract
from depth_perception.errors import ModelError
from depth_perception.model import DepthModel, write_contract
from depth_perception.records import DepthKind
from training.default_config import DefaultTraining, from_dict
from training.networks.mobile import CanonicalDepth, MobileDepthNet

if TYPE_CHECKING:
    import onnx

OPSET = 17
TOLERANCE = 1e-3  # largest relative difference between torch and ONNX Runtime


def contract_for(
    config: DefaultTraining, height: int, width: int, training: str, relative_std: float = math.nan
) -> Contract:
    """The contract of one exported size."""
    return Contract(
        kind=DepthKind.METRIC,
        height=height,
        width=width,
        min_depth=config.min_depth,
        max_depth=config.max_depth,
        licence=config.licence,
        canonical_focal=config.canonical_focal * config.reduction,
        relative_std=relative_std,
        training=training,
        name=config.name,
    )


def export(network: torch.nn.Module, config: DefaultTraining, contract: Contract, out: Path) -> DepthModel:
    """Write `network` for the contract's size to `out` and compare the file's answer with torch's.

    Raises:
        ModelError: the exported graph disagrees with torch.
    """
    wrapped = CanonicalDepth(network, config.min_canonical, config.max_canonical, config.reduction)
    return export_graph(wrapped, contract, out)


def export_graph(wrapped: torch.nn.Module, contract: Contract, out: Path) -> DepthModel:
    """Write a module that already maps the contract's image to the contract's output, and compare the file with torch.

    Args:
        wrapped: uint8 (1, H, W, 3) → float32 (1, H, W), as `networks.exported` and `CanonicalDepth` are.

    Raises:
        ModelError: the exported graph disagrees with torch.
    """
    wrapped = wrapped.eval()
    image = torch.randint(0, 256, (1, contract.height, contract.width, 3), dtype=torch.uint8)
    buffer: Any = io.BytesIO()  # the tracing exporter writes to a file object, though its signature doesn't say so
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the tracing exporter needs no further package
        for noise in (UserWarning, torch.jit.TracerWarning):  # the size is fixed, and what isn't folded is so below
            warnings.simplefilter("ignore", noise)
        torch.onnx.export(
            wrapped, (image,), buffer, opset_version=OPSET, dynamo=False, input_names=["image"], output_names=["depth"]
        )
    model = write_contract(fold_constants(buffer.getvalue()), contract, out)
    difference = relative_difference(wrapped, model, image)
    if not difference < TOLERANCE:
        raise ModelError(f"{str(out)!r} differs from torch by {difference!r} of depth, allowed are {TOLERANCE!r}")
    return model


def fold_constants(graph: bytes) -> onnx.ModelProto:
    """The same graph without what is known beforehand: the exporter computes paddings and shapes anew for each image.

    Only standard operators are used, so that every engine reads the result.
    """
    import onnx
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 3  # it warns that the file may suit this machine only, which holds for higher levels
    with tempfile.TemporaryDirectory() as folder:
        options.optimized_model_filepath = str(Path(folder) / "folded.onnx")
        onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        model = onnx.load(options.optimized_model_filepath)
    used = {node.domain for node in model.graph.node}
    unused = [entry for entry in model.opset_import if entry.domain and entry.domain not in used]
    for entry in unused:
        model.opset_import.remove(entry)
    return model


def relative_difference(wrapped: torch.nn.Module, model: DepthModel, image: torch.Tensor) -> float:
    """Largest difference between ONNX Runtime and torch for one image (1, H, W, 3) uint8.

    As a share of each pixel's depth; for an output that may cross zero (unknown shift), of the mean size of all.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(model.path, providers=["CPUExecutionProvider"])
    with torch.no_grad():
        expected = wrapped(image).numpy()
    actual = session.run(None, {"image": image.numpy()})[0]
    size = np.abs(expected)
    if model.contract.kind is DepthKind.RELATIVE_INVERSE:
        size = size.mean()
    return float(np.max(np.abs(actual - expected) / size))


def load_checkpoint(path: str | Path) -> tuple[MobileDepthNet, DefaultTraining, str]:
    """Averaged weights, settings and training summary of a checkpoint of `training.train_default`."""
    checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    network = MobileDepthNet()
    network.load_state_dict(checkpoint["average"])
    return network.eval(), from_dict(checkpoint["config"]), checkpoint["summary"]


def main(arguments: list[str] | None = None) -> None:
    """Command line: `python -m training.export CHECKPOINT OUT_FOLDER [--relative-std X]`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path, help="folder; files are named <name>_<H>x<W>.onnx")
    parser.add_argument("--relative-std", type=float, default=math.nan, help="as training.evaluate_default measured it")
    options = parser.parse_args(arguments)
    network, config, summary = load_checkpoint(options.checkpoint)
    for height, width in config.export_sizes:
        contract = contract_for(config, height, width, summary, options.relative_std)
        model = export(network, config, contract, options.out / f"{config.name}_{height}x{width}.onnx")
        print(f"{model.path} {model.path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
