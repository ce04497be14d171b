"""A picture of what teacher and students see: one row a view, columns image, teacher, students."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from training.student_table import align

Image = NDArray[np.uint8]
Float32 = NDArray[np.float32]
CAPTION_HEIGHT = 18


def contact_sheet(images: Image, labels: Float32, predictions: Mapping[str, Float32]) -> Image:
    """RGB picture, near is bright; students are aligned to the teacher by scale and shift, one colour range a row.

    Args:
        images: (V, S, S, 3) uint8 RGB.
        labels: (V, S, S) raw labels, NaN unknown (grey).
        predictions: student's name -> (V, S, S) in whatever unit.
    """
    captions = ["image", "teacher", *predictions]
    rows = []
    for index, (image, label) in enumerate(zip(images, labels, strict=True)):
        low, high = np.nanpercentile(label, [1, 99])
        maps = [label, *(align(prediction[index], label) for prediction in predictions.values())]
        rows.append(np.hstack([image, *(_colour(values, low, high) for values in maps)]))
    size = images.shape[2]
    title = np.zeros((CAPTION_HEIGHT, size * len(captions), 3), np.uint8)
    for column, text in enumerate(captions):
        font = min(0.45, 0.45 * size / (8 * len(text)))
        cv2.putText(title, text, (column * size + 4, 13), cv2.FONT_HERSHEY_SIMPLEX, font, (255,) * 3, 1, cv2.LINE_AA)
    return np.vstack([title, *rows])


def _colour(values: Float32, low: float, high: float) -> Image:
    scaled = np.clip((values - low) / max(high - low, 1e-9), 0, 1)
    bgr = cv2.applyColorMap(np.nan_to_num(scaled * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    return np.where(np.isfinite(values)[..., None], bgr[..., ::-1], np.uint8(96)).astype(np.uint8)
