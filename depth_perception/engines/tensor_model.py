"""Networks without a contract, run as they are: teachers, also those that come as TensorFlow Lite."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depth_perception.engines.image import check_image
from depth_perception.engines.openvino_engine import compile_model, unusable
from depth_perception.errors import EngineError


def read_tensor_model(path: str | Path, threads: int = 0) -> TensorModel:
    """The network of any file that OpenVINO reads (ONNX, TensorFlow Lite, IR), ready to be called.

    Raises:
        EngineError: OpenVINO isn't installed or can't load the file, or the network isn't one input uint8 [1, H, W, 3]
            with one single-channel output.
    """
    problem = unusable("cpu")
    if problem:
        raise EngineError(problem)
    if not Path(path).is_file():
        raise EngineError(f"there is no model file {str(path)!r}")
    return TensorModel(Path(path), threads)


class TensorModel:
    """A network of one image of `height` x `width` pixels, under OpenVINO on the CPU."""

    def __init__(self, path: Path, threads: int) -> None:
        compiled = compile_model(path, "cpu", threads)
        inputs, outputs = compiled.inputs, compiled.outputs
        said = ", ".join(f"{port.element_type.get_type_name()} {port.partial_shape}" for port in [*inputs, *outputs])
        if len(inputs) != 1 or len(outputs) != 1 or inputs[0].partial_shape.is_dynamic:
            raise EngineError(f"{str(path)!r} has {said}: it must have one image of fixed size and one output")
        shape = tuple(inputs[0].shape)
        if len(shape) != 4 or shape[0] != 1 or shape[3] != 3 or inputs[0].element_type.get_type_name() != "u8":
            raise EngineError(
                f"{str(path)!r} has {said}: its input must be uint8 [1, H, W, 3]; give an ONNX network "
                "the contract with `depth-perception model import`"
            )
        self.height, self.width = shape[1:3]
        self._request: Any = compiled.create_infer_request()

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(H, W, 3) uint8 RGB → (h, w) float32: the output's numbers as they stand in the file.

        What they mean is for the caller to know: a quantised network gives its integers, times a factor of its own
        they are metres.
        """
        batch = check_image(image, (self.height, self.width, 3))[None]
        try:
            output = self._request.infer([batch], share_inputs=True, share_outputs=True)[0]
        except Exception as error:
            raise EngineError(f"OpenVINO failed: {error}") from error
        return output.reshape([size for size in output.shape if size != 1]).astype(np.float32)  # type: ignore[no-any-return]
