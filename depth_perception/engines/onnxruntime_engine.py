"""ONNX Runtime on a CPU, or on an NVIDIA GPU where `onnxruntime-gpu` is installed.

On the CPU it is what every other engine is compared with.
"""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depth_perception.engines.image import check_image
from depth_perception.errors import EngineError
from depth_perception.model import DepthModel

RANKS = {"cuda": 20, "cpu": 40}

_PROVIDERS = {"cuda": "CUDAExecutionProvider", "cpu": "CPUExecutionProvider"}


def unusable(device: str) -> str:
    """Why ONNX Runtime can't run on `device` here; empty if it may."""
    if importlib.util.find_spec("onnxruntime") is None:
        package = "onnxruntime-gpu" if device == "cuda" else "onnxruntime"
        return f"ONNX Runtime is not installed: pip install {package}"
    if device == "cpu":
        return ""
    import onnxruntime

    if _PROVIDERS[device] not in onnxruntime.get_available_providers():
        return (
            f"the installed onnxruntime {onnxruntime.__version__} has no CUDA: "
            "pip uninstall onnxruntime && pip install onnxruntime-gpu"
        )
    return ""


def create(model: DepthModel, device: str, threads: int) -> OnnxRuntimeEngine:
    """Load `model`; `threads` 0 leaves the number to ONNX Runtime (one a physical core)."""
    return OnnxRuntimeEngine(model, device, threads)


class OnnxRuntimeEngine:
    """One inference session."""

    name = "onnxruntime"

    def __init__(self, model: DepthModel, device: str, threads: int) -> None:
        import onnxruntime

        self.device = device
        self._shape = (model.contract.height, model.contract.width, 3)
        provider = _PROVIDERS[device]
        try:
            self._session: Any = onnxruntime.InferenceSession(str(model.path), _options(threads), providers=[provider])
        except Exception as error:  # a class of its own for each kind of failure
            raise EngineError(f"ONNX Runtime on {device} can't load {str(model.path)!r}: {error}") from error
        active = self._session.get_providers()
        if active[0] != provider:  # a CUDA library or driver that is missing ends in a silent CPU session
            raise EngineError(
                f"ONNX Runtime fell back to {active[0]} instead of {device}: install the CUDA and cuDNN "
                f"versions that onnxruntime {onnxruntime.__version__} needs, and the GPU's driver"
            )

    def infer(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(H, W, 3) uint8 → (H, W) float32, a fresh array; see `Engine.infer`."""
        if self._session is None:
            raise EngineError("the ONNX Runtime engine is closed; load it again")
        batch = check_image(image, self._shape)[None]
        try:
            return self._session.run(["depth"], {"image": batch})[0][0]  # type: ignore[no-any-return]
        except Exception as error:
            raise EngineError(f"ONNX Runtime on {self.device} failed: {error}") from error

    def close(self) -> None:
        """Drop the session."""
        self._session = None


def _options(threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3  # what matters comes as an exception
    # Spinning threads would hold the cores that the rest of the robot needs, between frames too.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options
