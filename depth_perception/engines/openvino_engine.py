"""OpenVINO on a CPU (Intel, AMD, Arm) or an Intel GPU."""

from __future__ import annotations

import importlib.util
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depth_perception.engines.image import check_image
from depth_perception.errors import EngineError
from depth_perception.model import DepthModel

RANKS = {"cpu": 30, "gpu": 60}


def unusable(device: str) -> str:
    """Why OpenVINO can't run on `device` here; empty if it may."""
    if importlib.util.find_spec("openvino") is None:
        return "OpenVINO is not installed: pip install openvino"
    if device == "cpu":
        return ""  # importing OpenVINO to ask would only cost time: every build has its CPU plugin
    import openvino

    found = openvino.Core().available_devices
    if not any(name.startswith(device.upper()) for name in found):
        return f"OpenVINO finds no Intel GPU, only {found}: install its compute driver (intel-opencl-icd)"
    return ""


def create(model: DepthModel, device: str, threads: int) -> OpenVinoEngine:
    """Load `model`; `threads` 0 leaves the number to OpenVINO (one a physical core)."""
    return OpenVinoEngine(model, device, threads)


class OpenVinoEngine:
    """One compiled model with one inference request."""

    name = "openvino"

    def __init__(self, model: DepthModel, device: str, threads: int) -> None:
        self.device = device
        self._shape = (model.contract.height, model.contract.width, 3)
        self._request: Any = compile_model(model.path, device, threads).create_infer_request()

    def infer(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(H, W, 3) uint8 → (H, W) float32, a fresh array; see `Engine.infer`."""
        if self._request is None:
            raise EngineError("the OpenVINO engine is closed; load it again")
        batch = check_image(image, self._shape)[None]
        try:
            # Shared in both directions; the copy is needed, since the next call writes into the same output.
            return self._request.infer([batch], share_inputs=True, share_outputs=True)[0][0].copy()  # type: ignore[no-any-return]
        except Exception as error:
            raise EngineError(f"OpenVINO on {self.device} failed: {error}") from error

    def close(self) -> None:
        """Drop the compiled model."""
        self._request = None


def compile_model(path: Path, device: str, threads: int) -> Any:
    """The compiled network of a file, without looking at a contract; `EngineError` if OpenVINO can't load it."""
    import openvino

    options: dict[str, Any] = {
        "PERFORMANCE_HINT": "LATENCY",
        # OpenVINO's own default is bfloat16 or float16 where the chip has it, but precision belongs to the file.
        "INFERENCE_PRECISION_HINT": "f32",
    }
    if device == "cpu":
        # A thread that is pinned to a core waits for whoever else the robot runs there: twice as slow on a busy one.
        options["ENABLE_CPU_PINNING"] = False
        if threads:
            options["INFERENCE_NUM_THREADS"] = threads
    # OpenVINO gives the thread that compiles a signal stack and frees it when the model goes, from whatever thread that
    # happens: the next signal that our thread handled would end the process. So a thread compiles that ends here.
    try:
        with ThreadPoolExecutor(1) as compiler:
            return compiler.submit(openvino.Core().compile_model, str(path), device.upper(), options).result()
    except Exception as error:
        raise EngineError(f"OpenVINO on {device} can't load {str(path)!r}: {error}") from error
