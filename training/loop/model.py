"""The networks that are trained together, as one module: what an objective wants to know of a batch."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from training.batch import Batch
from training.loop.configuration import TrainingConfig
from training.losses.terms import Prediction
from training.networks.depth_network import make_depth_network
from training.networks.pose import PoseNet
from training.networks.student import StudentNet

STUDENT = "student"
Outputs = tuple[tuple[Tensor, ...], Tensor | None, tuple[Tensor, ...] | None]


class PositiveStudent(nn.Module):
    """Paper 3's StudentNet with a softplus after it: objectives here are of positive inverse depth."""

    reduction = 1

    def __init__(self) -> None:
        super().__init__()
        self.network = StudentNet()

    def forward(self, image: Tensor) -> tuple[Tensor]:
        """(B, 3, H, W) RGB in [0, 1] → ((B, 1, H, W) inverse depth,)."""
        return (softplus(self.network(image).float()),)


class TrainedNetworks(nn.Module):
    """Depth network, and pose network if there is one. One `forward` for a step, so that DDP sees one module."""

    def __init__(self, depth: nn.Module, pose: PoseNet | None) -> None:
        super().__init__()
        self.depth, self.pose = depth, pose

    def forward(self, target: Tensor, sources: Tensor | None, partner: Tensor | None) -> Outputs:
        """Maps of the target, motions (B, S, 6) to the sources, maps of the partner; each None where it isn't asked.

        Target and partner go through the depth network as one batch.
        """
        maps = self.depth(target if partner is None else torch.cat([target, partner]))
        there = None
        if partner is not None:
            count = len(target)
            maps, there = tuple(one[:count] for one in maps), tuple(one[count:] for one in maps)
        motion = None
        if self.pose is not None and sources is not None:
            motion = torch.stack([self.pose(target, source) for source in sources.unbind(1)], dim=1)
        return maps, motion, there


def make_networks(config: TrainingConfig) -> TrainedNetworks:
    """With fresh weights, the same for the same seed.

    Raises:
        ConfigError, ModelError: see `make_depth_network`.
    """
    torch.manual_seed(config.seed)
    how = config.network
    if how.name == STUDENT:
        depth: nn.Module = PositiveStudent()
    else:
        encoder = Path(how.encoder_weights) if how.encoder_weights else None
        depth = make_depth_network(how.name, how.min_depth, how.max_depth, encoder)
    moves = config.compares_views and how.motion == "network"
    return TrainedNetworks(depth, PoseNet() if moves else None)


def inputs(batch: Batch, config: TrainingConfig) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """What `TrainedNetworks.forward` takes. The partner is predicted only where an objective compares both images."""
    partner = batch.partner_input if config.predicts_partner else None
    return batch.target_input, batch.sources_input, partner


def prediction(outputs: Outputs) -> Prediction:
    """Outputs as objectives take them."""
    return Prediction(*outputs)
