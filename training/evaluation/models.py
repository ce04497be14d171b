"""What MODEL means on the command line: an ONNX file, or weights of either trainer."""

from __future__ import annotations

import math
from pathlib import Path

from depth_perception.camera import CameraModel
from depth_perception.errors import ModelError
from training.evaluation.predictor import EnginePredictor, Predictor


def open_model(model: str, backend: str, camera: CameraModel, folder: Path) -> Predictor:
    """What answers.

    'default' and ONNX files run in `backend`. A checkpoint of training.train_default (.pt) is exported first, to the
    shape nearest the camera's, into `folder`. Weights of training.train (.safetensors) run in torch.

    Raises:
        ModelError, EngineError: it is no model, or can't be run.
    """
    suffix = Path(model).suffix
    if suffix not in (".pt", ".ckpt", ".safetensors"):
        return EnginePredictor(model, backend)
    if not Path(model).is_file():
        raise ModelError(f"there is no model file {model!r}; give an ONNX file, a checkpoint, or 'default'")
    if suffix == ".ckpt":
        raise ModelError(
            f"{model!r} is what a run goes on from; evaluate best.safetensors or weights.safetensors beside it"
        )
    if suffix == ".safetensors":
        from training.evaluation.checkpoint import TorchPredictor

        return TorchPredictor(Path(model))
    return EnginePredictor(str(_exported(Path(model), camera, folder)), backend, Path(model).name)


def _exported(checkpoint: Path, camera: CameraModel, folder: Path) -> Path:
    from training.export import contract_for, export, load_checkpoint

    try:
        network, config, summary = load_checkpoint(checkpoint)
    except Exception as error:  # torch, pickle, zipfile and a missing key each have their own
        raise ModelError(
            f"{str(checkpoint)!r} is no checkpoint of training.train_default ({type(error).__name__}: {error}); export "
            "it to ONNX and give that file"
        ) from error
    aspect = math.log(camera.height / camera.width)
    height, width = min(config.export_sizes, key=lambda size: abs(math.log(size[0] / size[1]) - aspect))
    contract = contract_for(config, height, width, summary)
    return export(network, config, contract, folder / f"{config.name}_{height}x{width}.onnx").path
