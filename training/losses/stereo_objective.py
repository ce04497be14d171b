"""The objective of kuznietsov2017 (eq. 5): measured depth and a stereo pair, both images alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from depth_perception.errors import ConfigError
from training.batch import Batch
from training.geometry.rigid import invert_rigid
from training.geometry.sampling import upsample
from training.losses.inverse_depth import depth_from_inverse
from training.losses.measured import measured
from training.losses.stereo_alignment import Summed, anisotropic_smoothness, blur, direct_alignment, fade_in
from training.losses.supervised import Norm, berhu_threshold, penalty
from training.losses.terms import LossTerms, Prediction, weighted_sum


@dataclass(frozen=True)
class StereoConfig:
    """Weights and readings of eq. 5; beta or gamma of 0 leaves its term out."""

    beta: float = 0.5  # of the supervised term once it is faded in; unpublished, one of 0.1, 0.5, 1
    fade_in: bool = True  # beta exp(-10 / t)
    norm: Norm = "berhu"
    gamma: float = 0.1  # of the alignment; unpublished, one of 0.01, 0.1, 1
    sigma: float = 1.0  # of the Gaussian before alignment, pixels; 0: none
    only_unmeasured: bool = False  # alignment only where there is no LiDAR: the starred rows of table 3
    regularisation: float = 1.0  # of eq. 10, which has no weight
    separable: bool = False  # reading of eq. 10, see `anisotropic_smoothness`
    reduction: Literal["sum", "mean"] = "sum"  # the paper's sums, all over the same B H W; or each over its own pixels
    farthest_m: float = 200.0  # up to which inverse depth is inverted, see `depth_from_inverse`


class _View(NamedTuple):
    """One image of each pair, and its way to the other."""

    image: Tensor  # (B, 3, H, W)
    inverse_depth: Tensor  # (B, 1, H, W)
    depth: Tensor  # (B, H, W) measured, NaN unknown
    K: Tensor  # (B, 3, 3)
    T_other_view: Tensor  # (B, 4, 4)
    present: Tensor  # (B, 1, 1) bool


def stereo_objective(batch: Batch, prediction: Prediction, config: StereoConfig, step: int) -> LossTerms:
    """Supervised, alignment and regularisation terms over both images of each pair, and their weighted sum.

    The paper's terms are sums over different numbers of pixels; all are divided by the same B H W, so that 1 % of the
    LiDAR is 100 times less supervision (design §8). The finest scale alone, upsampled to the images' size. Runs in 32
    bits under any autocast.

    Args:
        batch: after `floats()`, with stereo. A sample without a partner has its own supervision and smoothness only.
        prediction: with or without the partner's inverse depth; without it, one line of each equation falls away.
        step: iterations done before this one.

    Returns:
        `measures` has `alignment_valid`, the share of pixels that the alignment saw, and `fade_in`.

    Raises:
        ConfigError: the batch has no stereo.
        ValueError: all weights are 0.
    """
    with torch.autocast(batch.target.device.type, enabled=False):
        views = _views(batch, prediction.widened())
        pixels = float(batch.depth.numel())
        measures: dict[str, Tensor] = {}
        parts: dict[str, tuple[float, Tensor]] = {}
        if config.beta:
            weight = fade_in(step + 1, config.beta) if config.fade_in else config.beta
            parts["supervised"] = weight, _divided(_supervised(views, config), pixels, config)
            measures["fade_in"] = batch.depth.new_tensor(weight / config.beta)
        if config.gamma:
            aligned = _alignment(views, batch, config)
            parts["alignment"] = config.gamma, _divided(aligned, pixels, config)
            measures["alignment_valid"] = aligned.pixels / (len(views) * pixels)
        if config.regularisation:
            smooth = _add([_smoothness(view, config.separable) for view in views])
            parts["regularisation"] = config.regularisation, _divided(smooth, pixels, config)
        return weighted_sum(parts, measures)


def _views(batch: Batch, prediction: Prediction) -> list[_View]:
    if (batch.partner is None or batch.K_partner is None or batch.T_partner_target is None
            or batch.partner_depth is None or batch.has_stereo is None):  # fmt: skip
        raise ConfigError("the batch has no stereo partner: set `stereo` in the dataset's configuration")
    height, width = batch.target.shape[-2:]
    here = upsample(prediction.inverse_depth[0], height, width)
    T = batch.T_partner_target
    paired = batch.has_stereo[:, None, None]
    views = [_View(batch.target, here, batch.depth, batch.K[:, 0], T, torch.ones_like(paired))]
    if prediction.partner_inverse_depth is not None:
        there = upsample(prediction.partner_inverse_depth[0], height, width)
        views.append(_View(batch.partner, there, batch.partner_depth, batch.K_partner[:, 0], invert_rigid(T), paired))
    return views


def _supervised(views: Sequence[_View], config: StereoConfig) -> Summed:
    """Eq. 6-8: the threshold is of all valid pixels of the batch and both views."""
    residuals = []
    for view in views:
        points = measured(view.depth)
        residuals.append(depth_from_inverse(points.of(view.inverse_depth), config.farthest_m) - points.depth)
    residual = torch.cat(residuals)
    values = penalty(residual, config.norm, berhu_threshold([residual]))
    return Summed(values.sum(), values.new_tensor(values.numel()))


def _alignment(views: Sequence[_View], batch: Batch, config: StereoConfig) -> Summed:
    """Eq. 9."""
    assert batch.partner is not None and batch.K_partner is not None and batch.has_stereo is not None
    images = [blur(batch.target, config.sigma), blur(batch.partner, config.sigma)]
    cameras = [batch.K[:, 0], batch.K_partner[:, 0]]
    found = []
    for place, view in enumerate(views):
        counted = batch.has_stereo[:, None, None]
        if config.only_unmeasured:
            counted = counted & ~(view.depth > 0)
        other = 1 - place
        maps = view.inverse_depth.squeeze(1)
        found.append(
            direct_alignment(images[place], images[other], maps, view.K, cameras[other], view.T_other_view, counted)
        )
    return _add(found)


def _smoothness(view: _View, separable: bool) -> Summed:
    """Eq. 10."""
    return anisotropic_smoothness(view.inverse_depth.squeeze(1), view.image, view.present, separable)


def _add(sums: Sequence[Summed]) -> Summed:
    return Summed(torch.stack([one.total for one in sums]).sum(), torch.stack([one.pixels for one in sums]).sum())


def _divided(found: Summed, pixels: float, config: StereoConfig) -> Tensor:
    return found.total / (pixels if config.reduction == "sum" else found.pixels.clamp(min=1))
