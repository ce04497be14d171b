"""What the demo leaves behind: a picture (camera, predicted, true) and a summary of accuracy."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depth_perception.config import PreviewConfig
from depth_perception.metrics import DepthMetrics, depth_metrics, mean_metrics, median_scale
from depth_perception.preview import colour

Float32 = NDArray[np.float32]
Shown = tuple[NDArray[np.uint8], Float32, Float32]  # camera image RGB, predicted depth, true depth


def accuracy(predicted: Float32, target: Float32, max_depth: float = 80.0) -> tuple[DepthMetrics, DepthMetrics] | None:
    """Metrics as published and after median alignment, over pixels where both are finite and the truth ≤ `max_depth`.

    None where no pixel can be compared.
    """
    valid = np.isfinite(predicted) & np.isfinite(target) & (target <= max_depth)
    if not valid.any():
        return None
    positive = np.where(valid, predicted, np.float32(1.0))
    plain = depth_metrics(positive, target, valid)
    return plain, depth_metrics(positive * np.float32(median_scale(positive, target, valid)), target, valid)


def side_by_side(image: NDArray[np.uint8], predicted: Float32, target: Float32) -> NDArray[np.uint8]:
    """Camera, predicted and true depth in one row (H, 3 W, 3) RGB, both depths on the truth's colour scale."""
    known = target[np.isfinite(target)]
    near, far = (float(v) for v in np.percentile(known, [2, 98])) if known.size else (1.0, 10.0)
    scale = PreviewConfig(min_depth=near, max_depth=max(far, near * 1.01))
    height, width = image.shape[:2]
    return np.hstack([image, colour(predicted, height, width, scale), colour(target, height, width, scale)])


def write_report(folder: Path, shown: Sequence[Shown], facts: dict[str, Any]) -> str:
    """Write picture.png, summary.json and summary.txt into `folder`; returns the text."""
    import cv2

    pairs = [pair for pair in (accuracy(predicted, target) for _, predicted, target in shown) if pair is not None]
    plain, aligned = mean_metrics([p for p, _ in pairs]), mean_metrics([a for _, a in pairs])
    picks = np.unique(np.linspace(0, len(shown) - 1, 4).astype(int))
    picture = np.vstack([side_by_side(*shown[i]) for i in picks])
    half = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(folder / "picture.png"), cv2.cvtColor(half, cv2.COLOR_RGB2BGR))
    facts = {
        **facts,
        "frames compared": len(pairs),
        "abs_rel": round(plain.abs_rel, 4),
        "rmse (m)": round(plain.rmse, 3),
        "delta1": round(plain.delta1, 4),
        "abs_rel, median-aligned": round(aligned.abs_rel, 4),
        "delta1, median-aligned": round(aligned.delta1, 4),
    }
    text = "\n".join(f"{key}: {value}" for key, value in facts.items())
    (folder / "summary.json").write_text(json.dumps(facts, indent=2) + "\n")
    (folder / "summary.txt").write_text(text + "\n")
    return text
