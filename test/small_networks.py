"""Depth networks of small width, which run in a moment."""

from __future__ import annotations

from collections.abc import Callable

import torch

from training.networks.depth_network import DepthNetwork
from training.networks.packnet import PackNet, PackNetWidths
from training.networks.real_time import RealTimeDepth
from training.networks.resnet_upprojection import ResNetUpProjection

TINY = PackNetWidths(32, (32, 32, 32, 32, 64), 4, (1, 1, 1, 1))  # two channels a group, or biases would do nothing
SMALL: dict[str, Callable[[], DepthNetwork]] = {
    "packnet": lambda: PackNet(TINY, 0.5, 80.0),
    "resnet_upprojection": lambda: ResNetUpProjection(18),
    "real_time": RealTimeDepth,
}


def small_network(name: str) -> DepthNetwork:
    """One of `SMALL` with fresh weights, always the same."""
    torch.manual_seed(0)
    return SMALL[name]()
