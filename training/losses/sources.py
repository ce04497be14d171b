"""The views of a batch that its targets are compared with, and the motions to them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from depth_perception.errors import ConfigError
from training.batch import Batch
from training.geometry.rigid import transform_from_vector
from training.losses.view_synthesis import Sources


def temporal(batch: Batch, motion: Tensor | None) -> Sources | None:
    """The neighbours in time; None where the dataset wasn't asked for them.

    Args:
        motion: (B, S, 6) of a pose network, see `transform_from_vector`. None: odometry's, where it is known.
    """
    if batch.sources is None or batch.has_source is None or batch.T_source_target is None or batch.has_pose is None:
        return None
    known = batch.has_source if motion is not None else batch.has_source & batch.has_pose
    T = batch.T_source_target if motion is None else transform_from_vector(motion)
    return Sources(batch.sources, batch.K[:, :1].expand(-1, batch.sources.shape[1], -1, -1), T, known)


def with_partner(batch: Batch, sources: Sources | None) -> Sources:
    """The stereo partner after the neighbours in time, if there are any.

    Raises:
        ConfigError: the batch has no partner.
    """
    if batch.partner is None or batch.has_stereo is None or batch.K_partner is None or batch.T_partner_target is None:
        raise ConfigError("the batch has no stereo partner: set `stereo` in the dataset's configuration")
    partner = Sources(batch.partner, batch.K_partner[:, 0], batch.T_partner_target, batch.has_stereo)
    partner = Sources(*(part.unsqueeze(1) for part in partner))
    if sources is None:
        return partner
    return Sources(*(torch.cat([own, other], dim=1) for own, other in zip(sources, partner, strict=True)))


def reduced(sources: Sources, scale: int) -> Sources:
    """The sources at 1 / 2^scale of their size, each pixel the mean of those below it.

    Convention: f' = f / 2^k, c' = (c + 0.5) / 2^k - 0.5, as for the batch's own pyramid of K.
    """
    images = avg_pool2d(sources.images.flatten(0, 1), 2**scale).unflatten(0, sources.images.shape[:2])
    share, K = 0.5**scale, sources.K.clone()
    K[..., :2, :2] *= share
    K[..., :2, 2] = (K[..., :2, 2] + 0.5) * share - 0.5
    return sources._replace(images=images, K=K)
