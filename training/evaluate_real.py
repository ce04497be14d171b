"""Look at a model file on real pictures: `python -m training.evaluate_real SHARED_DATA --sheet OUT.png`.

The sheet shows picture, predicted and measured depth side by side, in colours that run over the prediction's range.
Nothing here is trained on; numbers are means over frames, plain and median-aligned.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from depth_perception.config import from_flat
from depth_perception.pipeline import Pipeline
from depth_perception.records import Frame
from training.metrics import DepthMetrics, depth_metrics, mean_metrics, median_scale
from training.real_frames import RealFrame, kitti_raw_frames, rgbd_frames, seven_scenes_frames

ROW_HEIGHT = 180
SHOWN_EACH = 5


def predict(pipeline: Pipeline, item: RealFrame) -> NDArray[np.float32]:
    """Metres at the picture's size, as the node would publish, limited to the model's range."""
    contract = pipeline.model.contract
    depth = pipeline.process(Frame(item.image, 0, "camera", item.camera)).depth
    assert depth is not None  # the camera is calibrated and the model metric
    return np.clip(depth, contract.min_depth, contract.max_depth)


def colours(depth: NDArray[np.float32], low: float, high: float) -> NDArray[np.uint8]:
    """(H, W) metres → (H, W, 3) BGR; log scale, near is red; not measured is black."""
    place = (np.log(np.maximum(depth, 1e-3)) - np.log(low)) / np.log(high / low)
    codes = np.nan_to_num(255.0 * (1.0 - np.clip(place, 0.0, 1.0))).astype(np.uint8)
    out = cv2.applyColorMap(codes, cv2.COLORMAP_TURBO)
    out[np.isnan(depth)] = 0
    return out  # type: ignore[return-value]


def row(item: RealFrame, prediction: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Picture, prediction, measurement, each `ROW_HEIGHT` high."""
    low, high = float(np.percentile(prediction, 1)), float(np.percentile(prediction, 99)) * 1.05
    measured = cv2.dilate(np.nan_to_num(item.depth), np.ones((3, 3))) if item.source == "kitti_raw" else item.depth
    measured = np.where(measured > 0, measured, np.float32(np.nan)).astype(np.float32)
    parts = [cv2.cvtColor(item.image, cv2.COLOR_RGB2BGR), colours(prediction, low, high), colours(measured, low, high)]
    width = round(ROW_HEIGHT * item.image.shape[1] / item.image.shape[0])
    cv2.putText(parts[1], f"{low:.1f}-{high:.1f} m", (8, 32), 0, 1.0, (255, 255, 255), 2)
    return np.hstack([cv2.resize(part, (width, ROW_HEIGHT), interpolation=cv2.INTER_AREA) for part in parts])


def stack(rows: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Rows of different width below one another."""
    width = max(item.shape[1] for item in rows)
    return np.vstack([cv2.copyMakeBorder(r, 0, 2, 0, width - r.shape[1], cv2.BORDER_CONSTANT) for r in rows])


def main(arguments: list[str] | None = None) -> None:
    """Command line; see the module's first lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="default")
    parser.add_argument("--sheet", type=Path, help="write a picture of what came out")
    options = parser.parse_args(arguments)
    pipeline = Pipeline(from_flat({"model.path": options.model, "rectify": "never"}))
    scores: dict[str, list[tuple[DepthMetrics, DepthMetrics]]] = {}
    rows: list[NDArray[np.uint8]] = []
    sources = (
        kitti_raw_frames(options.folder / "kitti_raw_0926_cam2_velo"),
        seven_scenes_frames(options.folder / "7scenes_redkitchen"),
        rgbd_frames(options.folder / "rgbd_frames"),
    )
    for item in (frame for source in sources for frame in source):
        prediction = predict(pipeline, item)
        scale = np.float32(median_scale(prediction, item.depth))
        scored = scores.setdefault(item.source, [])
        scored.append((depth_metrics(prediction, item.depth), depth_metrics(prediction * scale, item.depth)))
        if len(scored) <= SHOWN_EACH:
            rows.append(row(item, prediction))
    print("| pictures | frames | abs_rel | rmse | delta1 | abs_rel (aligned) | delta1 (aligned) |\n" + "|---" * 7 + "|")
    for source, scored in scores.items():
        plain, aligned = (mean_metrics([pair[i] for pair in scored]) for i in (0, 1))
        values = (plain.abs_rel, plain.rmse, plain.delta1, aligned.abs_rel, aligned.delta1)
        print(f"| {source} | {len(scored)} | " + " | ".join(f"{value:.3f}" for value in values) + " |")
    if options.sheet:
        cv2.imwrite(str(options.sheet), stack(rows))


if __name__ == "__main__":
    main()
