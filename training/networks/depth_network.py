"""The depth networks by name. One training loop and one export serve them all.

Each maps RGB (B, 3, H, W) in [0, 1] to a tuple of inverse depth maps, finest first, and has `reduction`: how many
pixels of the input a pixel of the finest map is wide.
"""

from __future__ import annotations

from collections.abc import Callable

from depth_perception.errors import ConfigError
from training.networks.packnet import FULL, SLIM, PackNet
from training.networks.real_time import RealTimeDepth
from training.networks.resnet_upprojection import ResNetUpProjection

DepthNetwork = PackNet | ResNetUpProjection | RealTimeDepth

NETWORKS: dict[str, Callable[[float, float], DepthNetwork]] = {
    "packnet": lambda min_depth, max_depth: PackNet(FULL, min_depth, max_depth),
    "packnet_slim": lambda min_depth, max_depth: PackNet(SLIM, min_depth, max_depth),
    "resnet50_upprojection": lambda min_depth, max_depth: ResNetUpProjection(50),
    "resnet18_upprojection": lambda min_depth, max_depth: ResNetUpProjection(18),
    "real_time": lambda min_depth, max_depth: RealTimeDepth(),
}


def make_depth_network(name: str, min_depth: float = 0.5, max_depth: float = 100.0) -> DepthNetwork:
    """A network with fresh weights; the depth range, in metres, is built into PackNet alone.

    Raises:
        ConfigError: there is no network of that name.
    """
    if name not in NETWORKS:
        raise ConfigError(f"there is no depth network {name!r}: choose from {sorted(NETWORKS)!r}")
    return NETWORKS[name](min_depth, max_depth)
