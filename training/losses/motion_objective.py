"""The objective of guizilini2019 (eq. 1), and what a robot's own recordings add to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from depth_perception.errors import ConfigError
from training.batch import Batch
from training.geometry.sampling import upsample
from training.losses.distillation import distillation_loss
from training.losses.inverse_depth import depth_from_inverse
from training.losses.measured import Measured, measured
from training.losses.motion_config import MotionConfig
from training.losses.photometric import reference
from training.losses.reprojected import reprojected_distance, restrict_pose_gradient
from training.losses.smoothness import edge_weights, inverse_depth_smoothness, weighted_slopes
from training.losses.sources import reduced, temporal, with_partner
from training.losses.supervised import supervised_loss
from training.losses.terms import LossTerms, Prediction, weighted_sum
from training.losses.velocity import translation_ratio, velocity_loss
from training.losses.view_synthesis import Sources, masked_photometric, unwarped_errors, warped_errors

Measures = dict[str, Tensor]


def motion_objective(batch: Batch, prediction: Prediction, config: MotionConfig, step: int) -> LossTerms:
    """Photometric, smoothness, reprojected, supervised, velocity and distillation terms, and their weighted sum.

    Every scale is upsampled straight to the images' size (guizilini2019 §3.1), and each term is the mean over scales,
    smoothness weighted 2^-k; distillation compares the finest alone. A sample that lacks sources, depth, odometry or a
    label has no part in the terms that need them. Runs in 32 bits under any autocast.

    Args:
        batch: after `floats()`.
        step: iterations done before this one, for the warm-up.

    Returns:
        `measures` has `photometric_kept`, `reprojected_px`, `translation_ratio`, of what was computed.

    Raises:
        ConfigError: the batch lacks what a term needs.
        ValueError: all weights are 0.
    """
    weights: dict[Term, float] = {
        photometric: config.photometric,
        smoothness: config.smoothness,
        reprojected: config.reprojected * min(1.0, (step + 1) / max(config.reprojected_warmup, 1)),
        supervised: config.supervised,
        velocity: config.velocity,
        distillation: config.distillation,
    }
    with torch.autocast(batch.target.device.type, enabled=False):
        given, measures = Given(batch, prediction.widened(), config), Measures()
        parts = {term.__name__: (weight, term(given, measures)) for term, weight in weights.items() if weight}
        return weighted_sum(parts, measures)


@dataclass(frozen=True)
class Given:
    """What the terms share, each made when the first of them asks."""

    batch: Batch
    prediction: Prediction
    config: MotionConfig

    @cached_property
    def full(self) -> list[Tensor]:
        """(B, 1, H, W) inverse depth of each scale, at the images' size."""
        height, width = self.batch.target.shape[-2:]
        return [upsample(one, height, width) for one in self.prediction.inverse_depth]

    @cached_property
    def points(self) -> Measured:
        """The measured pixels."""
        return measured(self.batch.depth)

    @cached_property
    def temporal(self) -> Sources | None:
        """The neighbours in time."""
        return temporal(self.batch, self.prediction.motion)

    def sources(self, neighbours: Sources | None) -> Sources:
        """The neighbours, and the partner if the recipe wants it."""
        if self.config.stereo:
            return with_partner(self.batch, neighbours)
        if neighbours is None:
            raise ConfigError("the batch has no sources: set `context` in the dataset's configuration")
        return neighbours


Term = Callable[[Given, Measures], Tensor]


def photometric(given: Given, measures: Measures) -> Tensor:
    """Eq. 2-4, mean over scales."""
    config, batch, sources = given.config, given.batch, given.sources(given.temporal)
    losses, kept = [], []
    for scale, inverse_depth in enumerate(given.prediction.inverse_depth if config.native_scales else given.full):
        if scale == 0 or config.native_scales:
            views = reduced(sources, scale) if scale else sources
            target = reference((avg_pool2d(batch.target, 2**scale) if scale else batch.target).unsqueeze(1))
            unwarped = unwarped_errors(target, views, config.alpha) if config.automask else None
            K = batch.K[:, scale]
        warped = warped_errors(target, views, inverse_depth.squeeze(1), K, config.alpha)
        result = masked_photometric(warped, unwarped, config.minimum, config.over_kept)
        losses.append(result.loss)
        kept.append(result.kept)
    measures["photometric_kept"] = torch.stack(kept).mean()
    return torch.stack(losses).mean()


def smoothness(given: Given, measures: Measures) -> Tensor:
    """Eq. 5 with weight 2^-k at scale k, mean over scales."""
    image, losses = given.batch.target, []
    for scale, maps in enumerate(given.prediction.inverse_depth if given.config.native_scales else given.full):
        if scale == 0 or given.config.native_scales:
            edges = edge_weights(avg_pool2d(image, 2**scale) if scale else image)
        if given.config.smooth_depth:
            loss = weighted_slopes(depth_from_inverse(maps, given.config.farthest_m), edges)
        else:
            loss = inverse_depth_smoothness(maps, edges)
        losses.append(0.5**scale * loss)
    return torch.stack(losses).mean()


def reprojected(given: Given, measures: Measures) -> Tensor:
    """Eq. 6, mean over scales; measures how far odometry says that the predicted motions fell short."""
    batch, neighbours, mode = given.batch, given.temporal, given.config.pose_gradient
    if neighbours is not None:
        T = neighbours.T_source_target
        neighbours = neighbours._replace(T_source_target=restrict_pose_gradient(T, mode))
        if batch.T_source_target is not None and batch.has_pose is not None:
            known = neighbours.present & batch.has_pose
            measures["translation_ratio"] = translation_ratio(T, batch.T_source_target, known)
    views = given.sources(neighbours)
    found = [
        reprojected_distance(given.points.of(one), given.points, batch.K[:, 0], *views[1:], *batch.target.shape[-2:])
        for one in given.full
    ]
    measures["reprojected_px"] = torch.stack([one.pixels for one in found]).mean()
    return torch.stack([one.loss for one in found]).mean()


def supervised(given: Given, measures: Measures) -> Tensor:
    """Measured depth by the norm, mean over scales."""
    depths = (depth_from_inverse(given.points.of(one), given.config.farthest_m) for one in given.full)
    return torch.stack([supervised_loss(depth, given.points, given.config.norm) for depth in depths]).mean()


def velocity(given: Given, measures: Measures) -> Tensor:
    """Predicted motion against odometry's."""
    batch, neighbours = given.batch, given.temporal
    if neighbours is None or batch.T_source_target is None or batch.has_pose is None:
        raise ConfigError("the batch has no odometry: set `context` in the dataset's configuration")
    known = neighbours.present & batch.has_pose
    measures["translation_ratio"] = translation_ratio(neighbours.T_source_target, batch.T_source_target, known)
    return velocity_loss(neighbours.T_source_target, batch.T_source_target, known)


def distillation(given: Given, measures: Measures) -> Tensor:
    """The teacher's labels, values and slopes, against the finest scale."""
    batch = given.batch
    if batch.teacher is None or batch.confidence is None or batch.teacher_metric is None:
        raise ConfigError("the batch has no teacher's labels: set `teacher` in the dataset's configuration")
    loss = distillation_loss(given.full[0].squeeze(1), batch.teacher, batch.confidence, batch.teacher_metric)
    return loss.value + given.config.distillation_slope * loss.slope
