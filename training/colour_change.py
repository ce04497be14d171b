"""Random change of light and colour as one table and one matrix, so that all views of a sample change alike."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]  # (H, W, 3) RGB
LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
RGB_TO_YIQ = np.array([LUMA, [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
YIQ_TO_RGB = np.linalg.inv(RGB_TO_YIQ)


@dataclass(frozen=True)
class ColourRanges:
    """Ranges that are drawn from evenly. The defaults: jitter as usual in monocular training, γ and α of paper 2."""

    gamma: tuple[float, float] = (0.8, 1.2)  # exponent of the intensity in 0 to 1; Kuznietsov 2017, §4
    intensity: tuple[float, float] = (0.8, 1.2)  # α, factor of the intensity; Kuznietsov 2017, §4
    brightness: float = 0.2  # ± of the factor; these four: Guizilini 2019 says "jittering"
    contrast: float = 0.2  # ±, about the mean of the target
    saturation: float = 0.2  # ±
    hue_deg: float = 18.0  # ±, of a turn of 360 about the grey axis


@dataclass(frozen=True)
class ColourChange:
    """What is done to every view of one sample: out = matrix @ table[in], limited to 0 to 255 at the end."""

    table: NDArray[np.float32]  # (256,): 0 to 255 -> the same, or beyond
    matrix: NDArray[np.float32]  # (3, 3) on RGB columns

    def __call__(self, image: Image) -> Image:
        """(H, W, 3) uint8 RGB -> the same, changed."""
        out = cv2.transform(cv2.LUT(image, self.table), self.matrix)
        np.add(out, np.float32(0.5), out=out)
        return np.clip(out, 0.0, 255.0, out=out).astype(np.uint8)  # type: ignore[call-overload,no-any-return]


def random_change(target: Image, ranges: ColourRanges, rng: np.random.Generator) -> ColourChange:
    """A change drawn for a sample whose target view is `target` (H, W, 3) uint8 RGB.

    In this order: intensity (0 to 1) ** γ, times α, times brightness, contrast, saturation, hue.
    """
    gamma, alpha = rng.uniform(*ranges.gamma), rng.uniform(*ranges.intensity)
    brightness, contrast, saturation = (
        1.0 + rng.uniform(-width, width) for width in (ranges.brightness, ranges.contrast, ranges.saturation)
    )
    hue = np.deg2rad(rng.uniform(-ranges.hue_deg, ranges.hue_deg))
    levels = 255.0 * alpha * brightness * (np.arange(256) / 255.0) ** gamma
    middle = float(np.interp(_mean(target), np.arange(256), levels))
    table = (levels - middle) * contrast + middle
    return ColourChange(table.astype(np.float32), (_hue(hue) @ _saturation(saturation)).astype(np.float32))


def _mean(image: Image) -> float:
    """Mean luma 0 to 255 of every eighth row and column, which is enough for the middle of a contrast."""
    return float(image[::8, ::8].reshape(-1, 3).mean(axis=0) @ LUMA)


def _saturation(factor: float) -> NDArray[np.float64]:
    """(3, 3): distance from the grey of equal luma times `factor`."""
    return factor * np.eye(3) + (1.0 - factor) * np.tile(LUMA, (3, 1))


def _hue(angle: float) -> NDArray[np.float64]:
    """(3, 3): turn about the grey axis in YIQ; grey and luma stay."""
    c, s = np.cos(angle), np.sin(angle)
    return YIQ_TO_RGB @ np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) @ RGB_TO_YIQ
