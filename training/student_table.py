"""Paper 3's table: how near a student is to its teacher on the held-out views, as printed there and after alignment."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.metrics import DepthMetrics, depth_metrics, mean_metrics
from training.scale_shift import fit_scale_shift

Float32 = NDArray[np.float32]
FLOOR = 1e-3  # raw label units (1e-6 1/m at 1000): inverse depth is positive, so a prediction below it is taken as it


@dataclass(frozen=True)
class Row:
    """One line. Shares are 0 to 1; NaN is printed as '-'."""

    name: str
    epochs: int  # 0: a baseline, which isn't trained
    rmse: float  # in the unit of the target that the student learnt
    mae: float
    unaligned: DepthMetrics | None  # None: the target isn't an inverse depth, so a ratio of it says nothing
    aligned: DepthMetrics  # in raw label units, after scale and shift of each image by least squares


def make_row(name: str, epochs: int, predictions: Float32, target: Float32, labels: Float32, normalised: bool) -> Row:
    """Means over images, each of equal weight.

    Args:
        predictions, target: (V, H, W) in the unit that was learnt; target NaN where unknown.
        labels: (V, H, W) raw labels (inverse depth x label_scale) of the same views, NaN unknown.
        normalised: the target is a normalised label, of either sign.
    """
    pairs = list(zip(predictions, target, labels, strict=True))
    errors = [(p - t)[np.isfinite(t)].astype(np.float64) for p, t, _ in pairs]
    return Row(
        name=name,
        epochs=epochs,
        rmse=float(np.mean([np.sqrt(np.mean(error**2)) for error in errors])),
        mae=float(np.mean([np.mean(np.abs(error)) for error in errors])),
        unaligned=None if normalised else mean_metrics([_positive_metrics(p, label) for p, _, label in pairs]),
        aligned=mean_metrics([_positive_metrics(align(p, label), label) for p, _, label in pairs]),
    )


def align(prediction: Float32, label: Float32) -> Float32:
    """The prediction in the label's unit, by the scale and shift that fit it best (least squares on inverse depth)."""
    scale, shift = fit_scale_shift(prediction, label)
    return (scale * prediction + shift).astype(np.float32)


def _positive_metrics(prediction: Float32, label: Float32) -> DepthMetrics:
    return depth_metrics(np.maximum(prediction, FLOOR), label)


def baselines(target: Float32, train: NDArray[np.int64], views: int) -> dict[str, Float32]:
    """What knows nothing of the image: the mean target, and the mean target of each pixel. (views, H, W) each.

    Args:
        target: (N, H, W), NaN unknown; only `train` of it is used.
    """
    known = target[train]
    mean = float(np.nanmean(known))
    count = np.isfinite(known).sum(axis=0)
    mean_map = np.where(count > 0, np.nansum(known, axis=0) / np.maximum(count, 1), mean).astype(np.float32)
    return {
        "constant": np.full((views, *target.shape[1:]), mean, np.float32),
        "mean map": np.broadcast_to(mean_map, (views, *target.shape[1:])),
    }


def format_table(rows: Sequence[Row]) -> str:
    """A Markdown table: paper's columns first, then those after alignment."""
    header = [
        "student",
        "epochs",
        "RMSE",
        "MAE",
        "δ1 %",
        "δ2 %",
        "δ3 %",
        "aligned δ1 %",
        "aligned δ2 %",
        "aligned δ3 %",
        "aligned RMSE",
    ]
    lines = [header, ["---", *["---:"] * (len(header) - 1)]]
    for row in rows:
        plain = row.unaligned
        shares = [math.nan] * 3 if plain is None else [plain.delta1, plain.delta2, plain.delta3]
        shares += [row.aligned.delta1, row.aligned.delta2, row.aligned.delta3]
        digits = 1 if row.rmse >= 10 else 3
        lines.append([
            row.name, str(row.epochs or "-"), f"{row.rmse:.{digits}f}", f"{row.mae:.{digits}f}",
            *("-" if math.isnan(share) else f"{100 * share:.2f}" for share in shares), f"{row.aligned.rmse:.1f}",
        ])  # fmt: skip
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def verdict(rows: Sequence[Row], expected: float = 0.2) -> str:
    """Whether normalised targets beat raw ones by `expected` in aligned δ1, at every epoch count that both have."""
    delta1 = {(row.name, row.epochs): row.aligned.delta1 for row in rows}
    lines = []
    for (name, epochs), normalised in delta1.items():
        if name == "normalised" and ("raw", epochs) in delta1:
            gain = normalised - delta1["raw", epochs]
            word = "at least" if gain >= expected else "less than"
            lines.append(f"{epochs} epochs: normalised - raw = {gain:+.3f} in aligned δ1, {word} {expected}")
    return "\n".join(lines)
