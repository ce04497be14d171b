"""How far predictions are from measured depth: as they are, median-scaled, and with a fitted scale and shift."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from depth_perception.metrics import DepthMetrics
from training.baselines import fit_baselines
from training.dataset import Draw, FrameDataset
from training.geometry.sampling import upsample
from training.loop.configuration import ValidationConfig
from training.loop.guard import NotFiniteError
from training.metrics import depth_metrics, mean_metrics, median_scale
from training.scale_shift import fit_scale_shift

Float32 = NDArray[np.float32]
ON_TRAINING = 100  # frames that the constant is fitted on, at most


@dataclass(frozen=True)
class Frame:
    """One validated image, at the size that the network sees."""

    image: NDArray[np.uint8]  # (H, W, 3) RGB
    inverse_depth: Float32  # (H, W) predicted
    measured: Float32  # (H, W) metres, NaN unknown


@dataclass(frozen=True)
class Scores:
    """Means over images, each of equal weight."""

    plain: DepthMetrics
    median: DepthMetrics  # times median(measured) / median(predicted) of each image
    aligned: DepthMetrics  # with scale and shift of inverse depth fitted to each image
    constant: DepthMetrics | None  # one depth everywhere, which was fitted on training frames

    def entry(self) -> dict[str, float]:
        """By name, for logs."""
        numbers = {
            "abs_rel": self.plain.abs_rel, "rmse": self.plain.rmse, "delta1": self.plain.delta1,
            "abs_rel_median": self.median.abs_rel, "delta1_median": self.median.delta1,
            "abs_rel_aligned": self.aligned.abs_rel,
        }  # fmt: skip
        return numbers if self.constant is None else {**numbers, "abs_rel_constant": self.constant.abs_rel}


@torch.no_grad()
def predicted(depth: nn.Module, dataset: FrameDataset, items: Sequence[int], device: torch.device) -> Iterator[Frame]:
    """Each item without augmentation, and what the depth network says of it, in 32 bits. One item at a time, so that
    memory doesn't grow.

    Raises:
        NotFiniteError: it says NaN or infinity.
    """
    training = depth.training
    depth.eval()
    try:
        for item in items:
            batch = dataset.collate([dataset[Draw(item, (0,), supervised=True)]])
            image = batch.target.to(device).float() / 255.0
            finest = depth(image)[0].float()
            inverse = upsample(finest, *image.shape[-2:])[0, 0].cpu().numpy()
            if not np.isfinite(inverse).all():
                raise NotFiniteError(
                    f"the network's inverse depth isn't finite for {dataset.name(item)!r} in validation"
                )
            yield Frame(batch.target[0].permute(1, 2, 0).numpy(), inverse, batch.depth[0].numpy())
    finally:
        depth.train(training)


def scores(frames: Iterable[Frame], config: ValidationConfig, constant: float | None) -> Scores:
    """Means over frames, of measured pixels between the limits; depths that are predicted outside are clamped."""
    rows: list[list[DepthMetrics]] = [[], [], [], []]
    low, high = config.min_depth, config.max_depth
    for frame in frames:
        target = frame.measured
        valid = (target >= low) & (target <= high)
        if not valid.any():
            continue
        inverse, target = frame.inverse_depth[valid].astype(np.float64), target[valid].astype(np.float64)
        scale, shift = fit_scale_shift(inverse, 1.0 / target)
        plain = _depth(inverse, low, high)
        unlimited = 1.0 / np.maximum(inverse, 1e-6)
        median = np.clip(unlimited * median_scale(unlimited, target), low, high)
        found = [plain, median, _depth(scale * inverse + shift, low, high)]
        found += [] if constant is None else [np.full_like(target, constant)]
        for row, depth in zip(rows, found, strict=False):
            row.append(depth_metrics(depth, target))
    means = [mean_metrics(row) for row in rows]
    return Scores(means[0], means[1], means[2], means[3] if rows[3] else None)


def constant_depth(dataset: FrameDataset, config: ValidationConfig) -> float | None:
    """The one depth that a predictor without eyes would give: geometric mean over training frames. None: unmeasured."""
    items = dataset.supervised()
    if not items:
        return None
    chosen = np.linspace(0, len(items) - 1, min(ON_TRAINING, len(items))).round().astype(int)
    depths = (dataset.collate([dataset[items[place]]]).depth[0].numpy() for place in chosen)
    inside = (np.where(depth >= config.min_depth, depth, np.float32(np.nan)) for depth in depths)
    return fit_baselines(inside, config.max_depth).constant


def _depth(inverse: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    return 1.0 / np.clip(inverse, 1.0 / high, 1.0 / low)
