"""Random views of a rendered frame: crop, stretch and mirror, with the focal length following."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from depth_perception.camera import CameraModel


@dataclass(frozen=True)
class Sample:
    """One image with exact depth."""

    image: NDArray[np.uint8]  # (H, W, 3) RGB
    depth: NDArray[Any]  # (H, W) float32 metres along z, +Inf sky, NaN unknown; or uint16 codes (sim/depth_code.py)
    K: NDArray[np.float64]  # (3, 3) pixels, for exactly this size


def crop_and_resize(
    sample: Sample, left: int, top: int, size: tuple[int, int], out: tuple[int, int], interpolation: int
) -> Sample:
    """The window of `size` (height, width) whose first pixel is (left, top), resized to `out` (height, width).

    Depth is metres along z and doesn't change with the size; it takes the nearest pixel, so that no depth appears
    between an edge's two sides.
    """
    (height, width), (out_height, out_width) = size, out
    window = (slice(top, top + height), slice(left, left + width))
    camera = CameraModel(sample.depth.shape[0], sample.depth.shape[1], sample.K).cropped(left, top, height, width)
    return Sample(
        image=cv2.resize(sample.image[window], (out_width, out_height), interpolation=interpolation),  # type: ignore[arg-type]
        depth=sample.depth[_nearest(top, height, out_height)[:, None], _nearest(left, width, out_width)],
        K=camera.resized(out_height, out_width).K,
    )


def _nearest(first: int, size: int, out: int) -> NDArray[np.int64]:
    """The pixel of first .. first + size - 1 in which each of `out` pixel centres lies."""
    return first + (2 * np.arange(out) + 1) * size // (2 * out)


def mirror(sample: Sample) -> Sample:
    """Left and right exchanged; the principal point moves along."""
    K = sample.K.copy()
    K[0, 2] = sample.depth.shape[1] - 1 - K[0, 2]
    return Sample(np.ascontiguousarray(sample.image[:, ::-1]), np.ascontiguousarray(sample.depth[:, ::-1]), K)


def random_view(
    sample: Sample,
    out: tuple[int, int],
    rng: np.random.Generator,
    stretch: tuple[float, float] = (0.65, 1.35),
    narrowest: float = 0.45,
) -> Sample:
    """A random window of the sample at size `out` (height, width), mirrored half of the time.

    Args:
        stretch: range of fx / fy that comes out. A 16:9 camera stretched to 256x320 has 0.70, a square one 1.25.
        narrowest: the smallest window, as a share of the largest one that has the drawn stretch.
    """
    H, W = sample.depth.shape
    height, width = out
    square = sample.K[0, 0] / sample.K[1, 1]
    ratio = np.exp(rng.uniform(np.log(stretch[0]), np.log(stretch[1]))) / square
    widest = min(W, H * width / (height * ratio))
    share = 1.0 - (1.0 - narrowest) * rng.random() ** 2
    window_width = max(2, int(widest * share))
    window_height = min(H, max(2, round(window_width * height * ratio / width)))
    left = int(rng.integers(0, W - window_width + 1))
    top = int(rng.integers(0, H - window_height + 1))
    interpolation = (cv2.INTER_LINEAR, cv2.INTER_AREA, cv2.INTER_CUBIC)[int(rng.integers(3))]
    view = crop_and_resize(sample, left, top, (window_height, window_width), out, interpolation)
    return mirror(view) if rng.random() < 0.5 else view


def central_view(sample: Sample, out: tuple[int, int]) -> Sample:
    """The whole frame at size `out`, cut top and bottom where `out` is wider, so that pixels stay square or nearly."""
    H, W = sample.depth.shape
    height = min(H, round(W * out[0] / out[1]))
    return crop_and_resize(sample, 0, (H - height) // 2, (height, W), out, cv2.INTER_LINEAR)
