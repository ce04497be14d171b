"""Trained network → ONNX that keeps the model contract: pre-processing inside, compared with torch before it is there.

    python -m training.export RUN OUT.onnx --data DATASET       # a run of training.train, or one of its weights files
    python -m training.export CHECKPOINT.pt OUT_FOLDER          # of training.train_default: <name>_<H>x<W>.onnx

RUN gives its best weights where it was validated, else the last. DATASET, on which it was trained, tells the focal
length that these networks take for granted, and how far metres are off in its split val (relative_std).
"""

from __future__ import annotations

import argparse
import io
import math
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from depth_perception.contract import Contract
from depth_perception.errors import DepthPerceptionError, ModelError
from depth_perception.model import DepthModel, load_model, write_contract
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


def export_graph(
    wrapped: torch.nn.Module, contract: Contract, out: Path, image: torch.Tensor | None = None
) -> DepthModel:
    """Compare what will be the file with torch, then write it whole.

    Args:
        wrapped: uint8 (1, H, W, 3) → float32 (1, H, W), as `networks.exported` and `CanonicalDepth` are.
        image: that they are compared on; without one, noise.

    Raises:
        ModelError: the exported graph disagrees with torch; `out` is left as it was.
    """
    wrapped = wrapped.eval()
    if image is None:
        image = torch.randint(0, 256, (1, contract.height, contract.width, 3), dtype=torch.uint8)
    buffer: Any = io.BytesIO()  # the tracing exporter writes to a file object, though its signature doesn't say so
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the tracing exporter needs no further package
        for noise in (UserWarning, torch.jit.TracerWarning):  # the size is fixed, and what isn't folded is so below
            warnings.simplefilter("ignore", noise)
        torch.onnx.export(
            wrapped, (image,), buffer, opset_version=OPSET, dynamo=False, input_names=["image"], output_names=["depth"]
        )
    unchecked = out.with_name(out.name + ".unchecked")
    try:
        model = write_contract(fold_constants(buffer.getvalue()), contract, unchecked)
        difference = relative_difference(wrapped, model, image)
        if not difference < TOLERANCE:
            raise ModelError(
                f"{str(out)!r} isn't written: it differs from torch by {difference!r} of depth, allowed {TOLERANCE!r}"
            )
        unchecked.replace(out)
    finally:
        unchecked.unlink(missing_ok=True)
    return load_model(out)


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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trained", type=Path, metavar="RUN|CHECKPOINT.pt")
    parser.add_argument("out", type=Path, metavar="OUT.onnx|OUT_FOLDER")
    parser.add_argument("--data", type=Path, metavar="DATASET", help="of a run: what it was trained on")
    parser.add_argument("--licence", help="of a run: the weights' [not stated]")
    parser.add_argument("--relative-std", type=float, default=math.nan,
        help="one standard deviation as a share of depth; a run's is measured otherwise, a checkpoint's by "
        "training.evaluate_default")  # fmt: skip
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Console entry: 1 and the reason on an error that a user can act on."""
    parser = _parser()
    given = parser.parse_args(arguments)
    of_checkpoint = given.trained.suffix == ".pt"
    if of_checkpoint and (given.data or given.licence):
        parser.error("--data and --licence are for a run of training.train; a checkpoint (.pt) brings its own")
    if not of_checkpoint and given.data is None:
        parser.error("a run needs --data DATASET, on which it was trained: it knows the camera's focal length")
    try:
        models = _of_checkpoint(given) if of_checkpoint else [_of_run(given)]
    except (DepthPerceptionError, OSError) as error:
        print(f"export: {error}", file=sys.stderr)
        return 1
    for model in models:
        print(f"{model.path} {model.path.stat().st_size / 1e6:.2f} MB")
    return 0


def _of_checkpoint(given: argparse.Namespace) -> list[DepthModel]:
    network, config, summary = load_checkpoint(given.trained)
    return [
        export(network, config, contract, given.out / f"{config.name}_{contract.height}x{contract.width}.onnx")
        for size in config.export_sizes
        for contract in [contract_for(config, *size, summary, given.relative_std)]
    ]


def _of_run(given: argparse.Namespace) -> DepthModel:
    from training.export_run import export_run  # which needs this module's `export_graph`

    return export_run(given.trained, given.data, given.out, given.licence or "not stated", given.relative_std)


if __name__ == "__main__":
    sys.exit(main())
