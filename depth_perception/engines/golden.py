"""The golden check: an engine that doesn't compute what ONNX Runtime computes on the CPU is refused.

Compilers of networks do get it wrong: TensorRT 10.3 on Jetson gave depth whose scale changed from frame to frame
(ika-rwth-aachen/ros2-depth-anything-v3-trt, issue 16). So two images are run in turn, and the first once more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from depth_perception.errors import EngineError
from depth_perception.model import DepthModel

if TYPE_CHECKING:
    from depth_perception.engines import Engine

MEDIAN_LIMIT = 0.02  # of relative error; float16 arithmetic stays below 0.01
TAIL_LIMIT = 0.10  # of relative error, 95th percentile: a part of the image that is wrong


def golden_images(height: int, width: int) -> list[NDArray[np.uint8]]:
    """Two fixed images (H, W, 3) uint8 with large shapes, edges and fine texture; the second is the first, mirrored."""
    rng = np.random.default_rng(14)
    v, u = np.mgrid[0:height, 0:width] / np.array([height, width]).reshape(2, 1, 1)
    image = np.stack([255 * v, 255 * u, 127 + 127 * np.sin(9 * u + 5 * v)], axis=-1)
    for _ in range(12):
        top, left = rng.integers(0, height), rng.integers(0, width)
        image[top : top + height // 4, left : left + width // 5] = rng.integers(0, 256, 3)
    first = np.clip(image + rng.normal(0, 8, image.shape), 0, 255).astype(np.uint8)
    return [first, np.ascontiguousarray(first[:, ::-1])]


def check_golden(engine: Engine, reference: Engine, model: DepthModel) -> float:
    """Compare `engine` with `reference` on the golden images.

    Returns:
        The greatest median relative error.

    Raises:
        EngineError: an output of another shape or type, values that aren't finite where the reference's are, or an
            error beyond the limits.
    """
    first, second = golden_images(model.contract.height, model.contract.width)
    wanted = {id(image): reference.infer(image) for image in (first, second)}
    worst = 0.0
    for image in (first, second, first):
        worst = max(worst, _compare(engine.infer(image), wanted[id(image)]))
    return worst


def _compare(actual: NDArray[np.float32], wanted: NDArray[np.float32]) -> float:
    if actual.shape != wanted.shape or actual.dtype != wanted.dtype:
        raise EngineError(
            f"it gives {actual.dtype} {actual.shape} on the golden image, expected {wanted.dtype} {wanted.shape}"
        )
    finite = np.isfinite(wanted)
    if not np.isfinite(actual[finite]).all():
        raise EngineError("it gives NaN or Inf on the golden image where ONNX Runtime on the CPU doesn't")
    if not finite.any():
        return 0.0
    magnitude = np.abs(wanted[finite])
    floor = max(0.1 * float(magnitude.mean()), float(np.finfo(np.float32).tiny))  # kinds without scale may cross zero
    error = np.abs(actual[finite] - wanted[finite]) / np.maximum(magnitude, floor)
    median, tail = float(np.median(error)), float(np.quantile(error, 0.95))
    if median > MEDIAN_LIMIT or tail > TAIL_LIMIT:
        raise EngineError(
            f"it disagrees with ONNX Runtime on the CPU on the golden image: relative error {median:.2g} (median), "
            f"{tail:.2g} (95 %), allowed {MEDIAN_LIMIT} and {TAIL_LIMIT}; update the backend, or choose another"
        )
    return median
