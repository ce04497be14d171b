"""Weights and readings of the objective that learns from motion."""

from __future__ import annotations

from dataclasses import dataclass

from training.losses.reprojected import PoseGradient
from training.losses.supervised import Norm


@dataclass(frozen=True)
class MotionConfig:
    """guizilini2019 eq. 1 and what we add to it; a weight of 0 leaves its term out, uncomputed."""

    photometric: float = 1.0
    alpha: float = 0.85  # share of SSIM in the photometric error, eq. 2
    minimum: bool = True  # over sources, eq. 3; False: their mean
    automask: bool = True  # eq. 4
    over_kept: bool = False  # divide by the pixels that pass the auto-mask, not by all that a source shows
    native_scales: bool = False  # photometric and smoothness at each scale's own size (PackNet-SfM), not at full size
    stereo: bool = False  # the stereo partner is one more source, of known motion
    smoothness: float = 1e-3  # eq. 5
    smooth_depth: bool = False  # eq. 5 by the letter, on depth in metres; else on inverse depth over its mean
    reprojected: float = 0.0  # eq. 6; of pixels / fx. 1e4 in the paper, which doesn't say the unit
    reprojected_warmup: int = 0  # iterations over which its weight grows from 0
    pose_gradient: PoseGradient = "full"  # of the reprojected distance, see `restrict_pose_gradient`
    supervised: float = 0.0  # of measured depth by `norm`, metres
    norm: Norm = "l1"
    velocity: float = 0.0  # length of motion against odometry, metres
    distillation: float = 0.0  # of a teacher's labels
    distillation_slope: float = 0.5  # share of the multi-scale gradient beside the values
    farthest_m: float = 200.0  # up to which inverse depth is inverted, see `depth_from_inverse`
