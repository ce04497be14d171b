"""What the accuracy benchmarks share: our depth beside what the same anchors give without a network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from depth_perception.alignment import Aligner, Unscaled
from depth_perception.alignment.sources import gather
from depth_perception.config import ScaleConfig
from depth_perception.metrics import depth_metrics
from depth_perception.records import Anchors

Float32 = NDArray[np.float32]
FAR_FROM_ANCHORS = 0.01  # of the image's width: std is judged on pixels at least so far from every anchor
OUTLIERS = 0.4


@dataclass(frozen=True)
class Case:
    """One frame: what the network said, what was measured, what is true."""

    view: Unscaled
    anchors: tuple[Anchors, ...]
    uv: Float32  # (N, 2) pixels of the image at which truth is known
    truth: Float32  # (N,) metres
    limits: tuple[float, float]  # metres; answers are limited to these, truth lies within


@dataclass
class Row:
    """Means over the frames of one row of a table."""

    name: str
    aim: float
    values: dict[str, list[float]] = field(default_factory=dict)
    frames: int = 0
    lost: int = 0  # frames in which no scale was trusted

    def add(self, **values: float) -> None:
        for name, value in values.items():
            self.values.setdefault(name, []).append(value)

    def mean(self, name: str) -> float:
        return float(np.nanmean(self.values[name])) if self.values.get(name) else float("nan")


COLUMNS: dict[str, str] = {
    "ours": "ours",
    "linear": "linear interpolation",
    "constant": "our field on a constant",
    "aligned": "network, median-aligned",
    "outliers": "ours, 40 % outliers",
    "within": "truth within one std",
    "left_out": "as the frame itself says",
}


def score(row: Row, case: Case, seed: int) -> None:
    """Add one frame to a row."""
    row.frames += 1
    depth, std, said = aligned_depth(case)
    if depth is None or std is None:
        row.lost += 1
        return
    row.add(ours=abs_rel(depth, case), left_out=said, within=_within(depth, std, case))
    row.add(linear=_limited_abs_rel(linear_interpolation(case), case))
    constant = aligned_depth(replace(case, view=_flat(case.view)))[0]
    row.add(constant=float("nan") if constant is None else abs_rel(constant, case))
    noisy = replace(case, anchors=tuple(with_outliers(a, seed) for a in case.anchors))
    outliers = aligned_depth(noisy)[0]
    row.add(outliers=float("nan") if outliers is None else abs_rel(outliers, case))
    row.add(aligned=_median_aligned(case))


def aligned_depth(case: Case) -> tuple[Float32 | None, Float32 | None, float]:
    """Depth, std and held-out AbsRel of a first frame: nothing is remembered from frame to frame."""
    result = Aligner()(case.view, case.anchors, case.anchors[0].stamp_ns, ScaleConfig(), True)
    return result.depth, result.std, result.quality.abs_rel


def sampled(values: Float32, case: Case) -> Float32:
    """Values (h, w) at the pixels of the case: nearest, as an image of the prediction's size has them."""
    height, width = values.shape
    column = np.floor((case.uv[:, 0] + 0.5) * (width / case.view.image.shape[1])).astype(int)
    row = np.floor((case.uv[:, 1] + 0.5) * (height / case.view.image.shape[0])).astype(int)
    return values[np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)]


def abs_rel(depth: Float32, case: Case) -> float:
    return _limited_abs_rel(sampled(depth, case), case)


def _limited_abs_rel(depth: Float32, case: Case) -> float:
    return depth_metrics(np.clip(depth, *case.limits), case.truth).abs_rel


def _within(depth: Float32, std: Float32, case: Case) -> float:
    """Share of the pixels away from all anchors whose error is within one standard deviation."""
    from scipy.spatial import cKDTree

    nearest, _ = cKDTree(np.concatenate([a.uv for a in case.anchors])).query(case.uv)
    away = nearest > FAR_FROM_ANCHORS * case.view.image.shape[1]
    error = np.abs(np.clip(sampled(depth, case), *case.limits) - case.truth)
    return float(np.mean(error[away] <= sampled(std, case)[away])) if away.any() else float("nan")


def linear_interpolation(case: Case) -> Float32:
    """Depth at the case's pixels, linear in inverse depth between the anchors, the nearest one's outside their hull."""
    from scipy.interpolate import LinearNDInterpolator, NearestNDInterpolator
    from scipy.spatial import QhullError

    uv, inverse = np.concatenate([a.uv for a in case.anchors]), 1.0 / np.concatenate([a.depth for a in case.anchors])
    _, first = np.unique(np.round(4.0 * uv), axis=0, return_index=True)
    outside = NearestNDInterpolator(uv[first], inverse[first])(case.uv)
    try:
        inside = LinearNDInterpolator(uv[first], inverse[first])(case.uv)
    except QhullError:  # all on one line
        return np.asarray(1.0 / outside, np.float32)
    return np.asarray(1.0 / np.where(np.isfinite(inside), inside, outside), np.float32)


def with_outliers(anchors: Anchors, seed: int) -> Anchors:
    """40 % of the anchors replaced by anything between 0.5 and 40 m."""
    rng = np.random.default_rng(seed)
    wrong = rng.random(len(anchors)) < OUTLIERS
    depth = np.where(wrong, np.exp(rng.uniform(np.log(0.5), np.log(40.0), len(anchors))), anchors.depth)
    return replace(anchors, depth=depth.astype(np.float32))


def _median_aligned(case: Case) -> float:
    """The network alone, with the scale (or scale and shift) that fits the truth best: it sees the truth."""
    if case.view.is_inverse:
        return float("nan")
    said = sampled(case.view.values, case)
    return _limited_abs_rel(said * np.float32(np.median(case.truth) / np.median(said)), case)


def _flat(view: Unscaled) -> Unscaled:
    """A network that has seen nothing."""
    return replace(view, values=np.full_like(view.values, 5.0), is_inverse=False, prior_std=None)


def table(rows: Sequence[Row], columns: dict[str, str] = COLUMNS) -> str:
    """Markdown."""
    lines = ["| row | frames | aim | " + " | ".join(columns.values()) + " |", "|---" * (len(columns) + 3) + "|"]
    for row in rows:
        cells = " | ".join(f"{row.mean(name):.3f}" for name in columns)
        lost = f" ({row.lost} without)" if row.lost else ""
        lines.append(
            f"| {row.name} | {row.frames}{lost} | {'' if math.isnan(row.aim) else f'{row.aim:.2f}'} | {cells} |"
        )
    return "\n".join(lines)


def usable(case: Case) -> bool:
    """True if the network's picture and at least a few anchors are there."""
    return bool(case.anchors) and len(gather(case.anchors, case.view.values, case.view.image.shape[:2])) >= 12  # type: ignore[arg-type]
