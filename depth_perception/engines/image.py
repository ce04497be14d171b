"""The check at the edge of every engine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from depth_perception.errors import EngineError


def check_image(image: NDArray[np.uint8], shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """`image` in C order (copied only if it isn't), or `EngineError` unless it is uint8 of `shape` (H, W, 3)."""
    if image.shape != shape or image.dtype != np.uint8:
        raise EngineError(
            f"the engine was given {image.dtype} {image.shape}, the model takes uint8 {shape}: resize "
            "the image to the contract's height and width first"
        )
    return np.ascontiguousarray(image)
