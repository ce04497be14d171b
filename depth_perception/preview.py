"""A picture of a depth map for people: near is warm, far is cold, unknown is black."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from depth_perception.config import PreviewConfig
from depth_perception.records import DepthFrame


def preview(frame: DepthFrame, config: PreviewConfig) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB at the image's size, colours spread over inverse depth (Turbo).

    Works for every kind of prediction. The ends of the colour scale are the 2nd and 98th percentile of the frame, or
    what `config` fixes in metres where the depth is metric.
    """
    height, width = frame.image.shape[:2]
    source = frame.prediction if frame.depth is None else frame.depth
    inverse_already = frame.depth is None and frame.kind.is_inverse
    return colour(source, height, width, config, inverse_already)


def colour(
    values: NDArray[np.float32], height: int, width: int, config: PreviewConfig, inverse_already: bool = False
) -> NDArray[np.uint8]:
    """`values` (h, w) depth (or inverse depth) → (height, width, 3) RGB."""
    import cv2

    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = values if inverse_already else np.reciprocal(values)
    unknown = ~np.isfinite(inverse) | (np.isneginf(values) if not inverse_already else False)
    low, high = _ends(inverse[::4, ::4], config)
    scaled = np.clip((inverse - low) * (255.0 / max(high - low, 1e-12)), 0.0, 255.0)
    grey = np.where(unknown, 0.0, scaled).astype(np.uint8)
    picture = cv2.applyColorMap(grey, cv2.COLORMAP_TURBO)
    picture[unknown] = 0
    picture = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    if picture.shape[:2] != (height, width):
        picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_NEAREST)
    return picture  # type: ignore[return-value]


def _ends(inverse: NDArray[np.float32], config: PreviewConfig) -> tuple[float, float]:
    """Inverse depth of the cold and of the warm end."""
    known = inverse[np.isfinite(inverse)]
    low, high = (float(v) for v in np.percentile(known, [2, 98])) if known.size else (0.0, 1.0)
    if config.max_depth > 0.0:
        low = 1.0 / config.max_depth
    if config.min_depth > 0.0:
        high = 1.0 / config.min_depth
    return low, high
