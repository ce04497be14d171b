"""Scores of one image, and their mean over images."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from training.evaluation.alignment import Alignment, fit
from training.evaluation.protocol import ALIGNMENTS, Cap, Protocol
from training.metrics import DepthMetrics, InverseMetrics, depth_metrics, inverse_metrics, mean_metrics

Float32 = NDArray[np.float32]
Mask = NDArray[np.bool_]
METRICS = (
    "abs_rel", "sq_rel", "rmse", "rmse_log", "silog", "mae", "irmse", "imae", "delta1", "delta2", "delta3",
)  # fmt: skip


@dataclass(frozen=True)
class Score:
    """Of some pixels of one image, or of the images together (`images` > 1)."""

    images: int
    pixels: int
    depth: DepthMetrics
    inverse: InverseMetrics

    def value(self, metric: str) -> float:
        """One of METRICS."""
        return float(getattr(self.inverse if hasattr(self.inverse, metric) else self.depth, metric))


@dataclass(frozen=True)
class ImageScores:
    """All scores of one image."""

    name: str
    fits: dict[str, Alignment]  # by the alignment's name
    overall: dict[str, Score]  # likewise, of every pixel that counts
    bands: dict[str, Score] = field(default_factory=dict)  # by the protocol's alignment, as the next
    groups: dict[str, Score] = field(default_factory=dict)
    place: int = 0  # of the image in its set


def score(prediction: Float32, target: Float32) -> Score:
    """Of one image's pixels; both in metres, positive, of one shape."""
    return Score(1, target.size, depth_metrics(prediction, target), inverse_metrics(prediction, target))


def mean_score(scores: Iterable[Score]) -> Score:
    """Mean over images, each of equal weight, as the field's tables have it; images without a pixel don't count."""
    rows = [item for item in scores if item.pixels]
    inverse = [float(np.mean([getattr(row.inverse, name) for row in rows])) if rows else np.nan for name in _INVERSE]
    return Score(len(rows), sum(row.pixels for row in rows), mean_metrics([row.depth for row in rows]),
                 InverseMetrics(*inverse))  # fmt: skip


def score_image(
    name: str, prediction: Float32, target: Float32, is_inverse: bool, protocol: Protocol, limits: Cap,
    alignments: Sequence[str] = ALIGNMENTS, bands: Sequence[float] = (), groups: Mapping[str, Mask] | None = None,
) -> ImageScores | None:  # fmt: skip
    """All scores of one image; None if no pixel counts.

    Args:
        prediction: (H, W) depth in the network's unit, or inverse depth if `is_inverse`.
        target: (H, W) metres, NaN unknown.
        limits: of the aligned prediction, m.
        alignments: that are possible for this kind of prediction; the protocol's own is one of them.
        bands: edges of the reference's depth, m; a band holds its lower edge and not its upper one.
        groups: name → (H, W) pixels.
    """
    counted = protocol.counted(target)
    if not counted.any():
        return None
    p, t = prediction[counted], target[counted]
    fits = {align: fit(align, p, t, is_inverse, limits) for align in alignments}
    overall = {align: score(aligned(p, is_inverse), t) for align, aligned in fits.items()}
    chosen = fits[protocol.align]
    metres = chosen(p, is_inverse)
    by_band = {
        f"{low:g}-{high:g} m": score(metres[within], t[within])
        for low, high in pairwise(bands)
        for within in [(t >= low) & (t < high)]
    }
    by_group = {group: score(metres[mask[counted]], t[mask[counted]]) for group, mask in (groups or {}).items()}
    return ImageScores(name, fits, overall, by_band, by_group)


_INVERSE = tuple(item.name for item in dataclasses.fields(InverseMetrics))
